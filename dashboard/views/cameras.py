"""The cameras' health."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone

from cameras.access import SEE
from cameras.counting import Counted, counted
from cameras.selectors import cameras_health
from dashboard.gates import OperatorRequest, gate
from dashboard.selectors import HOURS, captures_per_hour
from dashboard.views.feed import narrow
from enforcement.visits.circumstances import orphan_rates_of
from enforcement.visits.selectors import site_suspended


@gate(*SEE)
def cameras(request: OperatorRequest) -> HttpResponse:
    """Every camera: state, last word, spool, clock, captures per hour, orphan rate, what was turned
    down. Those in trouble first; sites where nothing is enforced are named. A few queries a site.
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
        )
        for one in health
    ]
    whole = not request.htmx
    return render(
        request, "dashboard/cameras.html" if whole else "dashboard/camera_cards.html", context
    )
