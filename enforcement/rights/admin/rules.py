"""The rules of sites, version by version."""

from typing import Any

from django import forms
from django.contrib import admin
from django.forms.models import model_to_dict
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from unfold import widgets

from audit.adminsite import RowsBelow, page_action
from cameras.admin.sites import SiteAdmin
from cameras.adminsite import JSONText, row_or_404
from cameras.models import Capture, Site
from enforcement.rights.admin.forms import scheme_choices
from enforcement.rights.admin.preview import (
    Said,
    Trial,
    TrialAdmin,
    TrialForm,
    day_field,
    local_field,
    number_field,
    try_section,
    try_stay,
    try_vignette,
    try_zone,
    word_field,
)
from enforcement.rights.admin.versions import from_now_on
from enforcement.rights.facts import RuleError
from enforcement.rights.models import SiteRules
from enforcement.rights.sections import Section
from enforcement.rights.selectors import (
    SiteTariffs,
    rule_values,
    rules_at,
    scheme_at,
    section_of,
    window_of,
)
from enforcement.rights.zones import Window

_NUMBERS = (
    "confidence_floor",
    "consideration_minutes",
    "grace_minutes",
    "max_stay_minutes",
    "orphan_rate_limit",
    "orphan_rate_over",
    "lookup_wait_minutes",
)


class RulesForm(TrialForm):
    """A version of a site's rules that fits its kind, and begins now or later."""

    scheme = forms.ChoiceField(
        required=False,
        choices=lambda: [("", "none"), *scheme_choices()],
        help_text="At a vignette site: the scheme whose vignettes count.",
        widget=widgets.UnfoldAdminSelectWidget(),
    )

    window = JSONText(required=False, help_text="At a charging zone; explained below.")
    try_at = local_field("Seen, or comes in")
    try_to = local_field("Leaves (car park)")
    try_paid_from = local_field("Paid from (car park)")
    try_paid_to = local_field("Paid until (car park)")
    try_country = word_field("Country of the plate", 2, "Two letters. Empty: not known.")
    try_category = word_field("Category (vignette road)", 16, "Empty: car.")
    try_product = word_field("Its vignette (vignette road)", 20, "A product. Empty: it has none.")
    try_first_day = day_field("First day of the vignette")
    try_year = number_field("Year of the vignette")
    try_bought_at = local_field("Vignette bought")

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
        self._check_section(site, said.get("section"))
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

    def _check_section(self, site: Site, section: Any) -> None:
        if site.kind != Site.Kind.SECTION:
            if section:
                self.add_error("section", "Only a section control has a section.")
            return
        try:
            Section.from_data(section or {})
        except RuleError as error:
            self.add_error("section", error.sentence)

    def try_out(self, said: Said) -> Trial:
        """A vehicle at the site, by these rules and the scheme or tariff in force."""
        row, site = self.instance, said["site"]
        rules = rule_values(row)
        if site.kind == Site.Kind.ZONE:
            return try_zone(window_of(row), said, rules=rules)
        if site.kind == Site.Kind.SECTION:
            return try_section(section_of(row), site, said, rules=rules)
        at = said.get("try_at") or said["effective_from"]
        if site.kind == Site.Kind.VIGNETTE:
            scheme = scheme_at(row.scheme, at)
            return try_vignette(scheme, said, rules=rules, scope=row.scope or None)
        return try_stay(site, SiteTariffs(site).at(at), said, rules=rules)


@admin.register(SiteRules)
class SiteRulesAdmin(TrialAdmin):
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
    change_form_after_template = "admin/platewarden/rules_help.html"
    actions_detail = ["new_version"]
    try_fields = (
        "try_at",
        "try_to",
        "try_paid_from",
        "try_paid_to",
        "try_country",
        "try_category",
        "try_product",
        "try_first_day",
        "try_year",
        "try_bought_at",
    )
    try_help = "A vehicle at this site; with a payment, or on a vignette road a vignette, or none."

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The form, part by part, and the question."""
        sets = (
            (None, {"fields": ("site", "effective_from", "suspended")}),
            ("Numbers", {"fields": _NUMBERS}),
            ("Reading", {"fields": ("ocr_classes",)}),
            ("Vignette road", {"fields": ("scheme", "scope")}),
            ("Charging zone", {"fields": ("window",)}),
            ("Section control", {"fields": ("section",)}),
        )
        return self.with_trial(sets, request, obj)

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
