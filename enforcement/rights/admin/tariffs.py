"""What parking costs, version by version."""

import re
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import OuterRef, QuerySet
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from audit.adminsite import page_action
from cameras.admin.sites import SiteAdmin
from cameras.adminsite import JSONText, row_or_404
from cameras.models import Capture, Site
from enforcement.rights.admin.preview import (
    Said,
    Trial,
    TrialAdmin,
    TrialForm,
    local_field,
    try_stay,
    word_field,
)
from enforcement.rights.admin.versions import from_now_on
from enforcement.rights.charges import money
from enforcement.rights.facts import RuleError
from enforcement.rights.hours import HOLIDAY, WEEKDAYS
from enforcement.rights.models import Tariff
from enforcement.rights.selectors import rule_values, rules_at, tariff_value
from enforcement.rights.tariffs import Band, Step


def in_words(band: Band, currency: str) -> str:
    """When a band holds and what it costs."""
    names = [
        ("holidays" if day == HOLIDAY else WEEKDAYS[day - 1]) for day in sorted(band.hours.days)
    ]
    closes = "24:00" if band.hours.closes is None else f"{band.hours.closes:%H:%M}"
    when = f"{', '.join(names)}, {band.hours.opens:%H:%M} to {closes}"
    if not band.steps:
        return f"{when}: free"
    return f"{when}: {', then '.join(_step(step, currency) for step in band.steps)}"


def _step(step: Step, currency: str) -> str:
    price = money(step.amount, currency)
    if step.length is None:
        return f"{price} for the rest"
    minutes = int(step.length.total_seconds() // 60)
    return f"{price} {'in proportion to' if step.exact else 'for each started'} {minutes} min"


class TariffForm(TrialForm):
    """A version of a tariff that leaves no hour without a price, and begins now or later."""

    rules = JSONText(required=False, help_text="Explained below. Empty: no tariff from then on.")
    try_at = local_field("Comes in")
    try_to = local_field("Leaves")
    try_paid_from = local_field("Paid from")
    try_paid_to = local_field("Paid until")
    try_country = word_field("Country of the plate", 2, "Two letters. Empty: not known.")

    class Meta:
        model = Tariff
        fields = "__all__"

    def clean_currency(self) -> str:
        """Three capital letters."""
        currency: str = self.cleaned_data["currency"].upper()
        if not re.fullmatch(r"[A-Z]{3}", currency):
            raise forms.ValidationError("Three letters, as in GBP.", code="currency")
        return currency

    def clean(self) -> dict[str, Any]:
        """Refuse what would change the past, doesn't fit the site, or has a hole."""
        said = super().clean() or {}
        site, begins = said.get("site"), said.get("effective_from")
        if site is None or begins is None:
            return said
        if site.kind != Site.Kind.PARKING:
            self.add_error("site", "Only a car park has a tariff.")
        zone = said.get("zone")
        if zone is not None and zone.site_id != site.pk:
            self.add_error("zone", "That zone is of another site.")
        # nothing was seen yet: nothing can have been judged
        if Capture.objects.filter(site=site).exists():
            try:
                said["effective_from"] = from_now_on(begins, now=timezone.now())
            except forms.ValidationError as error:
                self.add_error("effective_from", error)
        if "rules" in said:
            try:
                tariff_value(_row(said, begins), site)
            except RuleError as error:
                self.add_error("rules", error.sentence)
        return said

    def try_out(self, said: Said) -> Trial:
        """A stay at the site by this tariff, and the rules in force there when it begins."""
        site = said["site"]
        at = said.get("try_at") or said["effective_from"]
        tariff = tariff_value(_row(said, said["effective_from"]), site)
        return try_stay(site, tariff, said, rules=rule_values(rules_at(site, at)))


def _row(said: Said, begins: datetime) -> Tariff:
    """What the form says so far, as a row that is not stored."""
    names = ("site", "zone", "name", "currency", "rules")
    told = {name: said[name] for name in names if name in said}
    return Tariff(effective_from=begins, **told)


@admin.register(Tariff)
class TariffAdmin(TrialAdmin):
    """Past versions are read; new ones begin now or later."""

    form = TariffForm
    list_display = ("name", "site", "zone", "currency", "effective_from", "state")
    list_select_related = ("site", "zone", "zone__site")
    list_filter = ("site",)
    ordering = ("site", "zone", "-effective_from")
    change_form_after_template = "admin/platewarden/tariff_help.html"
    actions_detail = ["new_version"]
    try_fields = ("try_at", "try_to", "try_paid_from", "try_paid_to", "try_country")
    try_help = "A vehicle that comes and goes, and pays for a while or not at all."

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The form and the question; of a stored version also its prices in words."""
        fields = ("site", "zone", "name", "effective_from", "currency", "rules")
        sets = ((None, {"fields": (*fields, "prices") if obj else fields}),)
        return self.with_trial(sets, request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Prices in words, under a stored version."""
        return ("prices",) if obj else ()

    def versions_alike(self) -> "QuerySet[Tariff]":
        """The versions for the same zone or, where a tariff is for none, the same site."""
        return Tariff.objects.annotate(place=Coalesce("zone_id", "site_id")).filter(
            place=Coalesce(OuterRef("zone_id"), OuterRef("site_id"))
        )

    @admin.display(description="prices in words")
    def prices(self, tariff: Tariff) -> SafeString | str:
        try:
            value = tariff_value(tariff, tariff.site)
        except RuleError as error:
            return error.sentence
        if value is None:
            return "No tariff from then on."
        lines = ((band.name, in_words(band, tariff.currency)) for band in value.bands)
        return format_html_join("", "<p><strong>{}</strong> – {}</p>", lines)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """What a version says that is to have a successor, or a site without one, from now on."""
        initial: dict[str, Any] = {"effective_from": timezone.now()}
        of, site = request.GET.get("of"), request.GET.get("site")
        try:
            if of:
                known = Tariff.objects.values("site", "zone", "name", "currency", "rules")
                return initial | known.get(pk=of)
            return initial | ({"site": Site.objects.get(pk=site).pk} if site else {})
        except (Tariff.DoesNotExist, Site.DoesNotExist, forms.ValidationError):
            return initial

    @page_action(
        "New version", path="new-version", permission="rights.add_tariff", icon="add_notes"
    )
    def new_version(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The form, filled with what this tariff says now."""
        tariff = row_or_404(self, request, object_id)
        return HttpResponseRedirect(f"{reverse('admin:rights_tariff_add')}?of={tariff.pk}")


SiteAdmin.leads_to = [*SiteAdmin.leads_to, ("New tariff", "admin:rights_tariff_add")]
