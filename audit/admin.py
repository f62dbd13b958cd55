"""The audit log in the admin: to be read."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from audit.adminsite import PlainAdmin, ReadOnly, badge
from audit.models import AuditRow
from audit.purposes import PURPOSES

admin.site.index_title = "Administration"

_DIGESTS = ("previous", "digest")


@admin.register(AuditRow)
class AuditRowAdmin(ReadOnly, PlainAdmin):
    """Append-only: triggers in the database refuse what this page doesn't offer."""

    list_display = ("at", "who", "what", "purpose_words", "about", "count", "place", "state")
    list_filter = ("actor_kind", "action", "purpose", "outcome", ("at", admin.DateFieldListFilter))
    ordering = ("-id",)
    fieldsets = (
        (None, {"fields": ("at", "action", "purpose_words", "case_ref", "outcome")}),
        ("Who", {"fields": ("actor_kind", "actor", "organisation", "place")}),
        ("What", {"fields": ("subject", "subject_id", "count", "token_count", "detail")}),
        ("Chain", {"fields": ("digest_text",)}),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        """The rows without their digests, which only the page of a row shows."""
        return super().get_queryset(request).defer(*_DIGESTS)

    @admin.display(description="who", ordering="actor")
    def who(self, row: AuditRow) -> str:
        return row.actor if row.actor_kind == "person" else f"{row.actor} ({row.actor_kind})"

    @admin.display(description="what", ordering="action")
    def what(self, row: AuditRow) -> str:
        return row.action

    @admin.display(description="why", ordering="purpose")
    def purpose_words(self, row: AuditRow) -> str:
        known = PURPOSES.get(row.purpose)
        return known.label if known else row.purpose

    @admin.display(description="about", ordering="subject")
    def about(self, row: AuditRow) -> str:
        return f"{row.subject} {row.subject_id[:8]}".strip()

    @admin.display(description="plates (tokens)")
    def token_count(self, row: AuditRow) -> int:
        return len(row.tokens)

    @admin.display(description="SHA-256 of this row and all before it")
    def digest_text(self, row: AuditRow) -> str:
        return bytes(row.digest).hex()

    @badge("outcome", {"done": "success", "failed": "danger", "refused": "warning"})
    def state(self, row: AuditRow) -> str:
        return row.outcome
