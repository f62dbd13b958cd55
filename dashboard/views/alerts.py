"""Open alerts, their live arrival, and acknowledging them."""

import uuid

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from cameras.access import OPERATE
from core.errors import NotFound, ProductError
from dashboard.gates import OperatorRequest, gate
from dashboard.plates import slot_response
from dashboard.views.feed import ids_of, narrow
from enforcement.watchlist.selectors import alert_or_404, alerts_open
from enforcement.watchlist.services import alert_acknowledge

MOST = 100
_SHOWN = ("watchlist", "site", "camera", "entry")


@gate(*OPERATE)
def alerts(request: OperatorRequest) -> HttpResponse:
    """The page of open alerts."""
    context = narrow(request)
    context["alerts"] = list(alerts_open(request.sites).select_related(*_SHOWN)[:MOST])
    return render(request, "dashboard/alerts.html", context)


@gate(*OPERATE)
def alerts_rows(request: OperatorRequest) -> HttpResponse:
    """Rows of those of the alerts `id` that are open; all open ones when none is named."""
    narrow(request)
    rows = alerts_open(request.sites).select_related(*_SHOWN)
    if "id" in request.GET:
        rows = rows.filter(pk__in=ids_of(request))
    context = {"alerts": list(rows[:MOST]), "fresh": "id" in request.GET}
    return render(request, "dashboard/alert_rows.html", context)


@require_POST
@gate(*OPERATE)
def alerts_acknowledge(request: OperatorRequest, alert_id: uuid.UUID) -> HttpResponse:
    """Acknowledge an alert, with a note."""
    alert = alert_or_404(request.user, alert_id, *OPERATE)
    note = request.POST.get("note", "").strip()[:300]
    try:
        alert_acknowledge(alert_id=alert.pk, user=request.user, note=note, now=timezone.now())
    except ProductError as error:
        messages.error(request, error.sentence)
    else:
        messages.success(request, f"Alert at {alert.site} acknowledged.")
    return HttpResponseRedirect(reverse("alerts"))


@require_POST
@gate(*OPERATE)
def alerts_entry(request: OperatorRequest, alert_id: uuid.UUID) -> HttpResponse:
    """Open the plate of the list's entry, to compare it with what was read."""
    try:
        entry = alert_or_404(request.user, alert_id, *OPERATE).entry
    except NotFound:
        return slot_response(request, "entry", None)
    return slot_response(request, "entry", entry, country=entry.country)
