"""How sites decide cases and what their notices ask for, version by version."""

import re
from datetime import date
from typing import Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold import widgets

from audit.adminsite import page_action
from cameras.admin.sites import SiteAdmin
from cameras.adminsite import row_or_404, text_field
from cameras.models import Site
from core.errors import BadInput
from enforcement.cases.deadlines import (
    SCHEMES,
    Channel,
    Terms,
    UnknownCalendar,
    last_issue_day,
    notice_dates,
    workdays,
)
from enforcement.cases.issuing import last_issue_days_renew
from enforcement.cases.models import CasePolicy
from enforcement.cases.money import as_typed, minor_units
from enforcement.cases.policies import LANGUAGES
from enforcement.rights.admin.preview import Said, Trial, TrialAdmin, TrialForm, day_field
from enforcement.rights.admin.versions import from_now_on
from enforcement.rights.charges import money

_TEXTS = {
    f"{kind}_{code}": (f"{kind}_texts", code, f"{words}, {name}")
    for kind, words in (("pay", "How to pay"), ("appeal", "How to appeal"))
    for code, name in LANGUAGES.items()
}
_DAYS = ("discount_days", "due_days", "appeal_days")
_MOST_TEXT = 2000
_LONGEST = 3650


def _paragraph(label: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=False,
        max_length=_MOST_TEXT,
        widget=widgets.UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )


def _days(help_text: str) -> forms.IntegerField:
    return forms.IntegerField(
        required=False,
        min_value=0,
        max_value=_LONGEST,
        help_text=help_text,
        widget=widgets.UnfoldAdminIntegerFieldWidget(),
    )


