"""Opening a plate on a screen: the one way a page comes to a plate in clear.

A slot on a page is masked until somebody says why. Opening goes through `audit.access`, which
writes its row before it hands the text out.
"""

from collections.abc import Sequence
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django_htmx.http import reswap, retarget, trigger_client_event

from audit.access import reveal_file, reveal_text
from audit.purposes import for_people
from cameras.access import person_actor
from core.errors import BadInput, NotAllowed, NotFound
from dashboard import purposes
from dashboard.gates import OperatorRequest
from vault.keys import KeyDestroyed
from vault.models import SealedRow

_KINDS = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG": "image/png", b"RIFF": "image/webp"}


def stated(request: OperatorRequest, kind: str, row: SealedRow) -> purposes.Chosen | None:
    """The purpose under which this person may look at the row just now, if they stated one."""
    now = timezone.now()
    return purposes.look(request, kind, row.pk, now) or purposes.shift(request, now)


def text_of(
    request: OperatorRequest, row: SealedRow, chosen: purposes.Chosen, field: str = "text"
) -> str:
    """The plate in a row, audited; NotFound when it was forgotten."""
    try:
        return reveal_text(
            row,
            field,
            actor=person_actor(request.user, request),
            purpose=chosen.code,
            case_ref=chosen.case_ref,
        )
    except KeyDestroyed as error:
        raise NotFound("forgotten", "This plate is no longer kept.") from error


def picture_response(
    request: OperatorRequest,
    row: SealedRow,
    field: str,
    chosen: purposes.Chosen | None,
    shows: Sequence[SealedRow] = (),
) -> HttpResponse:
    """A sealed picture as an image, audited; NotAllowed without a purpose, NotFound when gone.

    `shows`: the reads in the picture, where `row` is a capture.
    """
    if chosen is None:
        raise NotAllowed("purpose_required", "Say why before you look at a picture.")
    try:
        data = reveal_file(
            row,
            field,
            actor=person_actor(request.user, request),
            purpose=chosen.code,
            case_ref=chosen.case_ref,
            shows=shows,
        )
    except (KeyDestroyed, FileNotFoundError) as error:
        raise NotFound("forgotten", "This picture is no longer kept.") from error
    kind = next((name for magic, name in _KINDS.items() if data.startswith(magic)), None)
    response = HttpResponse(data, content_type=kind or "application/octet-stream")
    response["Content-Disposition"] = "inline"
    return response


def slot_response(
    request: OperatorRequest, kind: str, row: SealedRow | None, *, country: str = ""
) -> HttpResponse:
    """The answer to opening a slot: the plate, the dialog that asks why, or that it is forgotten.

    A purpose comes from the dialog, from the form the slot belongs to (search), or was stated
    before.
    """
    slot: dict[str, Any] = {"kind": kind, "row_id": row.pk if row else None, "country": country}
    if row is None:
        return render(request, "dashboard/plate.html", slot | {"forgotten": True})
    now, posted = timezone.now(), request.POST
    try:
        code, case_ref = posted.get("purpose"), posted.get("case_ref", "")
        chosen: purposes.Chosen | None
        if code is None:
            chosen = stated(request, kind, row)
            if chosen is None:
                return _ask(request, slot)
        elif posted.get("keep"):
            purposes.shift_begin(request, code=code, case_ref=case_ref, now=now)
            response = HttpResponse(status=204)
            response["HX-Refresh"] = "true"  # what else is on the page opens then too
            return response
        elif posted.get("dialog"):
            chosen = purposes.look_begin(
                request, kind, row.pk, code=code, case_ref=case_ref, now=now
            )
        else:
            chosen = purposes.once(code=code, case_ref=case_ref, now=now)
        slot["text"] = text_of(request, row, chosen)
    except BadInput as error:
        purposes.look_end(request, kind, row.pk)
        return _ask(request, slot, error)
    except NotFound:
        slot["forgotten"] = True
    response = render(request, "dashboard/plate.html", slot)
    name = f"plate-{kind}-{row.pk}"
    if request.htmx.trigger == name:  # opened by itself as it came into view: leave the focus be
        return response
    return trigger_client_event(response, "plate-shown", {"slot": name}, after="swap")


def _ask(
    request: OperatorRequest, slot: dict[str, Any], error: BadInput | None = None
) -> HttpResponse:
    """The dialog that asks why; when something was left out it says so."""
    context = slot | {
        "purposes": for_people(),
        "error": error,
        "url": request.path,
        "chosen": request.POST.get("purpose", ""),
        "case_ref": request.POST.get("case_ref", ""),
    }
    response = render(request, "dashboard/ask.html", context)
    response = reswap(retarget(response, "#dialog-body"), "innerHTML")
    return trigger_client_event(response, "dialog-open", after="swap")
