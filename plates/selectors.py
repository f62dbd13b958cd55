"""Reading reads: by id, the latest, and the search by plate. No other code queries by plate."""

import uuid
from datetime import datetime, timedelta

from django.db.models import QuerySet

from audit.freetext import reference
from audit.purposes import checked
from audit.services import Actor, record
from cameras.models import Capture, Site
from core.errors import BadInput, NotFound
from core.ids import uuid7_floor
from core.platetext import PlateTextError, canonical
from plates.models import PlateRead
from vault import blind


def read_get(read_id: uuid.UUID, sites: "QuerySet[Site]") -> PlateRead:
    """The read, if it is of one of `sites`; NotFound otherwise (also when it is forgotten)."""
    read = (
        PlateRead.objects.filter(pk=read_id, site__in=sites)
        .select_related("site", "camera", "camera__site")
        .first()
    )
    if read is None:
        raise NotFound("not_found", "There is no such read here (any more).")
    return read


def reads_latest(sites: "QuerySet[Site]", limit: int = 25) -> list[PlateRead]:
    """The latest reads of `sites` by capture time, newest first."""
    return list(
        PlateRead.objects.filter(site__in=sites)
        .select_related("site", "camera", "camera__site")
        .order_by("-id")[:limit]
    )


def reads_of_capture(capture_id: uuid.UUID, sites: "QuerySet[Site]") -> list[PlateRead]:
    """The reads of one capture, best first; NotFound unless it is of one of `sites`."""
    if not Capture.objects.filter(pk=capture_id, site__in=sites).exists():
        raise NotFound("not_found", "There is no such capture here.")
    return list(
        PlateRead.objects.filter(capture_id=capture_id, site__in=sites)
        .select_related("site", "camera", "camera__site")
        .order_by("index")
    )


def plate_search(
    *,
    plate: str,
    sites: "QuerySet[Site]",
    actor: Actor,
    purpose: str,
    case_ref: str,
    now: datetime,
    days: int = 31,
    tolerant: bool = True,
    limit: int = 100,
) -> list[PlateRead]:
    """Reads of a plate over the last `days`, newest first; the search itself is audited first.

    `tolerant` also finds reads equal up to OCR classes. BadInput when the text is no plate, the
    purpose is missing, or the reference names the plate.
    """
    checked(purpose, case_ref, person=actor.kind == "person")
    try:
        text = canonical(plate)
    except PlateTextError as error:
        raise BadInput("plate_invalid", "This is not a plate.", field="plate") from error
    tokens = [blind.exact(text)]
    record(
        actor,
        "search",
        purpose=purpose,
        case_ref=reference(case_ref, tokens),
        subject="plates.plateread",
        tokens=tokens,
        detail={"days": days, "tolerant": tolerant},
    )
    rows = PlateRead.objects.filter(site__in=sites, id__gte=uuid7_floor(now - timedelta(days=days)))
    if tolerant:
        rows = rows.filter(token_class__in=blind.equivalent_lookup(text))
    else:
        rows = rows.filter(token_exact__in=blind.exact_lookup(text))
    return list(rows.select_related("site", "camera", "camera__site").order_by("-id")[:limit])
