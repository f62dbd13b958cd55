"""Entries: masked, opened with a purpose; added, approved by a second person, removed."""

import uuid
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold import widgets

from audit import freetext
from audit.adminsite import PlainAdmin, ReadOnly, badge, page_action
from cameras.adminsite import (
    REF_LENGTH,
    actor_of,
    address,
    confirm_page,
    form_page,
    moment_field,
    person_of,
    posted,
    refuse,
    reveal_page,
    row_or_404,
    text_field,
)
from core.errors import ProductError
from core.platetext import MAX_LENGTH
from enforcement.watchlist.models import Entry, Watchlist
from enforcement.watchlist.services import entry_add, entry_approve, entry_remove

MASKED = "•••• •••"
_STATES = {"counts": "success", "not approved": "warning", "expired": "info"}


class EntryForm(forms.Form):
    """A plate for a list."""

    watchlist = forms.ModelChoiceField(
        label="List",
        queryset=Watchlist.objects.all(),
        widget=widgets.UnfoldAdminSelectWidget(),
    )
    plate = text_field("Plate", most=4 * MAX_LENGTH, help_text="Kept sealed.")
    country = text_field(
        "Country",
        most=2,
        required=False,
        help_text="Two letters. Without it the entry only ever makes possible alerts.",
    )
    expires_at = moment_field("Expires", required=True)
    priority = forms.IntegerField(
        label="Priority",
        required=False,
        min_value=0,
        max_value=100,
        help_text="0 to 100. Empty: the list's.",
        widget=widgets.UnfoldAdminIntegerFieldWidget(),
    )
    reason = text_field(
        "Reason", most=200, required=False, help_text="Stored in the clear: no plate in it."
    )


class StateFilter(admin.SimpleListFilter):
    """Entries by what they are now."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The states."""
        return [
            ("waiting", "Not approved"),
            ("standing", "On the list"),
            ("expired", "Expired"),
            ("removed", "Removed"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Entry]) -> QuerySet[Entry]:
        """The entries of the chosen state."""
        now = timezone.now()
        standing = Q(removed_at__isnull=True, expires_at__gt=now)
        chosen = {
            "waiting": standing & Q(approved_at__isnull=True),
            "standing": standing,
            "expired": Q(removed_at__isnull=True, expires_at__lte=now),
            "removed": Q(removed_at__isnull=False),
        }.get(self.value() or "")
        return queryset if chosen is None else queryset.filter(chosen)


