"""The cameras: how they are, what they see, and giving one a device."""

import uuid
from typing import Any

from django.conf import settings
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from audit.purposes import for_people
from cameras.access import OPERATE, SEE, SUPERVISE, person_actor, sites_of
from cameras.counting import Counted, counted
from cameras.enrolment import LIFE, setup_token_create
from cameras.models import Camera, Thumbnail
from cameras.selectors import camera_or_404, cameras_health
from core.errors import BadInput, NotFound
from dashboard import purposes
from dashboard.devices import device, setting_label, settings_words
from dashboard.gates import OperatorRequest, gate
from dashboard.plates import picture_response, stated
from dashboard.selectors import HOURS, captures_per_hour
from dashboard.views.feed import narrow
from enforcement.visits.circumstances import orphan_rates_of
from enforcement.visits.selectors import site_suspended


@gate(*SEE)
def cameras(request: OperatorRequest) -> HttpResponse:
    """Every camera: state, last word, spool, clock, its device, captures per hour, orphan rate,
    what was turned down. Those in trouble first; sites where nothing is enforced are named. A few
    queries a site.
    """
    context = narrow(request)
    now = timezone.now()
    hours = captures_per_hour(request.sites, now)
    health = cameras_health(request.sites, now)
    context["now"] = now
    sites = list(request.sites)
    rates = {camera: rate for site in sites for camera, rate in orphan_rates_of(site.pk).items()}
    context["suspended"] = [site for site in sites if site_suspended(site, now)]
    counts = counted(request.sites, now)
    context["cameras"] = [
        (
            one,
            hours.get(one.camera.pk, [0] * HOURS),
            rates.get(one.camera.pk),
            counts.get(one.camera.pk, (Counted(), Counted())),
            device(one.camera.detail),
        )
        for one in health
    ]
    whole = not request.htmx
    return render(
        request, "dashboard/cameras.html" if whole else "dashboard/camera_cards.html", context
    )


@gate(*SEE)
def cameras_camera(request: OperatorRequest, camera_id: uuid.UUID) -> HttpResponse:
    """The page of a camera: its device, its settings, what it sees."""
    return _page(request, camera_or_404(camera_id, request.sites))


@require_POST
@gate(*OPERATE)
def cameras_open(request: OperatorRequest, camera_id: uuid.UUID) -> HttpResponse:
    """Say why, and look at what the camera sees."""
    camera = camera_or_404(camera_id, request.sites)
    try:
        purposes.look_begin(
            request,
            "camera",
            camera.pk,
            code=request.POST.get("purpose", ""),
            case_ref=request.POST.get("case_ref", ""),
            now=timezone.now(),
        )
    except BadInput as error:
        return _page(request, camera, error=error, status=error.status)
    return HttpResponseRedirect(reverse("cameras_camera", args=[camera.pk]))


@gate(*OPERATE)
def cameras_thumbnail(request: OperatorRequest, camera_id: uuid.UUID) -> HttpResponse:
    """What the camera sees, as it last sent it."""
    thumbnail = _thumbnail(camera_or_404(camera_id, request.sites))
    if thumbnail is None:
        raise NotFound("not_found", "This picture is no longer kept.")
    return picture_response(request, thumbnail, "picture", stated(request, "camera", thumbnail))


@require_POST
@gate(*SUPERVISE)
def cameras_setup(request: OperatorRequest, camera_id: uuid.UUID) -> HttpResponse:
    """Make a set-up token, and show it in this very answer: it is stored hashed."""
    camera = camera_or_404(camera_id, request.sites)
    invitation = setup_token_create(
        camera=camera, actor=person_actor(request.user, request), now=timezone.now()
    )
    context = {
        "text": invitation.text,
        "expires_at": invitation.token.expires_at,
        "minutes": round(LIFE.total_seconds() / 60),
        "address": settings.PLATEWARDEN_URL,
        "drawn": invitation.drawn(),
    }
    return _page(request, camera, invitation=context)


def _thumbnail(camera: Camera) -> Thumbnail | None:
    return getattr(camera, "thumbnail", None)


def _page(
    request: OperatorRequest,
    camera: Camera,
    *,
    error: BadInput | None = None,
    invitation: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    may_look = sites_of(request.user, *OPERATE).filter(pk=camera.site_id).exists()
    thumbnail = _thumbnail(camera) if may_look else None
    chosen = getattr(camera, "device_settings", None)
    context = {
        "camera": camera,
        "now": timezone.now(),
        "device": device(camera.detail),
        "settings": chosen,
        "settings_words": settings_words(chosen.values) if chosen is not None else [],
        "refused_because": setting_label(chosen.refused_field) if chosen is not None else "",
        "may_look": may_look,
        "may_set_up": sites_of(request.user, *SUPERVISE).filter(pk=camera.site_id).exists(),
        "may_set": request.user.is_staff and request.user.has_perm("cameras.change_camera"),
        "thumbnail": thumbnail,
        "chosen": stated(request, "camera", thumbnail) if thumbnail is not None else None,
        "purposes": for_people(),
        "error": error,
        "invitation": invitation,
    }
    return render(request, "dashboard/camera.html", context, status=status)
