"""Vignette schemes: data that an administrator may write, checked before it is stored."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from audit.adminsite import page_action
from cameras.adminsite import JSONText, row_or_404
from enforcement.rights.admin.preview import (
    Said,
    Trial,
    TrialAdmin,
    TrialForm,
    day_field,
    local_field,
    number_field,
    try_vignette,
    word_field,
)
from enforcement.rights.admin.versions import from_now_on
from enforcement.rights.calendars import Product
from enforcement.rights.calendars import Scheme as SchemeValue
from enforcement.rights.facts import RuleError, SiteRules
from enforcement.rights.models import Scheme
from enforcement.rights.selectors import scheme_value


def _told(error: RuleError) -> str:
    """What is wrong, in words of the form rather than of Python."""
    cause = error.__cause__
    if isinstance(cause, KeyError):
        return f"“{cause.args[0]}” is missing."
    if isinstance(cause, ValueError):
        return f"{str(cause)[:1].upper()}{str(cause)[1:]}."
    if cause is not None:
        return "Something has the wrong shape: compare it with the example below."
    return error.sentence


def check_rules(head: Mapping[str, Any], rules: Any) -> list[str]:
    """What is wrong with a scheme's rules, part by part; empty where nothing is."""
    if not isinstance(rules, dict) or not isinstance(rules.get("products"), dict):
        return ["The rules are an object with “products”: compare them with the example below."]
    unknown = set(rules) - {"heal_min", "advance_months", "counts_as", "exemptions", "products"}
    wrong = [f"There is no “{name}”." for name in sorted(unknown)]
    parts: list[tuple[str, dict[str, Any]]] = [
        (f"Product “{name}”: ", {"products": {name: product}})
        for name, product in rules["products"].items()
    ]
    exemptions = rules.get("exemptions", [])
    if isinstance(exemptions, list):
        parts += [
            (f"Exemption {place}: ", {"products": {}, "exemptions": [one]})
            for place, one in enumerate(exemptions, 1)
        ]
    parts.append(("", {**rules, "products": {}, "exemptions": []}))
    for where, part in parts:
        try:
            SchemeValue.from_data({**head, "rules": part})
        except RuleError as error:
            wrong.append(where + _told(error))
    if not rules["products"]:
        wrong.append("A scheme sells at least one product.")
    return wrong


def in_words(product: Product) -> str:
    """How long a product runs."""
    if product.span == "days":
        return f"{product.count} calendar day{'s' if product.count > 1 else ''}, the first included"
    if product.span == "months":
        return f"to the same-numbered day {product.count} months later"
    if product.span == "year":
        return "to the day before the same date of the next year"
    first, last = product.first, product.last
    if first is None or last is None:
        return product.span
    return (
        f"of a named year: {first.day}.{first.month}. (year {first.years:+d}) "
        f"to {last.day}.{last.month}. (year {last.years:+d})"
    )


class SchemeForm(TrialForm):
    """A version of a scheme whose rules can be read, and that begins after those that count."""

    rules = JSONText(help_text="Explained below.")
    try_at = local_field("Seen")
    try_country = word_field("Country of the plate", 2, "Two letters. Empty: not known.")
    try_category = word_field("Category", 16, "Empty: car.")
    try_product = word_field("Its vignette", 20, "A product. Empty: it has none.")
    try_first_day = day_field("First day of the vignette")
    try_year = number_field("Year of the vignette")
    try_bought_at = local_field("Vignette bought")

    class Meta:
        model = Scheme
        fields = "__all__"

    def clean(self) -> dict[str, Any]:
        """Refuse rules that can't be read, and a start that would change the past."""
        said = super().clean() or {}
        begins = said.get("effective_from")
        if begins is None or not all(said.get(name) for name in ("code", "timezone")):
            return said
        others = Scheme.objects.filter(code=said["code"]).exclude(pk=self.instance.pk)
        if others.filter(effective_from__lte=timezone.now()).exists():
            try:
                said["effective_from"] = from_now_on(begins, now=timezone.now())
            except forms.ValidationError as error:
                self.add_error("effective_from", error)
        head = {"code": said["code"], "timezone": said["timezone"], "effective_from": begins}
        try:
            SchemeValue.from_data({**head, "rules": {"products": {}}})
        except RuleError as error:
            self.add_error("timezone", error.sentence)
            return said
        if "rules" in said:
            for sentence in check_rules(head, said["rules"]):
                self.add_error("rules", sentence)
        return said

    def try_out(self, said: Said) -> Trial:
        """A vehicle on a road of this scheme."""
        names = ("code", "timezone", "effective_from", "rules")
        scheme = SchemeValue.from_data({name: said[name] for name in names})
        return try_vignette(scheme, said, rules=SiteRules())


@admin.register(Scheme)
class SchemeAdmin(TrialAdmin):
    """Past versions are read; new ones begin now or later."""

    form = SchemeForm
    line = "code"
    list_display = ("code", "name", "country", "effective_from", "state", "product_names")
    list_filter = ("code", "country")
    search_fields = ("code", "name")
    ordering = ("code", "-effective_from")
    change_form_after_template = "admin/platewarden/scheme_help.html"
    actions_detail = ["new_version"]
    try_fields = (
        "try_at",
        "try_country",
        "try_category",
        "try_product",
        "try_first_day",
        "try_year",
        "try_bought_at",
    )
    try_help = "A vehicle on a road of this scheme, with a vignette or without."

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The form and the question; of a stored version also its products in words."""
        fields = ("code", "name", "country", "timezone", "effective_from", "rules")
        sets = ((None, {"fields": (*fields, "products") if obj else fields}),)
        return self.with_trial(sets, request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Products in words, under a stored version."""
        return ("products",) if obj else ()

    @admin.display(description="products")
    def product_names(self, scheme: Scheme) -> str:
        return ", ".join(scheme.rules.get("products", {}))

    @admin.display(description="products in words")
    def products(self, scheme: Scheme) -> SafeString | str:
        try:
            value = scheme_value(scheme)
        except RuleError as error:
            return error.sentence
        lines = ((name, in_words(one)) for name, one in value.products.items())
        return format_html_join("", "<p><strong>{}</strong> – {}</p>", lines)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """What a version says that is to have a successor, from now on."""
        initial: dict[str, Any] = {"effective_from": timezone.now()}
        known = (
            Scheme.objects.filter(code=request.GET.get("of", ""))
            .order_by("-effective_from")
            .values("code", "name", "country", "timezone", "rules")
            .first()
        )
        return initial | (dict(known) if known else {})

    @page_action(
        "New version", path="new-version", permission="rights.add_scheme", icon="add_notes"
    )
    def new_version(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The form, filled with what this scheme says now."""
        scheme = row_or_404(self, request, object_id)
        return HttpResponseRedirect(f"{reverse('admin:rights_scheme_add')}?of={scheme.code}")
