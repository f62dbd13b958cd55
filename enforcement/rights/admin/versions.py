"""Rows that count from an instant on: what has begun to count is never changed again.

A case is judged by what was in force when the vehicle was seen (domain-rules, preamble), so a past
version is only read; who wants something else adds a version from now on.
"""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils import timezone

from audit.adminsite import badge
from cameras.adminsite import AuditedAdmin

WHILE_TYPING = timedelta(hours=1)
"""A start this far back still counts as "from now on": somebody filled in a form meanwhile, and
it is moved to now."""


def from_now_on(at: datetime, *, now: datetime) -> datetime:
    """`at`, or now where it just passed; ValidationError where it lies in the past."""
    if at >= now:
        return at
    if at >= now - WHILE_TYPING:
        return now
    raise forms.ValidationError(
        "This lies in the past, and would change what was judged since. Choose now or later.",
        code="past",
    )


class VersionedAdmin(AuditedAdmin):
    """Changes and deletes only versions that have not begun to count, and says which one does."""

    line = "site"
    """The field that versions which succeed each other share."""

    def versions_alike(self) -> "QuerySet[Any]":
        """The versions that succeed each other with the row of an outer query."""
        found: QuerySet[Any] = self.model._default_manager.filter(
            **{self.line: OuterRef(self.line)}
        )
        return found

    def get_queryset(self, request: HttpRequest) -> Any:
        """The versions, each with the one of its line that is in force."""
        begun = self.versions_alike().filter(effective_from__lte=timezone.now())
        newest = Subquery(begun.order_by("-effective_from").values("pk")[:1])
        return super().get_queryset(request).annotate(newest=newest)

    @badge("state", {"in force": "success", "later": "info"})
    def state(self, version: Any) -> str:
        if version.effective_from > timezone.now():
            return "later"
        return "in force" if version.pk == version.newest else "past"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Django's own, for a version of the future."""
        return super().has_change_permission(request, obj) and not _counts(obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Django's own, for a version of the future."""
        return super().has_delete_permission(request, obj) and not _counts(obj)


def _counts(version: Any) -> bool:
    begins = getattr(version, "effective_from", None)
    return begins is not None and begins <= timezone.now()
