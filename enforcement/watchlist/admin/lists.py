"""Watchlists: who is told about what, and why they may be."""

from collections.abc import Iterator
from typing import Any, BinaryIO

from django.contrib import admin
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone

from audit.adminsite import AnyForm, page_action
from cameras.adminsite import (
    AuditedAdmin,
    actor_of,
    confirm_page,
    moment_field,
    person_of,
    posted,
    row_or_404,
    text_field,
)
from enforcement.rights.admin.forms import UploadForm
from enforcement.rights.admin.uploads import import_page
from enforcement.rights.tables import Progress
from enforcement.watchlist.importing import OPTIONAL, import_entries
from enforcement.watchlist.models import Watchlist
from enforcement.watchlist.services import entries_approve, watchlist_change


class WatchlistForm(AnyForm):
    """A list, for sites of its own organisation."""

    class Meta:
        model = Watchlist
        fields = "__all__"

    def clean(self) -> dict[str, Any]:
        """Refuse another organisation's sites."""
        said = super().clean() or {}
        organisation = said.get("organisation")
        owner = organisation.pk if organisation else self.instance.organisation_id
        if owner and any(site.organisation_id != owner for site in said.get("sites") or ()):
            self.add_error("sites", "A list's sites are its organisation's.")
        if (said.get("priority") or 0) > 100:
            self.add_error("priority", "Between 0 and 100, please.")
        return said


class HotlistForm(UploadForm):
    """A file of plates for one list."""

    expires_at = moment_field(
        "Expires", help_text="UTC. For rows that name no ExpiryDate themselves."
    )
    state_of = text_field(
        "PlateState names states of",
        most=2,
        required=False,
        help_text="A country of states, such as US. Empty: PlateState names countries.",
    )
    field_order = ("expires_at", "state_of", "all_or_nothing", "file")


@admin.register(Watchlist)
class WatchlistAdmin(AuditedAdmin):
    """Lists; their entries are a list of their own."""

    form = WatchlistForm
    list_display = (
        "name",
        "organisation",
        "priority",
        "active",
        "needs_approval",
        "standing",
        "waiting",
    )
    list_select_related = ("organisation",)
    list_filter = ("active", "needs_approval", "organisation")
    search_fields = ("name",)
    autocomplete_fields = ("sites",)
    fields = (
        "organisation",
        "name",
        "purpose",
        "sites",
        "priority",
        "needs_approval",
        "active",
    )
    actions_detail = ["entries", "add_entry", "import_file", "approve_all"]

    def get_queryset(self, request: HttpRequest) -> Any:
        """Lists with how many entries stand on them, and how many wait for a second person."""
        stands = Q(entries__removed_at__isnull=True, entries__expires_at__gt=timezone.now())
        return (
            super()
            .get_queryset(request)
            .annotate(
                standing_count=Count("entries", filter=stands),
                waiting_count=Count(
                    "entries", filter=stands & Q(entries__approved_at__isnull=True)
                ),
            )
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A list stays its organisation's: its entries are sealed for it."""
        return ("organisation",) if obj else ()

    @admin.display(description="entries", ordering="standing_count")
    def standing(self, watchlist: Any) -> int:
        return int(watchlist.standing_count)

    @admin.display(description="not approved", ordering="waiting_count")
    def waiting(self, watchlist: Any) -> int:
        return int(watchlist.waiting_count)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Store a list by its service."""
        watchlist_change(
            watchlist=obj,
            name=obj.name,
            purpose=obj.purpose,
            sites=form.cleaned_data["sites"],
            priority=obj.priority,
            needs_approval=obj.needs_approval,
            active=obj.active,
            user=person_of(request),
            actor=actor_of(request),
            now=timezone.now(),
        )

    @page_action("Entries", path="entries", permission="watchlist.view_entry", icon="list")
    def entries(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What stands on the list."""
        where = reverse("admin:watchlist_entry_changelist")
        return HttpResponseRedirect(f"{where}?watchlist__id__exact={object_id}")

    @page_action("New entry", path="new-entry", permission="watchlist.add_entry", icon="add")
    def add_entry(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The form of an entry on this list."""
        return HttpResponseRedirect(f"{reverse('admin:watchlist_entry_add')}?watchlist={object_id}")

    @page_action("Import CSV", path="import", permission="watchlist.add_entry", icon="upload_file")
    def import_file(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """A hotlist."""
        watchlist = row_or_404(self, request, object_id)
        form = HotlistForm(posted(request), request.FILES or None)

        def start(said: dict[str, Any], source: BinaryIO) -> Iterator[Progress]:
            return import_entries(
                source,
                watchlist=watchlist,
                user=person_of(request),
                actor=actor_of(request),
                now=timezone.now(),
                all_or_nothing=said["all_or_nothing"],
                expires_at=said["expires_at"],
                state_of=said["state_of"].upper(),
            )

        return import_page(
            request,
            self,
            form,
            title=f"Import onto “{watchlist}”",
            layouts=[("A hotlist", ("PlateNumber",), OPTIONAL)],
            start=start,
            row=watchlist,
        )

    @page_action(
        "Approve what waits",
        path="approve",
        permission="watchlist.change_entry",
        icon="done_all",
    )
    def approve_all(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A second person lets everything on the list count."""
        watchlist = row_or_404(self, request, object_id)

        def do() -> str:
            count = entries_approve(
                watchlist_id=watchlist.pk,
                user=person_of(request),
                actor=actor_of(request),
                now=timezone.now(),
            )
            return f"{count} approved."

        return confirm_page(
            request,
            self,
            watchlist,
            title=f"Approve what waits on “{watchlist}”",
            intro=f"{watchlist.waiting_count} entries wait for a second person. Those you added "
            "yourself stay waiting.",
            submit="Approve them",
            do=do,
        )
