"""Today at a glance."""

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from cameras.access import OPERATE, SEE, sites_of
from dashboard.figures import figures
from dashboard.gates import OperatorRequest, gate
from dashboard.purposes import shift
from dashboard.selectors import rows_of
from plates.selectors import reads_latest

_LATEST = 12


@gate()
def overview(request: OperatorRequest) -> HttpResponse:
    """Today's figures, drawn, and the latest reads. Who only audits is led to the audit log."""
    sites = sites_of(request.user, *SEE)
    if not request.user.is_superuser and not sites.exists():
        return HttpResponseRedirect(reverse("audit"))
    now = timezone.now()
    context = {
        "figures": figures(sites, now),
        "auto": shift(request, now) is not None,
        "rows": rows_of(reads_latest(sites, _LATEST), sites_of(request.user, *OPERATE)),
        "most": _LATEST,
    }
    return render(request, "dashboard/overview.html", context)


@gate(*SEE)
def overview_figures(request: OperatorRequest) -> HttpResponse:
    """The figures alone, for a page that stays open."""
    context = {"figures": figures(request.sites, timezone.now()), "fragment": True}
    return render(request, "dashboard/figures.html", context)


@gate(*OPERATE)
def counts(request: OperatorRequest) -> HttpResponse:
    """How many cases and alerts are open, each number to replace its own in the menu."""
    return render(request, "dashboard/counts.html")
