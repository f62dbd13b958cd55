"""One read: its facts for the site's operators, its plate and pictures with a reason."""

import uuid

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from audit.purposes import for_people
from cameras.access import OPERATE
from cameras.models import Capture
from core.errors import BadInput, NotFound
from dashboard import purposes
from dashboard.gates import OperatorRequest, gate
from dashboard.plates import picture_response, slot_response, stated, text_of
from dashboard.selectors import verdicts_of
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


def _page(
    request: OperatorRequest, read_id: uuid.UUID, error: BadInput | None = None
) -> HttpResponse:
    row = read_get(read_id, request.sites)
    capture = Capture.objects.filter(pk=row.capture_id).first()
    chosen, text = stated(request, "read", row), None
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
        "chosen": chosen,
        "text": text,
        "purposes": for_people(),
        "error": error,
        "has_crop": bool(row.crop or (capture and capture.crop)),
        "has_picture": bool(capture and capture.picture),
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
