"""Stage `act`, its other half: larger pictures that came later join the evidence of open cases.

An operator asked for the picture of a read, and its device sent it (`cameras.wanted`). The capture
was marked (`picture_due`) by the statement that stored the picture; the mark is cleared in the
transaction that looked for cases, so a lost doorbell or a killed worker loses nothing and nothing
joins twice. A case that is over gets nothing more.
"""

import uuid
from datetime import datetime

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import DatabaseError
from django.db.models import Q, QuerySet

from audit.access import Access, stage_batch
from audit.services import record, stage_actor
from cameras.models import Capture
from enforcement.cases.evidence import evidence_complete
from enforcement.cases.history import event_add
from enforcement.cases.models import CLOSED_STATES, Case, Evidence
from enforcement.cases.reasons import PICTURE_CAME
from enforcement.cases.services import MOST_ACTED
from plates.models import PlateRead
from vault.keys import KeyDestroyed
from vault.sealing import SealBroken

_CAMERA = "camera"

log = structlog.get_logger(__name__)


def pictures_join(*, now: datetime, limit: int = MOST_ACTED) -> int:
    """See to pictures that came later; how many. One that fails is logged, keeps its mark and holds
    up no other."""
    due = Capture.objects.filter(picture_due=True).order_by("pk")
    done = 0
    for capture_id in list(due.values_list("pk", flat=True)[:1000]):
        try:
            done += _join(capture_id, now)
        except (DatabaseError, SoftTimeLimitExceeded):
            raise
        except Exception:
            log.exception("picture_join_failed", capture=str(capture_id))
        if done >= limit:
            break
    return done


def _join(capture_id: uuid.UUID, now: datetime) -> int:
    # the capture first, then its cases: whoever holds a case waits for no capture with a picture
    mine = Capture.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
    with stage_batch("act") as access:
        capture = mine.filter(pk=capture_id, picture_due=True).first()
        if capture is None:
            return 0  # another worker has it
        reads = PlateRead.objects.filter(capture_id=capture_id).select_related("camera__site")
        joined = [
            one
            for read in (reads if capture.picture else ())  # else it was forgotten meanwhile
            for case in _live_cases(read)
            if (one := _add(case, read, capture, access, now)) is not None
        ]
        Capture.objects.filter(pk=capture_id).update(picture_due=False)
        for one in joined:
            # last of all: whoever appends to the audit chain holds it until the commit
            _audit(one)
    return 1


def _live_cases(read: PlateRead) -> "QuerySet[Case]":
    """The cases that speak of a read and are not over, held until commit."""
    keeping = Evidence.objects.filter(token_exact=read.token_exact, capture_id=read.capture_id)
    return (
        Case.objects.select_for_update(of=("self",))
        .filter(
            Q(pk__in=keeping.values("case_id"))
            | Q(passage_ids__contains=[str(read.passage_id)], site_id=read.site_id)
        )
        .exclude(state__in=CLOSED_STATES)
        .order_by("pk")
    )


def _add(
    case: Case, read: PlateRead, capture: Capture, access: Access, now: datetime
) -> Evidence | None:
    try:
        kept = evidence_complete(case, read, capture, access=access, now=now)
    except (FileNotFoundError, KeyDestroyed, SealBroken) as error:
        log.error("picture_unopened", capture=str(capture.pk), error=type(error).__name__)
        return None
    if kept is None:
        return None
    evidence, entry = kept
    event_add(case, case.state, _CAMERA, PICTURE_CAME, "", now, entries=[entry] if entry else [])
    return evidence


def _audit(evidence: Evidence) -> None:
    record(
        stage_actor("act"),
        "change",
        purpose="pipeline",
        case_ref=evidence.case.number,
        subject=Evidence._meta.label_lower,
        subject_id=evidence.pk,
        tokens=[evidence.token_exact],
        detail={"what": PICTURE_CAME},
    )