class PolicyForm(TrialForm):
    """A version of a site's policy whose days and amounts agree, and begins now or later."""

    amount = text_field("Amount of a notice", most=10, help_text="For example 100.00.")
    discounted = text_field(
        "Within the discount's time", most=10, required=False, help_text="Empty: no discount."
    )
    scheme = forms.ChoiceField(
        choices=[(one.code, one.name) for one in SCHEMES.values()],
        help_text="How days are counted, by law.",
        widget=widgets.UnfoldAdminSelectWidget(),
    )
    issue_days = _days("Days to give the notice in. Empty: as the scheme says.")
    discount_days = _days("Empty: as the scheme says.")
    due_days = _days("Empty: as the scheme says.")
    appeal_days = _days("Empty: as the scheme says.")
    language = forms.ChoiceField(
        label="Proposed language",
        choices=list(LANGUAGES.items()),
        widget=widgets.UnfoldAdminSelectWidget(),
    )
    more_languages = forms.MultipleChoiceField(
        required=False,
        choices=list(LANGUAGES.items()),
        widget=widgets.UnfoldAdminCheckboxSelectMultipleWidget(),
        help_text="Others a notice may be in.",
    )
    pay_en, pay_cs, pay_de = (_paragraph(_TEXTS[f"pay_{one}"][2]) for one in LANGUAGES)
    appeal_en, appeal_cs, appeal_de = (_paragraph(_TEXTS[f"appeal_{one}"][2]) for one in LANGUAGES)
    try_seen = day_field("Seen last on")
    try_issued = day_field("Notice issued on")

    class Meta:
        model = CasePolicy
        fields = (
            "site",
            "effective_from",
            "four_eyes",
            "auto_confirm",
            "currency",
            "adds_tariff",
            "scheme",
            "country",
            "region",
            "issue_days",
            *_DAYS,
            "payee",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        row = kwargs.get("instance")
        if row is not None:
            kwargs["initial"] = {**_told(row), **(kwargs.get("initial") or {})}
        super().__init__(*args, **kwargs)

    def clean_currency(self) -> str:
        """Three capital letters."""
        currency: str = self.cleaned_data["currency"].upper()
        if not re.fullmatch(r"[A-Z]{3}", currency):
            raise forms.ValidationError("Three letters, as in GBP.", code="currency")
        return currency

    def clean_country(self) -> str:
        """Two capital letters, or nothing."""
        country: str = self.cleaned_data["country"].upper()
        return country

    def clean_region(self) -> str:
        """A region in capital letters, or nothing."""
        region: str = self.cleaned_data["region"].upper()
        return region

    def clean(self) -> dict[str, Any]:
        """Refuse what would change the past, or contradicts itself; fill in what the scheme says.

        A site's first policy may begin on any day: no notice can have gone out without one.
        """
        said = super().clean() or {}
        site, begins = said.get("site"), said.get("effective_from")
        others = CasePolicy.objects.filter(site=site).exclude(pk=self.instance.pk)
        if site is not None and begins is not None and others.exists():
            try:
                said["effective_from"] = from_now_on(begins, now=timezone.now())
            except forms.ValidationError as error:
                self.add_error("effective_from", error)
        if said.get("four_eyes") and said.get("auto_confirm"):
            self.add_error("auto_confirm", "Either two people look at a case, or nobody does.")
        self._fill_days(said)
        self._check_calendar(said)
        self._read_amounts(said)
        self.instance.languages = list(
            dict.fromkeys([said.get("language"), *said.get("more_languages", ())])
        )
        for field, (table, code, _) in _TEXTS.items():
            texts = {**getattr(self.instance, table), code: said.get(field, "").strip()}
            setattr(self.instance, table, {key: text for key, text in texts.items() if text})
        return said

    def _fill_days(self, said: dict[str, Any]) -> None:
        scheme = SCHEMES.get(said.get("scheme", ""))
        if scheme is None:
            return
        for name in _DAYS:
            if said.get(name) is None and name not in self.errors:
                said[name] = getattr(scheme, name)
        discount, due = said.get("discount_days"), said.get("due_days")
        if discount is not None and due is not None and discount > due:
            self.add_error("discount_days", "The discount ends before the notice is due.")

    def _check_calendar(self, said: dict[str, Any]) -> None:
        country, region = said.get("country", ""), said.get("region", "")
        if region and not country:
            self.add_error("region", "A region of which country?")
            return
        try:
            workdays(country, region)
        except UnknownCalendar:
            self.add_error("region" if region else "country", "No public holidays are known of it.")

    def _read_amounts(self, said: dict[str, Any]) -> None:
        currency = said.get("currency")
        if currency is None:
            return
        full = self._amount(said, "amount", currency)
        reduced = self._amount(said, "discounted", currency) if said.get("discounted") else None
        if full is not None:
            self.instance.notice_amount = full
            if reduced is not None and reduced > full:
                self.add_error("discounted", "This is more than the full amount.")
        self.instance.discount_amount = reduced

    def _amount(self, said: dict[str, Any], field: str, currency: str) -> int | None:
        if field not in said:
            return None
        try:
            return minor_units(said[field], currency)
        except BadInput as error:
            self.add_error(field, error.sentence)
            return None

    def try_out(self, said: Said) -> Trial:
        """What a notice would say, and until when it may go out."""
        site: Site = said["site"]
        today = timezone.now().astimezone(site.zone_info).date()
        seen = said.get("try_seen") or today
        row = CasePolicy(
            site=site,
            scheme=said["scheme"],
            country=said["country"],
            region=said["region"],
            issue_days=said["issue_days"],
            discount_amount=self.instance.discount_amount,
            **{name: said[name] for name in _DAYS},
        )
        issued = said.get("try_issued") or max(seen, today)
        amount = money(self.instance.notice_amount, said["currency"])
        return Trial(f"a notice of {amount}", "", days_in_words(row.terms(), seen, issued))


def _told(row: CasePolicy) -> dict[str, Any]:
    """What the form's own fields say of a version."""
    return {
        "amount": as_typed(row.notice_amount, row.currency),
        "discounted": ""
        if row.discount_amount is None
        else as_typed(row.discount_amount, row.currency),
        "language": row.languages[0] if row.languages else "",
        "more_languages": row.languages[1:],
        **{field: getattr(row, table).get(code, "") for field, (table, code, _) in _TEXTS.items()},
    }


def days_in_words(terms: Terms, seen: date, issued: date) -> tuple[str, ...]:
    """What the deadlines come to for a vehicle last seen on a day and a notice of another."""
    lines = []
    for channel in Channel:
        last = last_issue_day(terms, seen, channel)
        way = "on paper" if channel is Channel.PRINT else "by e-mail"
        if last is None:
            lines.append(f"A notice {way} may go out at any time.")
        elif last < issued:
            lines.append(f"A notice {way} had to go out by {last:%A, %Y-%m-%d}: it is too late.")
        else:
            lines.append(f"A notice {way} must go out by {last:%A, %Y-%m-%d}.")
    dates = notice_dates(terms, issued, Channel.PRINT)
    lines.append(
        f"Posted on {issued:%A, %Y-%m-%d}, it counts as delivered on "
        f"{dates.delivered_on:%A, %Y-%m-%d}."
    )
    if dates.discount_until is not None:
        lines.append(f"The discount holds until {dates.discount_until:%A, %Y-%m-%d}.")
    lines.append(f"It is due on {dates.due_on:%A, %Y-%m-%d}.")
    lines.append(f"It can be appealed until {dates.appeal_until:%A, %Y-%m-%d}.")
    return tuple(lines)


@admin.register(CasePolicy)
class CasePolicyAdmin(TrialAdmin):
    """Past versions are read; new ones begin now or later."""

    form = PolicyForm
    list_display = ("site", "effective_from", "state", "asks", "scheme", "four_eyes")
    list_select_related = ("site",)
    list_filter = ("site", "four_eyes", "auto_confirm")
    ordering = ("site", "-effective_from")
    actions_detail = ["new_version"]
    try_fields = ("try_seen", "try_issued")
    try_help = "A vehicle that was last seen on a day, and the notice about it."

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The form and the question; of a stored version also what it comes to in words."""
        texts = tuple(_TEXTS)
        sets = (
            (None, {"fields": ("site", "effective_from", "four_eyes", "auto_confirm")}),
            ("Money", {"fields": ("currency", "amount", "discounted", "adds_tariff", "payee")}),
            (
                "Deadlines",
                {"fields": ("scheme", "country", "region", "issue_days", *_DAYS)},
            ),
            ("Notices", {"fields": ("language", "more_languages", *texts)}),
        )
        if obj is not None and not self.has_change_permission(request, obj):
            named = ("site", "effective_from", "four_eyes", "auto_confirm", "asks", "adds_tariff")
            told = ("payee", "scheme", "country", "region", "issue_days", *_DAYS, "in_words")
            return (
                (None, {"fields": named}),
                ("Deadlines", {"fields": told}),
                ("Notices", {"fields": ("languages", "pay_texts", "appeal_texts")}),
            )
        return self.with_trial(sets, request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """What is computed, of a version that is only read."""
        return ("asks", "in_words") if obj and not self.has_change_permission(request, obj) else ()

    @admin.display(description="asks for", ordering="notice_amount")
    def asks(self, policy: CasePolicy) -> str:
        full = money(policy.notice_amount, policy.currency)
        if policy.discount_amount is None:
            return full
        return f"{full}, at first {money(policy.discount_amount, policy.currency)}"

    @admin.display(description="today, this means")
    def in_words(self, policy: CasePolicy) -> SafeString:
        today = timezone.now().astimezone(policy.site.zone_info).date()
        lines = ((line,) for line in days_in_words(policy.terms(), today, today))
        return format_html_join("", "<p>{}</p>", lines)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Store the version; cases that wait at the site get their last day by it."""
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            last_issue_days_renew(obj.site)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete a version of the future."""
        with transaction.atomic():
            super().delete_model(request, obj)
            last_issue_days_renew(obj.site)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """What the site's newest version says, from now on."""
        initial: dict[str, Any] = {"effective_from": timezone.now()}
        asked = super().get_changeform_initial_data(request).get("site", "")
        try:
            site = Site.objects.get(pk=str(asked))
        except (Site.DoesNotExist, forms.ValidationError):
            return initial
        known = CasePolicy.objects.filter(site=site).order_by("-effective_from").first()
        if known is None:
            return initial | {"site": site.pk}
        named = [name for name in PolicyForm.Meta.fields if name not in ("site", "effective_from")]
        kept = {name: getattr(known, name) for name in named}
        return {**kept, **_told(known), **initial, "site": site.pk}

    @page_action(
        "New version", path="new-version", permission="cases.add_casepolicy", icon="add_notes"
    )
    def new_version(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The form, filled with what the site's newest version says."""
        policy = row_or_404(self, request, object_id)
        return HttpResponseRedirect(
            f"{reverse('admin:cases_casepolicy_add')}?site={policy.site_id}"
        )


SiteAdmin.leads_to = [*SiteAdmin.leads_to, ("New case policy", "admin:cases_casepolicy_add")]
