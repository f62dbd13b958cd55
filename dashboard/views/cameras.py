"""The cameras' health."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone

from cameras.access import SEE
from cameras.selectors import cameras_health
from dashboard.gates import OperatorRequest, gate
from dashboard.selectors import captures_per_hour
from dashboard.views.feed import narrow


@gate(*SEE)
def cameras(request: OperatorRequest) -> HttpResponse:
    """Every camera: state, last word, spool, clock, captures per hour. Those in trouble first."""
    context = narrow(request)
    now = timezone.now()
    hours = captures_per_hour(request.sites, now)
    health = cameras_health(request.sites, now)
    context["now"] = now
    context["cameras"] = [(one, hours.get(one.camera.pk, [0] * 24)) for one in health]
    whole = not request.htmx
    return render(
        request, "dashboard/cameras.html" if whole else "dashboard/camera_cards.html", context
    )
