"""Trying a rule before it is stored: "this vehicle on this day: …".

The form is sent by “Try it”, checked like any other, and shown again with what it would say;
nothing is stored. It asks for no plate: the vehicle is made up, and its right is its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.http import HttpRequest
from django.utils.functional import cached_property
from unfold import widgets

from audit.adminsite import AnyForm
from cameras.adminsite import DayInput, moment_field, text_field
from cameras.models import Site
from enforcement.rights import calendars, facts
from enforcement.rights.admin.versions import VersionedAdmin
from enforcement.rights.charges import Charge, money
from enforcement.rights.facts import END, Reading, Right, RuleError, SiteState
from enforcement.rights.outcomes import Judgement, RightKind, VisitStatus
from enforcement.rights.presence import Presences
from enforcement.rights.sections import Section, judge_section
from enforcement.rights.stays import Stay, judge_stay
from enforcement.rights.tariffs import Tariff
from enforcement.rights.verdicts import judge_vignette, judge_zone
from enforcement.rights.zones import Window

TRY = "_try"
LONGEST = timedelta(days=31)
_PLATE = "TRIAL1"
_LOCAL = "Local time at the site."

Said = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Trial:
    """What a rule that is not stored yet would say of a vehicle."""

    verdict: str
    reason: str
    lines: tuple[str, ...]
    charge: Charge | None = None

    @classmethod
    def of(cls, judgement: Judgement, *first: str, charge: Charge | None = None) -> "Trial":
        """The trial of a judgement, its explanation after the sentences `first`."""
        return cls(
            verdict=judgement.verdict.value,
            reason=judgement.reason.value if judgement.reason else "",
            lines=(*first, *(line.sentence for line in judgement.explanation)),
            charge=charge,
        )

    def charge_lines(self) -> list[tuple[str, str]]:
        """The lines of the charge: why, and how much."""
        if self.charge is None:
            return []
        currency = self.charge.currency
        return [(line.sentence, money(line.amount, currency)) for line in self.charge.lines]


# --- the question --------------------------------------------------------------------------------


def local_field(label: str) -> forms.DateTimeField:
    """A moment on the clocks of the site or scheme, for `_at`."""
    return moment_field(label, help_text=_LOCAL)


def day_field(label: str) -> forms.DateField:
    """A calendar day."""
    return forms.DateField(label=label, required=False, widget=DayInput())


def number_field(label: str) -> forms.IntegerField:
    """A year."""
    return forms.IntegerField(
        label=label,
        required=False,
        min_value=1971,
        max_value=2190,
        widget=widgets.UnfoldAdminIntegerFieldWidget(),
    )


def word_field(label: str, most: int, help_text: str = "") -> forms.CharField:
    """A short text, empty by choice."""
    return text_field(label, most=most, required=False, help_text=help_text)


def _at(said: Said, name: str, zone: ZoneInfo) -> datetime | None:
    told: datetime | None = said.get(name)
    return None if told is None else told.replace(tzinfo=zone)


def _needed(said: Said, name: str, zone: ZoneInfo, question: str) -> datetime:
    at = _at(said, name, zone)
    if at is None:
        raise forms.ValidationError({name: question})
    return at


class TrialForm(AnyForm):
    """A form of a version that can be tried: it is then shown again with its `trial`, and never
    valid, so that nothing of it is stored."""

    trial: Trial | None = None

    def is_valid(self) -> bool:
        """Whether it may be stored: never, where it was only to be tried."""
        valid = super().is_valid()
        if TRY not in self.data:
            return valid
        if valid and self.trial is None:
            try:
                self.trial = self.try_out(self.cleaned_data)
            except forms.ValidationError as error:
                self.add_error(None, error)
            except RuleError as error:
                self.add_error(None, error.sentence)
        return False

    def try_out(self, said: Said) -> Trial:
        """What the version in the form would say. Raises RuleError, or ValidationError naming the
        field of the question that is missing or wrong."""
        raise NotImplementedError

    @cached_property
    def changed_data(self) -> list[str]:
        """The fields of the version that changed; the question is none of them."""
        return [name for name in super().changed_data if not name.startswith("try_")]


class TrialAdmin(VersionedAdmin):
    """Versions that can be tried before they are stored. `try_fields` ask the question."""

    try_fields: Sequence[str] = ()
    try_help = ""
    change_form_before_template = "admin/platewarden/trial.html"

    def with_trial(self, sets: Any, request: HttpRequest, obj: Any) -> Any:
        """The fieldsets, with the question last where the version can still be edited."""
        if obj is not None and not self.has_change_permission(request, obj):
            return sets
        question = {"fields": tuple(self.try_fields), "description": self.try_help}
        return (*sets, ("Try it", question))


# --- the answers ---------------------------------------------------------------------------------


def try_vignette(
    scheme: calendars.Scheme, said: Said, *, rules: facts.SiteRules, scope: str | None = None
) -> Trial:
    """A vehicle on a vignette road, with or without a vignette of its own."""
    zone = scheme.timezone
    at = _needed(said, "try_at", zone, "Say when it is seen.")
    country, category = said.get("try_country", "").upper() or None, said["try_category"] or "car"
    bought_at = _at(said, "try_bought_at", zone)
    first: list[str] = []
    rights: list[Right] = []
    if said.get("try_product"):
        try:
            right = scheme.right(
                id="tried",
                plate=_PLATE,
                country=country,
                category=category,
                product=said["try_product"],
                first_day=said.get("try_first_day"),
                bought_at=bought_at,
                year=said.get("try_year"),
            )
        except RuleError as error:
            field = _FIELD_OF.get(error.code, "try_product")
            raise forms.ValidationError({field: error.sentence}) from None
        rights = [right]
        begins, ends = (moment.astimezone(zone) for moment in (right.start, right.end))
        first.append(
            f"The vignette is valid from {begins:%Y-%m-%d %H:%M} to {ends:%Y-%m-%d %H:%M}."
        )
        if said.get("try_first_day"):
            try:
                scheme.check_advance(said["try_product"], said["try_first_day"], bought_at or at)
            except RuleError as error:
                first.append(f"A seller would refuse it: {error.sentence}")
    judgement = judge_vignette(
        Reading(_PLATE, country, 1.0, category),
        at,
        scheme=scheme,
        rights=rights,
        rules=rules,
        now=max(at, bought_at or at),
        scope=scope,
    )
    return Trial.of(judgement, *first)


_FIELD_OF = {
    "year-needed": "try_year",
    "first-day-needed": "try_first_day",
    "date-out-of-range": "try_first_day",
}


def try_zone(window: Window, said: Said, *, rules: facts.SiteRules) -> Trial:
    """A vehicle in a charging zone for which nobody pays in time."""
    at = _needed(said, "try_at", window.timezone, "Say when it is seen.")
    day = window.charged_day(at)
    first, now = [], at
    holiday = window.holidays.name(at.date())
    if holiday is not None:
        first.append(f"A holiday: {holiday}.")
    if day is not None:
        now = window.deadline(day)
        until = now.astimezone(window.timezone)
        first.append(f"Charged for {day}; it can be paid until {until:%Y-%m-%d %H:%M}.")
    reading = Reading(_PLATE, said.get("try_country", "").upper() or None, 1.0)
    judgement = judge_zone(reading, at, window=window, rights=[], rules=rules, now=now)
    return Trial.of(judgement, *first)


def try_stay(site: Site, tariff: Tariff | None, said: Said, *, rules: facts.SiteRules) -> Trial:
    """A vehicle in a car park, paid for a while or not at all."""
    zone = site.zone_info
    start = _needed(said, "try_at", zone, "Say when it comes in.")
    end = _needed(said, "try_to", zone, "Say when it leaves.")
    if end < start:
        raise forms.ValidationError({"try_to": "It leaves before it comes in."})
    if end - start > LONGEST:
        raise forms.ValidationError({"try_to": f"At most {LONGEST.days} days, please."})
    paid_from, paid_to = _at(said, "try_paid_from", zone), _at(said, "try_paid_to", zone)
    if (paid_from is None) != (paid_to is None):
        raise forms.ValidationError({"try_paid_to": "Say both from when and until when is paid."})
    rights = []
    country = said.get("try_country", "").upper() or None
    if paid_from is not None and paid_to is not None:
        if paid_to < paid_from:
            raise forms.ValidationError({"try_paid_to": "The payment ends before it starts."})
        rights = [Right("tried", RightKind.PAYMENT, (_PLATE,), country, paid_from, paid_to)]
    reading = Reading(_PLATE, country, 1.0)
    judgement = judge_stay(
        Stay("tried", VisitStatus.COMPLETE, start, end, (reading, reading)),
        rights=rights,
        presences=Presences(),
        rules=rules,
        state=SiteState(END, END),
        now=end,
        tariff=tariff,
    )
    covered = [(right.start, right.end) for right in rights]
    return Trial.of(judgement, charge=tariff.charge(start, end, covered) if tariff else None)


def try_section(section: Section, site: Site, said: Said, *, rules: facts.SiteRules) -> Trial:
    """A vehicle on its way through a section."""
    zone = site.zone_info
    start = _needed(said, "try_at", zone, "Say when it passes the entry camera.")
    end = _needed(said, "try_to", zone, "Say when it passes the exit camera.")
    if end <= start:
        raise forms.ValidationError({"try_to": "It comes out before it went in."})
    country = said.get("try_country", "").upper() or None
    reading = Reading(_PLATE, country, 1.0, category=said.get("try_category") or "car")
    judgement = judge_section(
        Stay("tried", VisitStatus.COMPLETE, start, end, (reading, reading)),
        section=section,
        rights=(),
        rules=rules,
        state=SiteState(END, END),
        now=end,
    )
    return Trial.of(judgement)
