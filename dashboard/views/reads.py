"""One read: its facts for the site's operators, its plate and pictures with a reason."""

import uuid

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from audit.purposes import for_people
from cameras.access import OPERATE, person_actor
from cameras.models import Capture
from cameras.wanted import can_ask, picture_ask, pictures_withdraw
from core.errors import BadInput, Conflict, NotAllowed, NotFound
from dashboard import purposes
from dashboard.gates import OperatorRequest, gate
from dashboard.plates import picture_response, slot_response, stated, text_of
from dashboard.selectors import verdicts_of
from enforcement.cases.selectors import read_decided
from plates.selectors import read_get, reads_of_capture


@require_POST
@gate(*OPERATE)
def read_plate(request: OperatorRequest, read_id: uuid.UUID) -> HttpResponse:
    """Open the plate in its slot on a page."""
    try:
        read = read_get(read_id, request.sites)
    except NotFound:
        return slot_response(request, "read", None)
    return slot_response(request, "read", read, country=read.country)


@gate(*OPERATE)
def read(request: OperatorRequest, read_id: uuid.UUID) -> HttpResponse:
    """The page of a read."""
    return _page(request, read_id)


@require_POST
@gate(*OPERATE)
def read_open(request: OperatorRequest, read_id: uuid.UUID) -> HttpResponse:
    """Say why, and look at the read for a while."""
    row = read_get(read_id, request.sites)
    try:
        purposes.look_begin(
            request,
            "read",
            row.pk,
            code=request.POST.get("purpose", ""),
            case_ref=request.POST.get("case_ref", ""),
            now=timezone.now(),
        )
    except BadInput as error:
        return _page(request, read_id, error)
    return HttpResponseRedirect(reverse("read", args=[row.pk]))


@require_POST
@gate(*OPERATE)
def read_ask(request: OperatorRequest, read_id: uuid.UUID) -> HttpResponse:
    """Have the camera asked for the larger picture, under the purpose the read was opened with."""
    row = read_get(read_id, request.sites)
    chosen = stated(request, "read", row)
    if chosen is None:
        raise NotAllowed("purpose_required", "Say why before you ask for a picture.")
    capture = Capture.objects.filter(pk=row.capture_id).first()
    if capture is None:
        raise NotFound("forgotten", "This read is no longer kept.")
    if read_decided(row):
        raise Conflict("case_closed", "Its case is decided: nothing is added to it any more.")
    picture_ask(
        capture=capture,
        actor=person_actor(request.user, request),
        purpose=chosen.code,
        case_ref=chosen.case_ref,
        shows=reads_of_capture(capture.pk, request.sites),
        now=timezone.now(),
    )
    if read_decided(row):  # between the question and the wish
        pictures_withdraw([capture.pk])
    return HttpResponseRedirect(reverse("read", args=[row.pk]))


def _page(
    request: OperatorRequest, read_id: uuid.UUID, error: BadInput | None = None
) -> HttpResponse:
    row = read_get(read_id, request.sites)
    capture = Capture.objects.filter(pk=row.capture_id).first()
    chosen, text, now = stated(request, "read", row), None, timezone.now()
    if chosen:
        try:
            text = text_of(request, row, chosen)
        except BadInput as refused:  # the reference names the plate itself
            purposes.look_end(request, "read", row.pk)
            chosen, error = None, refused
    context = {
        "read": row,
        "capture": capture,
        "verdict": verdicts_of([row]).get(row.pk),
        "now": now,
        "chosen": chosen,
        "text": text,
        "purposes": for_people(),
        "error": error,
        "has_crop": bool(row.crop or (capture and capture.crop)),
        "has_picture": bool(capture and capture.picture),
        "may_ask": chosen is not None
        and capture is not None
        and can_ask(capture, now)
        and not read_decided(row),
    }
    return render(request, "dashboard/read.html", context, status=error.status if error else 200)


@gate(*OPERATE)
def read_picture(request: OperatorRequest, read_id: uuid.UUID, which: str) -> HttpResponse:
    """The `picture` or the `crop` of a read."""
    row = read_get(read_id, request.sites)
    chosen = stated(request, "read", row)
    if which == "crop" and row.crop:
        return picture_response(request, row, "crop", chosen)
    capture = Capture.objects.filter(pk=row.capture_id).first()
    if capture is None or not getattr(capture, which):
        raise NotFound("not_found", "This picture is no longer kept.")
    shows = reads_of_capture(capture.pk, request.sites)
    return picture_response(request, capture, which, chosen, shows)
