"""How a site's cases are decided, and what its notices say: data with an effective date."""

import uuid
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import F, Q

from cameras.models import Site
from enforcement.cases.deadlines import SCHEMES, Channel, Terms, last_issue_day

LANGUAGES = {"en": "English", "cs": "Czech", "de": "German"}
"""Languages a notice can be in, by their ISO 639 code."""


def _english() -> list[str]:
    return ["en"]


class CasePolicy(models.Model):
    """How a site's cases are decided and what its notices say, from an instant on.

    Money and deadlines of a case are those in force when the vehicle was seen; how many people
    must confirm it, those in force when it is confirmed. Amounts in minor units of the currency.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="case_policies")
    effective_from = models.DateTimeField()
    four_eyes = models.BooleanField(
        default=False, help_text="A second person must confirm what the first one confirmed."
    )
    auto_confirm = models.BooleanField(
        default=False,
        help_text="Candidates are confirmed without anybody looking. Off unless you must.",
    )
    currency = models.CharField(max_length=3, help_text="ISO 4217, for example GBP, CZK, EUR.")
    notice_amount = models.PositiveIntegerField(help_text="In pence, haléře or cents.")
    discount_amount = models.PositiveIntegerField(
        null=True, blank=True, help_text="What is due within the discount's time; empty: none."
    )
    adds_tariff = models.BooleanField(
        default=False, help_text="The unpaid parking charge is asked for besides the amount."
    )
    scheme = models.CharField(max_length=20, help_text="How deadlines are counted.")
    country = models.CharField(max_length=2, blank=True, help_text="Whose public holidays count.")
    region = models.CharField(
        max_length=6, blank=True, help_text="Of that country, for example BY."
    )
    issue_days = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Days to give the notice in; empty: as the scheme says."
    )
    discount_days = models.PositiveSmallIntegerField()
    due_days = models.PositiveSmallIntegerField()
    appeal_days = models.PositiveSmallIntegerField()
    languages = models.JSONField(default=_english, help_text="Of notices; the first is proposed.")
    payee = models.TextField(max_length=500, help_text="Who asks for the money, line by line.")
    pay_texts = models.JSONField(default=dict, blank=True)  # language → how to pay
    appeal_texts = models.JSONField(default=dict, blank=True)  # language → how to appeal

    class Meta:
        verbose_name_plural = "case policies"
        ordering = ["site", "-effective_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["site", "effective_from"], name="one_case_policy_per_instant"
            ),
            models.CheckConstraint(
                condition=Q(discount_amount__isnull=True)
                | Q(discount_amount__lte=F("notice_amount")),
                name="case_policy_discount_is_one",
            ),
            models.CheckConstraint(
                condition=Q(discount_days__lte=F("due_days")),
                name="case_policy_discount_before_due",
            ),
            models.CheckConstraint(
                condition=Q(four_eyes=False) | Q(auto_confirm=False),
                name="case_policy_four_eyes_or_none",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.site} from {self.effective_from:%Y-%m-%d}"

    def terms(self) -> Terms:
        """What its deadlines are computed from."""
        scheme = SCHEMES[self.scheme]
        return Terms(
            scheme=scheme,
            country=self.country or scheme.country,
            region=self.region if self.country else scheme.region,
            issue_days=scheme.issue_days if self.issue_days is None else self.issue_days,
            discount_days=self.discount_days if self.discount_amount is not None else 0,
            due_days=self.due_days,
            appeal_days=self.appeal_days,
        )

    def last_issue_day(self, seen_to: datetime, channel: Channel = Channel.PRINT) -> date | None:
        """The last day, at the site, on which a notice may be issued; None: no limit."""
        zone = ZoneInfo(self.site.timezone)
        return last_issue_day(self.terms(), seen_to.astimezone(zone).date(), channel)


def policy_at(site: Site, at: datetime) -> CasePolicy | None:
    """The policy in force at a site at an instant; None where there was none yet."""
    found = CasePolicy.objects.filter(site=site, effective_from__lte=at)
    return found.select_related("site").order_by("-effective_from").first()
