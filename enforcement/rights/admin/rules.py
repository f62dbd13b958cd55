"""The rules of sites, version by version."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import OuterRef, Subquery
from django.forms.models import model_to_dict
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from unfold import widgets

from audit.adminsite import AnyForm, RowsBelow, badge, page_action
from cameras.admin.sites import SiteAdmin
from cameras.adminsite import JSONText, row_or_404
from cameras.models import Capture, Site
from enforcement.rights.admin.forms import scheme_choices
from enforcement.rights.admin.versions import VersionedAdmin, from_now_on
from enforcement.rights.facts import RuleError
from enforcement.rights.models import SiteRules
from enforcement.rights.selectors import rules_at
from enforcement.rights.zones import Window

_NUMBERS = (
    "confidence_floor",
    "consideration_minutes",
    "grace_minutes",
    "max_stay_minutes",
    "orphan_rate_limit",
    "orphan_rate_over",
)
STATE_COLOURS = {"in force": "success", "later": "info"}


class RulesForm(AnyForm):
    """A version of a site's rules that fits its kind, and begins now or later."""

    scheme = forms.ChoiceField(
        required=False,
        choices=lambda: [("", "none"), *scheme_choices()],
        help_text="At a vignette site: the scheme whose vignettes count.",
        widget=widgets.UnfoldAdminSelectWidget(),
    )

    window = JSONText(required=False, help_text="At a charging zone; explained below.")

    class Meta:
        model = SiteRules
        fields = "__all__"

    def clean(self) -> dict[str, Any]:
        """Refuse what would change the past, or doesn't fit the site."""
        said = super().clean() or {}
        site, begins = said.get("site"), said.get("effective_from")
        if site is None or begins is None:
            return said
        # nothing was seen yet: nothing can have been judged
        if Capture.objects.filter(site=site).exists():
            try:
                said["effective_from"] = from_now_on(begins, now=timezone.now())
            except forms.ValidationError as error:
                self.add_error("effective_from", error)
        if site.kind == Site.Kind.VIGNETTE and not said.get("scheme"):
            self.add_error("scheme", "A vignette site names its scheme.")
        if site.kind != Site.Kind.VIGNETTE and said.get("scheme"):
            self.add_error("scheme", "Only a vignette site has a scheme.")
        self._check_window(site, said.get("window"))
        return said

    def _check_window(self, site: Site, window: Any) -> None:
        if site.kind != Site.Kind.ZONE:
            if window:
                self.add_error("window", "Only a charging zone has a window.")
            return
        try:
            Window.from_data(window or {}, site.timezone)
        except RuleError as error:
            self.add_error("window", error.sentence)


@admin.register(SiteRules)
class SiteRulesAdmin(VersionedAdmin):
    """Past versions are read; new ones begin now or later."""

    form = RulesForm
    list_display = (
        "site",
        "effective_from",
        "state",
        "scheme",
        "confidence_floor",
        "consideration_minutes",
        "grace_minutes",
        "suspended",
    )
    list_select_related = ("site",)
    list_filter = ("site", "suspended")
    ordering = ("site", "-effective_from")
    fieldsets = (
        (None, {"fields": ("site", "effective_from", "suspended")}),
        ("Numbers", {"fields": _NUMBERS}),
        ("Vignette road", {"fields": ("scheme", "scope")}),
        ("Charging zone", {"fields": ("window",)}),
    )
    change_form_before_template = "admin/platewarden/rules_note.html"
    change_form_after_template = "admin/platewarden/rules_help.html"
    actions_detail = ["new_version"]

    @badge("state", STATE_COLOURS)
    def state(self, rules: Any) -> str:
        if rules.effective_from > timezone.now():
            return "later"
        return "in force" if rules.pk == rules.newest else "past"

    def get_queryset(self, request: HttpRequest) -> Any:
        """The versions, each with the one in force at its site."""
        begun = SiteRules.objects.filter(site=OuterRef("site"), effective_from__lte=timezone.now())
        newest = Subquery(begun.order_by("-effective_from").values("pk")[:1])
        return super().get_queryset(request).annotate(newest=newest)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """The numbers in force at the site, from now on."""
        now = timezone.now()
        initial = {"effective_from": now}
        asked = super().get_changeform_initial_data(request).get("site", "")
        try:
            site = Site.objects.get(pk=str(asked))
        except (Site.DoesNotExist, forms.ValidationError):
            return initial
        known = model_to_dict(rules_at(site, now), exclude=["id", "site", "effective_from"])
        return {**known, **initial, "site": site.pk}

    @page_action(
        "New version", path="new-version", permission="rights.add_siterules", icon="add_notes"
    )
    def new_version(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The form, filled with the numbers in force at this site."""
        rules = row_or_404(self, request, object_id)
        where = reverse("admin:rights_siterules_add")
        return HttpResponseRedirect(f"{where}?site={rules.site_id}")


class RulesBelow(RowsBelow):
    """The versions of a site's rules, on its page."""

    model = SiteRules
    verbose_name_plural = "rules"
    fields = (
        "effective_from",
        "scheme",
        "confidence_floor",
        "consideration_minutes",
        "grace_minutes",
        "max_stay_minutes",
        "suspended",
    )
    readonly_fields = fields
    ordering = ("-effective_from",)


SiteAdmin.inlines = [*SiteAdmin.inlines, RulesBelow]
SiteAdmin.leads_to = [*SiteAdmin.leads_to, ("New rules", "admin:rights_siterules_add")]
