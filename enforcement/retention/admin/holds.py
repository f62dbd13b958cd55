"""Legal holds on a plate (kept as its token), a case or a site: placed and lifted, not edited."""

import uuid
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold import widgets

from audit import freetext
from audit.adminsite import PlainAdmin, ReadOnly, badge, page_action
from cameras.adminsite import (
    REF_LENGTH,
    actor_of,
    address,
    confirm_page,
    form_page,
    person_of,
    posted,
    refuse,
    row_or_404,
    text_field,
)
from cameras.models import Site
from core.errors import BadInput, ProductError
from core.platetext import MAX_LENGTH
from enforcement.cases.models import Case
from enforcement.retention.models import Hold
from enforcement.retention.services import hold_lift, hold_place
from enforcement.rights.intake import plate_of
from vault import blind


class HoldForm(forms.Form):
    """What to keep, and who asked for it."""

    plate = text_field(
        "Plate",
        most=4 * MAX_LENGTH,
        required=False,
        help_text="Kept as a keyed token only: nobody can read it back.",
    )
    case = text_field("Case number", most=20, required=False, help_text="As in 2026-000123.")
    site = forms.ModelChoiceField(
        label="Site",
        required=False,
        queryset=Site.objects.all(),
        help_text="Alone: everything at this site. With a plate: that plate at this site.",
        widget=widgets.UnfoldAdminSelectWidget(),
    )
    reference = text_field(
        "Reference", most=REF_LENGTH, help_text="Of whoever asked. Stored in the clear: no plate."
    )
    reason = text_field("Reason", most=200, help_text="Stored in the clear: no plate in it.")

    def target(self) -> dict[str, Any]:
        """What `hold_place` is to keep; BadInput naming the field otherwise."""
        said = self.cleaned_data
        token = blind.exact(plate_of(said["plate"])) if said["plate"].strip() else None
        tokens = [token] if token else []
        return {
            "token_exact": token,
            "case_id": _case_id(said["case"].strip()),
            "site": said["site"],
            "reference": freetext.clean(
                said["reference"], field="reference", most=REF_LENGTH, tokens=tokens
            ),
            "reason": freetext.clean(said["reason"], field="reason", most=200, tokens=tokens),
        }


def _case_id(number: str) -> uuid.UUID | None:
    if not number:
        return None
    found = Case.objects.filter(number=number).values_list("pk", flat=True).first()
    if found is None:
        raise BadInput("unknown_case", "There is no such case.", field="case")
    return found


@admin.register(Hold)
class HoldAdmin(ReadOnly, PlainAdmin):
    """Holds, those in force first."""

    list_display = ("reference", "keeps", "state", "reason", "placed_at", "placed_by", "lifted_at")
    list_select_related = ("site", "placed_by")
    list_filter = (("lifted_at", admin.EmptyFieldListFilter), "site")
    search_fields = ("reference",)
    ordering = ("-placed_at",)
    fields = (
        "reference",
        "keeps",
        "state",
        "reason",
        "placed_at",
        "placed_by",
        "lifted_at",
        "lifted_by",
    )
    actions_detail = ["lift"]

    def get_queryset(self, request: HttpRequest) -> Any:
        """Holds with the number of the case they name."""
        number = Case.objects.filter(pk=OuterRef("case_id")).values("number")[:1]
        return super().get_queryset(request).annotate(case_number=Subquery(number))

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Django's own: holds are placed, if by a page of ours."""
        return super(ReadOnly, self).has_add_permission(request)

    @admin.display(description="keeps")
    def keeps(self, hold: Any) -> str:
        kept = []
        if hold.token_exact is not None:
            kept.append("a plate")
        if hold.case_id is not None:
            kept.append(f"case {hold.case_number or '(gone)'}")
        if hold.site is not None:
            kept.append(f"at {hold.site}" if kept else f"everything at {hold.site}")
        return " ".join(kept)

    @badge("state", {"in force": "warning"})
    def state(self, hold: Hold) -> str:
        return "in force" if hold.lifted_at is None else "lifted"

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Place a hold."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = HoldForm(posted(request))
        if request.method == "POST" and form.is_valid():
            try:
                hold = hold_place(
                    **form.target(),
                    user=person_of(request),
                    actor=actor_of(request),
                    now=timezone.now(),
                )
            except ProductError as error:
                refuse(form, error)
            else:
                self.log_addition(request, hold, [{"added": {}}])
                messages.success(request, "The hold is in force.")
                return HttpResponseRedirect(address(hold))
        return form_page(
            request,
            self,
            form,
            title="New hold",
            submit="Place the hold",
            intro="What it names is not erased while the hold stands, whatever the policy says.",
        )

    @page_action(
        "Lift",
        path="lift",
        permission="retention.change_hold",
        icon="lock_open",
        unless="lifted_at",
    )
    def lift(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """End it."""
        hold = row_or_404(self, request, object_id)

        def do() -> str:
            hold_lift(
                hold_id=hold.pk,
                user=person_of(request),
                actor=actor_of(request),
                now=timezone.now(),
            )
            return "The hold is lifted."

        return confirm_page(
            request,
            self,
            hold,
            title=f"Lift {hold}",
            intro="What it kept goes with the next run, if its time has come.",
            submit="Lift the hold",
            do=do,
        )
