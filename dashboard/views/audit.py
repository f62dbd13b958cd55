"""The audit log, for auditors: who looked, why, and whether the chain holds."""

from datetime import UTC, date, datetime, timedelta

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from audit.purposes import PURPOSES
from audit.services import verify
from cameras.access import INSPECT
from dashboard.gates import OperatorRequest, gate
from dashboard.selectors import audit_rows

PAGE = 50


def _day(text: str) -> tuple[datetime, datetime] | None:
    try:
        day = date.fromisoformat(text)
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        return start, start + timedelta(days=1)
    except (ValueError, OverflowError):
        return None


@gate(*INSPECT)
def audit(request: OperatorRequest) -> HttpResponse:
    """Rows of the organisations this person audits (all, for a superuser), newest first."""
    organisations = None
    if not request.user.is_superuser:
        organisations = list(
            request.sites.order_by("organisation__name")
            .values_list("organisation__name", flat=True)
            .distinct()
        )
    asked = {
        name: request.GET.get(name, "").replace("\0", "").strip()
        for name in ("actor", "purpose", "day")
    }
    rows = audit_rows(
        organisations=organisations,
        actor=asked["actor"],
        purpose=asked["purpose"],
        day=_day(asked["day"]),
    )
    before = request.GET.get("before", "")
    if before.isascii() and before.isdigit() and len(before) < 19:
        rows = rows.filter(pk__lt=int(before))
    page = list(rows[: PAGE + 1])
    context = {
        "rows": page[:PAGE],
        "older": page[PAGE - 1].pk if len(page) > PAGE else None,
        "before": before,
        "asked": asked,
        "purposes": PURPOSES.values(),
        "organisations": organisations,
    }
    return render(request, "dashboard/audit.html", context)


@require_POST
@gate(*INSPECT)
def audit_verify(request: OperatorRequest) -> HttpResponse:
    """Walk the whole chain and say whether it holds."""
    return render(request, "dashboard/audit_chain.html", {"report": verify()})
