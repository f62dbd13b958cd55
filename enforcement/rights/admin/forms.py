"""The forms of a right and of a file of rights. Plates go through them and are kept nowhere."""

import re
import secrets
from datetime import date, datetime
from typing import Any

from django import forms
from unfold import widgets

from cameras.adminsite import DayInput, PurposeForm, moment_field, text_field
from cameras.models import Site
from core.platetext import MAX_LENGTH
from enforcement.rights.importing import Layout
from enforcement.rights.intake import RightInput, right_input
from enforcement.rights.models import Right, Scheme
from enforcement.rights.selectors import FEW

Kind = Right.Kind

LAYOUTS = (
    (Layout.PERMITS.value, "Permits"),
    (Layout.VIGNETTES.value, "Vignettes"),
    (Layout.PAYMENTS.value, "Payments"),
)

ASKED_OF: dict[str, tuple[str, ...]] = {
    "site": (*FEW, Kind.ZONE_PAYMENT),
    "from": FEW,
    "to": FEW,
    "scheme": (Kind.VIGNETTE,),
    "product": (Kind.VIGNETTE, Kind.PERMIT),
    "category": (Kind.VIGNETTE,),
    "scope": (Kind.VIGNETTE,),
    "first_day": (Kind.VIGNETTE,),
    "year": (Kind.VIGNETTE,),
    "bought_at": (Kind.VIGNETTE,),
    "max_present": (Kind.PERMIT,),
    "reason": (Kind.EXEMPTION,),
    "day": (Kind.ZONE_PAYMENT,),
}
"""Fields that only some kinds of right ask for; the others are asked of all."""


def scheme_choices() -> list[tuple[str, str]]:
    """The codes of all schemes."""
    codes = Scheme.objects.order_by("code").values_list("code", flat=True).distinct()
    return [(code, code) for code in codes]


def _number(label: str, most: int, help_text: str = "") -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        required=False,
        min_value=1,
        max_value=most,
        help_text=help_text,
        widget=widgets.UnfoldAdminIntegerFieldWidget(),
    )


def _day(label: str) -> forms.DateField:
    return forms.DateField(label=label, required=False, widget=DayInput())


class RightForm(forms.Form):
    """One right, entered by hand. What its kind needs is for `right_input` to say."""

    kind = forms.ChoiceField(
        label="Kind",
        choices=Kind.choices,
        widget=widgets.UnfoldAdminSelectWidget(attrs={"x-model": "kind"}),
    )
    id = text_field(
        "Number",
        most=200,
        required=False,
        help_text="The seller's, or your own. Kept sealed. Empty: one is made. The same number "
        "again is a new version of the right.",
    )
    plates = forms.CharField(
        label="Plates",
        max_length=5000,
        help_text="One per line. Kept sealed. Only a permit or an exemption may have several.",
        widget=widgets.UnfoldAdminTextareaWidget(
            attrs={"rows": 2, "autocomplete": "off", "spellcheck": "false"}
        ),
    )
    country = text_field(
        "Country of the plates", most=2, required=False, help_text="Two letters. Empty: any."
    )
    site = forms.ModelChoiceField(
        label="Site",
        required=False,
        queryset=Site.objects.all(),
        help_text="Empty (permits and exemptions only): every site.",
        widget=widgets.UnfoldAdminSelectWidget(),
    )
    scheme = forms.ChoiceField(
        label="Scheme",
        required=False,
        choices=lambda: [
            ("", "Choose…"),
            *(
                (code, code)
                for code in Scheme.objects.order_by("code")
                .values_list("code", flat=True)
                .distinct()
            ),
        ],
        widget=widgets.UnfoldAdminSelectWidget(),
    )
    product = text_field(
        "Product", most=20, required=False, help_text="Of the scheme; of a permit its own category."
    )
    category = text_field("Vehicle category", most=16, required=False, help_text="Empty: car.")
    scope = text_field("Part of the network", most=20, required=False, help_text="Empty: all.")
    first_day = _day("First day")
    year = _number("Year", 2190, "Of a product that belongs to a year.")
    bought_at = moment_field("Bought", help_text="UTC. Empty: now.")
    max_present = _number("Vehicles present at once", 32_000, "Of a shared permit. Empty: any.")
    reason = text_field(
        "Reason", most=40, required=False, help_text="Stored in the clear: no plate in it."
    )
    day = _day("Day paid for")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # not attributes of the class: `from` is a word of Python's
        self.fields["from"] = moment_field("From")
        self.fields["to"] = moment_field("To")
        order = ("kind", "id", "plates", "country", "site", "from", "to")
        self.order_fields([*order, *self.fields])
        for name, kinds in ASKED_OF.items():
            self.fields[name].asked_of = " ".join(kinds)  # type: ignore[attr-defined]

    def right(self) -> RightInput:
        """The right it says; BadInput naming the field otherwise."""
        said = self.cleaned_data
        asked = {
            name: _as_told(said[name])
            for name in ASKED_OF
            if said["kind"] in ASKED_OF[name] and said[name] not in (None, "")
        }
        return right_input(
            {
                **asked,
                "kind": said["kind"],
                "id": said["id"] or secrets.token_hex(8),
                "plates": [one for one in re.split(r"[\n,;]+", said["plates"]) if one.strip()],
                "country": said["country"],
                "version": 1,
            }
        )


def _as_told(value: Any) -> Any:
    """A value as a provider would write it in JSON."""
    if isinstance(value, Site):
        return value.slug
    return value.isoformat() if isinstance(value, datetime | date) else value


class FindForm(PurposeForm):
    """A plate whose rights somebody looks for, and why."""

    plate = text_field("Plate", most=4 * MAX_LENGTH, help_text="Kept nowhere but as its token.")
    field_order = ("plate", "purpose", "case_ref")


class UploadForm(forms.Form):
    """A file, and whether all of it or nothing counts."""

    all_or_nothing = forms.BooleanField(
        label="All or nothing",
        required=False,
        help_text="Store nothing at all if any row is refused.",
        widget=widgets.UnfoldBooleanSwitchWidget(),
    )
    file = forms.FileField(
        label="CSV file",
        help_text="UTF-8 with a header line. It stays in memory and is not kept.",
        widget=widgets.UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,.tsv,.txt,text/csv"}),
    )


class RightsFileForm(UploadForm):
    """A file of rights."""

    kind = forms.ChoiceField(
        label="What it holds", choices=LAYOUTS, widget=widgets.UnfoldAdminSelectWidget()
    )
    site = forms.ModelChoiceField(
        label="Site",
        required=False,
        queryset=Site.objects.all(),
        empty_label="Every site",
        help_text="Where permits and payments count. Vignettes count on their scheme's roads.",
        widget=widgets.UnfoldAdminSelectWidget(),
    )
    field_order = ("kind", "site", "all_or_nothing", "file")

    def clean(self) -> dict[str, Any]:
        """A payment is for a site."""
        said = super().clean() or {}
        if said.get("kind") == Layout.PAYMENTS and not said.get("site"):
            self.add_error("site", "Say for which site the payments are.")
        return said
