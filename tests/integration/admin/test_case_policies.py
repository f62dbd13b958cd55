"""How a site decides cases and what its notices ask for, edited in the admin."""

from datetime import date, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from cameras.models import Site
from enforcement.cases.models import Case, CasePolicy
from tests.integration.admin.conftest import World, make_case
from tests.integration.admin.test_changes import audited_since, newest, split

pytestmark = pytest.mark.django_db(databases=["default", "keys"])

ADD = "admin:cases_casepolicy_add"
SAID = {
    "currency": "gbp",
    "amount": "80",
    "discounted": "40,50",
    "payee": "Riverside Parking Ltd\n1 Mill Lane",
    "scheme": "uk-postal",
    "country": "gb",
    "region": "eng",
    "language": "cs",
    "more_languages": ["en", "cs"],
    "pay_en": "By bank transfer.",
    "appeal_cs": "Pište na adresu provozovatele.",
}


@pytest.fixture
def fresh(world: World) -> Site:
    """A site without a policy."""
    return Site.objects.create(
        organisation=world.organisation, name="new", slug="new", kind="parking", timezone="UTC"
    )


def said(site: Site, begins: datetime, **changed: object) -> dict[str, object]:
    return {**SAID, "site": site.pk, **split(begins), **changed}


def test_a_policy_is_typed_in_the_usual_units_and_takes_the_schemes_days(
    fresh: Site, admin: Client
) -> None:
    before, begins = newest(), timezone.now() + timedelta(days=1)
    assert admin.post(reverse(ADD), said(fresh, begins)).status_code == 302
    row = CasePolicy.objects.get(site=fresh)
    assert (row.currency, row.notice_amount, row.discount_amount) == ("GBP", 8_000, 4_050)
    assert (row.discount_days, row.due_days, row.appeal_days, row.issue_days) == (14, 28, 28, None)
    assert (row.country, row.region) == ("GB", "ENG")
    assert row.languages == ["cs", "en"]
    assert row.pay_texts == {"en": "By bank transfer."}
    assert row.appeal_texts == {"cs": "Pište na adresu provozovatele."}
    assert (row.four_eyes, row.auto_confirm, row.adds_tariff) == (False, False, False)
    assert [entry[2] for entry in audited_since(before)] == ["cases.casepolicy"]


@pytest.mark.parametrize(
    ("wrong", "field", "words"),
    [
        ({"amount": "plenty"}, "amount", "in figures"),
        ({"amount": "1.234"}, "amount", "in figures"),
        ({"amount": "1e9"}, "amount", "in figures"),
        ({"amount": "-5"}, "amount", "in figures"),
        ({"amount": ""}, "amount", "required"),
        ({"discounted": "80.01"}, "discounted", "more than the full amount"),
        ({"currency": "£"}, "currency", "Three letters"),
        ({"currency": "JPY", "amount": "80.50", "discounted": ""}, "amount", "in figures"),
        ({"scheme": "moon"}, "scheme", "not one of the available choices"),
        ({"country": "XX", "region": ""}, "country", "No public holidays"),
        ({"region": "ZZ"}, "region", "No public holidays"),
        ({"country": "", "region": "ENG"}, "region", "of which country"),
        ({"discount_days": "29"}, "discount_days", "ends before the notice is due"),
        ({"due_days": "-1"}, "due_days", "greater than or equal to 0"),
        ({"due_days": "99999"}, "due_days", "less than or equal to 3650"),
        ({"language": "fr"}, "language", "not one of the available choices"),
        ({"four_eyes": "on", "auto_confirm": "on"}, "auto_confirm", "Either two people"),
        ({"payee": ""}, "payee", "required"),
    ],
)
def test_what_contradicts_itself_is_told_at_its_field(
    fresh: Site, admin: Client, wrong: dict[str, object], field: str, words: str
) -> None:
    answer = admin.post(reverse(ADD), said(fresh, timezone.now(), **wrong))
    assert answer.status_code == 200
    errors = answer.context["adminform"].form.errors
    assert list(errors) == [field]
    assert words in " ".join(errors[field])
    assert not CasePolicy.objects.filter(site=fresh).exists()


def test_a_sites_first_policy_may_begin_on_any_day_and_reaches_waiting_cases(
    fresh: Site, admin: Client
) -> None:
    case = make_case(fresh, "2026-000777", timezone.now())
    seen = datetime(2026, 3, 2, 10, tzinfo=case.seen_to.tzinfo)
    Case.objects.filter(pk=case.pk).update(seen_from=seen, seen_to=seen)
    begins = datetime(2026, 1, 1, tzinfo=seen.tzinfo)
    assert admin.post(reverse(ADD), said(fresh, begins)).status_code == 302
    case.refresh_from_db()
    assert case.last_issue_day == date(2026, 3, 12)


def test_later_policies_begin_now_or_later_and_past_ones_stay(world: World, admin: Client) -> None:
    past = timezone.now() - timedelta(days=3)
    answer = admin.post(reverse(ADD), said(world.site, past))
    assert "lies in the past" in answer.content.decode()
    assert CasePolicy.objects.filter(site=world.site).count() == 1
    where = reverse("admin:cases_casepolicy_change", args=[world.case_policy.pk])
    assert admin.post(where, said(world.site, timezone.now())).status_code == 403
    delete = reverse("admin:cases_casepolicy_delete", args=[world.case_policy.pk])
    assert admin.post(delete, {"post": "yes"}).status_code == 403
    page = admin.get(where).content.decode()
    assert "100.00 GBP, at first 60.00 GBP" in page
    assert "A notice on paper must go out by" in page


def test_a_policy_is_tried_before_it_is_stored(fresh: Site, admin: Client) -> None:
    form = said(fresh, timezone.now(), _try="1", try_seen="2026-03-02", try_issued="2026-03-06")
    page = admin.post(reverse(ADD), form).content.decode()
    for told in (
        "Tried, not stored: a notice of 80.00 GBP",
        "A notice on paper must go out by Thursday, 2026-03-12.",
        "A notice by e-mail must go out by Monday, 2026-03-16.",
        "it counts as delivered on Tuesday, 2026-03-10.",
        "The discount holds until Tuesday, 2026-03-24.",
        "It is due on Tuesday, 2026-04-07.",
    ):
        assert told in page
    assert not CasePolicy.objects.filter(site=fresh).exists()


def test_a_new_version_begins_with_what_the_newest_says(world: World, admin: Client) -> None:
    row = world.case_policy
    button = reverse("admin:cases_casepolicy_new_version", args=[row.pk])
    form = admin.get(admin.get(button)["Location"]).context["adminform"].form
    told = {name: form[name].value() for name in ("amount", "discounted", "scheme", "language")}
    assert told == {
        "amount": "100.00",
        "discounted": "60.00",
        "scheme": "uk-postal",
        "language": "en",
    }
    assert form["site"].value() == world.site.pk
