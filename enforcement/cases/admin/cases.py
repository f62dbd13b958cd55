"""Cases in the admin: a list to look through. They are opened and decided on the operators' pages,
with a purpose."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from audit.adminsite import PlainAdmin, ReadOnly, RowsBelow, badge
from enforcement.cases.models import CLOSED_STATES, OPEN_STATES, Case, CaseEvent
from enforcement.rights.charges import money

_SEALED = ("text", "explanation")


class EventsBelow(RowsBelow):
    """What happened to a case."""

    model = CaseEvent
    show_change_link = False
    fields = ("at", "from_state", "to_state", "actor", "reason", "note")
    readonly_fields = fields
    ordering = ("at",)


@admin.register(Case)
class CaseAdmin(ReadOnly, PlainAdmin):
    """Cases without their plates and pictures."""

    list_display = (
        "number",
        "site",
        "where_it_is",
        "verdict",
        "reason",
        "overstay_minutes",
        "confidence",
        "opened_at",
        "decided_by",
        "closed_at",
    )
    list_select_related = ("site", "decided_by")
    list_filter = ("state", "verdict", "reason", "site", "opened_at")
    search_fields = ("number",)
    ordering = ("-opened_at",)
    fieldsets = (
        (None, {"fields": ("number", "site", "where_it_is", "verdict", "reason")}),
        ("Seen", {"fields": ("seen_from", "seen_to", "overstay_minutes", "confidence")}),
        (
            "Decision",
            {"fields": ("decided_at", "decided_by", "decision_reason", "decision_note")},
        ),
        ("Two people", {"fields": ("vouched_at", "vouched_by")}),
        (
            "Notice",
            {
                "fields": (
                    "last_issue_day",
                    "issued_at",
                    "asked_for",
                    "discount_until",
                    "due_on",
                    "appeal_until",
                    "withdrawal_asked_at",
                    "withdrawal_reason",
                )
            },
        ),
        ("Times", {"fields": ("opened_at", "closed_at")}),
    )
    inlines = [EventsBelow]

    def get_queryset(self, request: HttpRequest) -> Any:
        """The rows without what is sealed in them."""
        return super().get_queryset(request).defer(*_SEALED)

    @badge(
        "state",
        {
            **dict.fromkeys((Case.State(one).label for one in OPEN_STATES), "info"),
            **dict.fromkeys((Case.State(one).label for one in CLOSED_STATES), "success"),
            Case.State.CONFIRMED.label: "warning",
        },
        ordering="state",
    )
    def where_it_is(self, case: Case) -> str:
        return case.get_state_display()

    @admin.display(description="asked for")
    def asked_for(self, case: Case) -> str:
        return "–" if case.amount is None else money(case.amount, case.currency)
