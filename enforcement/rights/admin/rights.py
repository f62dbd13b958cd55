"""Rights in the admin: without their plates, which are opened one by one with a purpose."""

import uuid
from collections.abc import Iterator
from functools import partial
from typing import Any, BinaryIO

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from audit import freetext
from audit.adminsite import PlainAdmin, ReadOnly, badge, page_action
from cameras.adminsite import (
    REF_LENGTH,
    actor_of,
    address,
    confirm_page,
    form_page,
    page,
    posted,
    refuse,
    reveal_page,
    row_or_404,
)
from cameras.models import Site
from core.errors import ProductError
from enforcement.rights.admin.forms import LAYOUTS, FindForm, RightForm, RightsFileForm
from enforcement.rights.admin.uploads import import_page
from enforcement.rights.importing import COLUMNS, Layout, import_rights
from enforcement.rights.intake import plate_of
from enforcement.rights.models import Right, RightPlate
from enforcement.rights.selectors import rights_of_plate
from enforcement.rights.services import right_receive, right_withdraw
from enforcement.rights.tables import Progress
from vault import blind

_SEALED = ("external_id", "external_token", "content_token")
MASKED = "•••• •••"


@admin.register(Right)
class RightAdmin(ReadOnly, PlainAdmin):
    """Rights come in by delivery, by file or by hand, and end by withdrawal; none is edited."""

    list_display = (
        "kind",
        "what",
        "where",
        "starts_at",
        "ends_at",
        "version",
        "state",
        "seller",
        "known_at",
    )
    list_display_links = ("kind",)
    list_select_related = ("site", "provider")
    list_filter = ("kind", "current", "scheme", "site", "provider", "known_at", "ends_at")
    ordering = ("-known_at", "pk")
    fieldsets = (
        (None, {"fields": ("kind", "what", "where", "state", "version")}),
        ("Sealed", {"fields": ("plate_list", "number")}),
        ("Interval", {"fields": ("starts_at", "ends_at", "healed_from", "first_day", "year")}),
        ("Terms", {"fields": ("category", "scope", "max_present", "reason")}),
        (
            "History",
            {"fields": ("seller", "bought_at", "known_at", "withdrawn_at", "used_up_at")},
        ),
    )
    actions_list = ["find", "import_file"]
    actions_detail = ["withdraw"]

    def get_queryset(self, request: HttpRequest) -> Any:
        """The rows without what is sealed in them."""
        return super().get_queryset(request).defer(*_SEALED)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Django's own: rights are added, if by a page of ours."""
        return super(ReadOnly, self).has_add_permission(request)

    def get_urls(self) -> list[URLPattern]:
        """The pages that open a plate, or the seller's number."""
        view = self.admin_site.admin_view
        ours = [
            path("<uuid:right_id>/plate/<uuid:plate_id>/", view(self.plate), name="rights_plate"),
            path("<uuid:right_id>/number/", view(self.seller_number), name="rights_number"),
        ]
        return ours + super().get_urls()

    # --- columns and fields ---------------------------------------------------------------------

    @admin.display(description="what", ordering="scheme")
    def what(self, right: Right) -> str:
        return " ".join(filter(None, (right.scheme, right.product))) or "–"

    @admin.display(description="where", ordering="site__name")
    def where(self, right: Right) -> str:
        return right.site.name if right.site else "all sites"

    @admin.display(description="from", ordering="provider__name")
    def seller(self, right: Right) -> str:
        return right.provider.name if right.provider else "the admin"

    @badge("state", {"current": "success", "withdrawn": "warning"})
    def state(self, right: Right) -> str:
        if right.withdrawn_at is not None:
            return "withdrawn"
        return "current" if right.current else "superseded"

    @admin.display(description="plates")
    def plate_list(self, right: Right) -> SafeString:
        rows = (
            (
                one.country,
                MASKED,
                reverse("admin:rights_plate", args=[right.pk, one.pk]),
                place,
            )
            for place, one in enumerate(right.plates.only("id", "country").order_by("pk"), 1)
        )
        return format_html_join(
            "",
            '<p class="pw-sealed">{} <span aria-hidden="true">{}</span> '
            '<a class="pw-reveal" href="{}">Reveal<span class="pw-hidden"> plate {}</span></a></p>',
            rows,
        )

    @admin.display(description="seller's number")
    def number(self, right: Right) -> SafeString:
        return format_html(
            '<p class="pw-sealed"><span aria-hidden="true">{}</span> <a class="pw-reveal" '
            'href="{}">Reveal<span class="pw-hidden"> the seller’s number</span></a></p>',
            MASKED,
            reverse("admin:rights_number", args=[right.pk]),
        )

    # --- opening --------------------------------------------------------------------------------

    def _may_reveal(self, request: HttpRequest, right_id: uuid.UUID) -> Right:
        if not request.user.has_perm("rights.change_right"):
            raise PermissionDenied
        right: Right = row_or_404(self, request, str(right_id))
        return right

    def plate(self, request: HttpRequest, right_id: uuid.UUID, plate_id: uuid.UUID) -> HttpResponse:
        """One plate, with a purpose."""
        right = self._may_reveal(request, right_id)
        sealed = RightPlate.objects.filter(pk=plate_id, right=right).first()
        if sealed is None:
            raise Http404
        return reveal_page(
            request,
            self,
            sealed,
            field="text",
            what="plate",
            row=right,
            country=sealed.country,
            check_ref=_reference_of(right),
        )

    def seller_number(self, request: HttpRequest, right_id: uuid.UUID) -> HttpResponse:
        """The seller's own number, which may contain a plate."""
        right = self._may_reveal(request, right_id)
        return reveal_page(
            request,
            self,
            right,
            field="external_id",
            what="seller's number",
            row=right,
            check_ref=_reference_of(right),
        )

    @page_action("Find by plate", path="find", permission="rights.change_right", icon="search")
    def find(self, request: HttpRequest) -> HttpResponse:
        """Every right of one plate. The plate is posted and stands in no address."""
        form = FindForm(posted(request))
        found: list[Right] | None = None
        if request.method == "POST" and form.is_valid():
            said = form.cleaned_data
            try:
                plate = plate_of(said["plate"])
                found = rights_of_plate(
                    plate=plate,
                    sites=Site.objects.all(),
                    actor=actor_of(request),
                    purpose=said["purpose"],
                    case_ref=freetext.clean(
                        said["case_ref"],
                        field="case_ref",
                        most=REF_LENGTH,
                        tokens=[blind.exact(plate)],
                    ),
                )
            except ProductError as error:
                refuse(form, error)
        if found is None:
            return form_page(request, self, form, title="Find rights by plate", submit="Find")
        rows = [
            (address(one), one, self.what(one), self.where(one), self.state(one)) for one in found
        ]
        return page(request, self, "rights_found", title="Rights of this plate", rows=rows)

    # --- changing -------------------------------------------------------------------------------

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """One right by hand."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = RightForm(posted(request))
        if request.method == "POST" and form.is_valid():
            try:
                right, created = right_receive(
                    provider=None,
                    data=form.right(),
                    actor=actor_of(request),
                    now=timezone.now(),
                )
            except ProductError as error:
                refuse(form, error)
            else:
                if created:
                    self.log_addition(request, right, [{"added": {}}])
                messages.success(
                    request, "The right is stored." if created else "This was known already."
                )
                return HttpResponseRedirect(address(right))
        return form_page(
            request,
            self,
            form,
            title="New right",
            submit="Store",
            kind=form["kind"].value() or Right.Kind.VIGNETTE,
        )

    @page_action(
        "Withdraw",
        path="withdraw",
        permission="rights.change_right",
        icon="event_busy",
        danger=True,
        unless="withdrawn_at",
    )
    def withdraw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """It ends now."""
        right = row_or_404(self, request, object_id)

        def do() -> str:
            right_withdraw(right_id=right.pk, actor=actor_of(request), now=timezone.now())
            return "The right is withdrawn."

        return confirm_page(
            request,
            self,
            right,
            title="Withdraw this right",
            intro="It ends now, for good. What it covered until now stays covered.",
            submit="Withdraw it",
            do=do,
            danger=True,
        )

    @page_action("Import CSV", path="import", permission="rights.add_right", icon="upload_file")
    def import_file(self, request: HttpRequest) -> HttpResponseBase:
        """A file of permits, vignettes or payments."""
        form = RightsFileForm(posted(request), request.FILES or None)

        def start(said: dict[str, Any], source: BinaryIO) -> Iterator[Progress]:
            return import_rights(
                source,
                layout=Layout(said["kind"]),
                site=said["site"],
                provider=None,
                actor=actor_of(request),
                now=timezone.now(),
                all_or_nothing=said["all_or_nothing"],
            )

        layouts = [(words, *COLUMNS[Layout(value)]) for value, words in LAYOUTS]
        return import_page(request, self, form, title="Import rights", layouts=layouts, start=start)


def _reference_of(right: Right) -> Any:
    """Checks a case reference: it must not name a plate of the right."""
    tokens = list(right.plates.values_list("token_exact", flat=True))
    return partial(freetext.clean, field="case_ref", most=REF_LENGTH, tokens=tokens)
