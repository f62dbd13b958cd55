"""The signed evidence of a case, to be handed out as a file."""

import uuid

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from cameras.access import OPERATE, person_actor
from core.errors import NotFound
from dashboard import purposes
from dashboard.gates import OperatorRequest, gate
from enforcement.cases.manifest import EvidenceChanged
from enforcement.cases.packs import pack_make
from enforcement.cases.selectors import case_get
from vault.keyring import KeyringError
from vault.keys import KeyDestroyed
from vault.sealing import SealBroken


@require_POST
@gate(*OPERATE)
def cases_evidence(request: OperatorRequest, case_id: uuid.UUID) -> HttpResponse:
    """The evidence pack of a case that this person has opened for review."""
    case, now = case_get(case_id, request.sites), timezone.now()
    look = purposes.look(request, "case", case.pk, now)
    if look is None:
        raise NotFound("not_open", "Open the case for review first.")
    try:
        pack = pack_make(
            case_id=case.pk,
            actor=person_actor(request.user),
            purpose=look.code,
            case_ref=look.case_ref,
            now=now,
        )
    except EvidenceChanged as error:
        return _refused(request, case_id, f"Not signed: {error.sentence}")
    except (KeyDestroyed, SealBroken, FileNotFoundError):
        return _refused(request, case_id, "Not signed: some of it can't be opened any more.")
    except KeyringError:
        return _refused(request, case_id, "This installation has no key to sign evidence with.")
    response = HttpResponse(pack.data, content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="{pack.name}"'
    return response


def _refused(request: OperatorRequest, case_id: uuid.UUID, sentence: str) -> HttpResponse:
    messages.error(request, sentence)
    return HttpResponseRedirect(reverse("cases_case", args=[case_id]))