@admin.register(Entry)
class EntryAdmin(ReadOnly, PlainAdmin):
    """Entries are added, approved and removed; none is edited."""

    list_display = (
        "masked",
        "watchlist",
        "country",
        "state",
        "priority",
        "reason",
        "expires_at",
        "added_by",
        "approved_by",
    )
    list_select_related = ("watchlist", "added_by", "approved_by")
    list_filter = (StateFilter, "watchlist", "country", "expires_at")
    ordering = ("-added_at", "pk")
    fieldsets = (
        (None, {"fields": ("watchlist", "plate_shown", "country", "state", "priority")}),
        ("Why", {"fields": ("reason", "expires_at")}),
        (
            "Who",
            {"fields": ("added_by", "added_at", "approved_by", "approved_at", "removed_at")},
        ),
    )
    actions = ("approve_chosen", "remove_chosen")
    actions_detail = ["approve", "remove"]

    def get_queryset(self, request: HttpRequest) -> Any:
        """The rows without what is sealed in them."""
        return super().get_queryset(request).defer("text")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Django's own: entries are added, if by a page of ours."""
        return super(ReadOnly, self).has_add_permission(request)

    def has_manage_permission(self, request: HttpRequest) -> bool:
        """Who may approve and remove."""
        return request.user.has_perm("watchlist.change_entry")

    def get_urls(self) -> list[URLPattern]:
        """The page that opens a plate."""
        view = self.admin_site.admin_view(self.plate)
        return [path("<uuid:entry_id>/plate/", view, name="entries_plate"), *super().get_urls()]

    # --- columns and fields ---------------------------------------------------------------------

    @admin.display(description="plate")
    def masked(self, entry: Entry) -> str:
        return MASKED

    @admin.display(description="plate")
    def plate_shown(self, entry: Entry) -> SafeString:
        return format_html(
            '<p class="pw-sealed"><span aria-hidden="true">{}</span> <a class="pw-reveal" '
            'href="{}">Reveal<span class="pw-hidden"> the plate</span></a></p>',
            MASKED,
            reverse("admin:entries_plate", args=[entry.pk]),
        )

    @badge("state", _STATES)
    def state(self, entry: Entry) -> str:
        if entry.removed_at is not None:
            return "removed"
        if entry.expires_at <= timezone.now():
            return "expired"
        needed = entry.watchlist.needs_approval and entry.approved_at is None
        return "not approved" if needed else "counts"

    # --- opening --------------------------------------------------------------------------------

    def plate(self, request: HttpRequest, entry_id: uuid.UUID) -> HttpResponse:
        """The plate, with a purpose."""
        if not self.has_manage_permission(request):
            raise PermissionDenied
        entry = row_or_404(self, request, str(entry_id))
        check_ref = partial(
            freetext.clean, field="case_ref", most=REF_LENGTH, tokens=[entry.token_exact]
        )
        return reveal_page(
            request,
            self,
            entry,
            field="text",
            what="plate",
            row=entry,
            country=entry.country,
            check_ref=check_ref,
        )

    # --- changing -------------------------------------------------------------------------------

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Put a plate on a list."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        initial = {"watchlist": request.GET.get("watchlist")}
        form = EntryForm(posted(request), initial=initial)
        if request.method == "POST" and form.is_valid():
            try:
                entry = entry_add(
                    **form.cleaned_data,
                    user=person_of(request),
                    actor=actor_of(request),
                    now=timezone.now(),
                )
            except ProductError as error:
                refuse(form, error)
            else:
                self.log_addition(request, entry, [{"added": {}}])
                messages.success(request, "The plate is on the list.")
                return HttpResponseRedirect(address(entry))
        return form_page(request, self, form, title="New entry", submit="Put it on the list")

    @page_action(
        "Approve",
        path="approve",
        permission="watchlist.change_entry",
        icon="check",
        unless="approved_at",
    )
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A second person lets it count."""
        entry = row_or_404(self, request, object_id)

        def do() -> str:
            self._approve(request, entry)
            return "The entry is approved."

        return confirm_page(
            request,
            self,
            entry,
            title="Approve this entry",
            intro=f"Added by {entry.added_by}. From now on reads of this plate raise an alert.",
            submit="Approve",
            do=do,
        )

    @page_action(
        "Remove",
        path="remove",
        permission="watchlist.change_entry",
        icon="delete",
        danger=True,
        unless="removed_at",
    )
    def remove(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Take it off its list."""
        entry = row_or_404(self, request, object_id)

        def do() -> str:
            self._remove(request, entry)
            return "The entry is removed."

        return confirm_page(
            request,
            self,
            entry,
            title="Remove this entry",
            intro="It raises no alert from now on.",
            submit="Remove",
            do=do,
            danger=True,
        )

    @admin.action(description="Approve the chosen entries", permissions=["manage"])
    def approve_chosen(self, request: HttpRequest, queryset: QuerySet[Entry]) -> None:
        """Approve many; those refused are counted."""
        self._each(request, queryset, self._approve, "approved")

    @admin.action(description="Remove the chosen entries", permissions=["manage"])
    def remove_chosen(self, request: HttpRequest, queryset: QuerySet[Entry]) -> None:
        """Remove many."""
        self._each(request, queryset, self._remove, "removed")

    def _approve(self, request: HttpRequest, entry: Entry) -> None:
        entry_approve(
            entry_id=entry.pk,
            user=person_of(request),
            actor=actor_of(request),
            now=timezone.now(),
        )

    def _remove(self, request: HttpRequest, entry: Entry) -> None:
        entry_remove(
            entry_id=entry.pk,
            user=person_of(request),
            actor=actor_of(request),
            now=timezone.now(),
        )

    def _each(self, request: HttpRequest, queryset: QuerySet[Entry], do: Any, done: str) -> None:
        refused: dict[str, int] = {}
        count = 0
        for entry in queryset.iterator(chunk_size=500):
            try:
                do(request, entry)
            except ProductError as error:
                refused[error.sentence] = refused.get(error.sentence, 0) + 1
            else:
                self.log_change(request, entry, f"The entry is {done}.")
                count += 1
        if count:
            messages.success(request, f"{count} {done}.")
        for sentence, times in refused.items():
            messages.warning(request, f"{times} not {done}: {sentence}")
