"""Rights coming in: sealed, by version, each deliverer for itself, every plate audited."""

import threading
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connections

from audit.access import stage_batch
from audit.models import AuditRow
from audit.services import Actor, verify
from cameras.models import Organisation, Site
from core.errors import BadInput, Conflict, NotFound
from core.platetext import ocr_class
from enforcement.rights.intake import right_input
from enforcement.rights.matching import shortened
from enforcement.rights.models import Right, RightPlate, RightTouch, Scheme
from enforcement.rights.selectors import (
    provider_sites,
    registry_rights,
    right_of_provider,
    rights_of_plate,
    rule_rights,
    rules_at,
    scheme_at,
    site_rights,
)
from enforcement.rights.services import (
    right_mark_used,
    right_receive,
    right_withdraw,
    schemes_load,
)
from tests.integration.rights.rightsmaker import ADMIN, NOW, Seller, make_seller, make_site
from vault import blind
from vault.models import DataClass

pytestmark = pytest.mark.django_db(databases=["default", "keys"])

FROM = datetime(2026, 3, 1, 9, tzinfo=UTC)
TO = FROM + timedelta(hours=2)


def payment(**change: Any) -> dict[str, Any]:
    return {
        "kind": "payment",
        "id": "p1",
        "plate": "AB12CDE",
        "country": "GB",
        "site": "north",
        "from": FROM.isoformat(),
        "to": TO.isoformat(),
    } | change


def vignette(**change: Any) -> dict[str, Any]:
    return {
        "kind": "vignette",
        "id": "v1",
        "plate": "1AB2345",
        "country": "CZ",
        "scheme": "CZ",
        "product": "10-day",
        "first_day": "2026-03-05",
    } | change


def receive(seller: Seller, data: dict[str, Any], now: datetime = NOW) -> tuple[Right, bool]:
    return right_receive(
        provider=seller.provider, data=right_input(data), actor=seller.actor, now=now
    )


def opened(rights: list[Right]) -> list[Any]:
    with stage_batch("test") as access:
        return rule_rights(rights, access)


# --- storing ------------------------------------------------------------------------------------


def test_a_payment_is_sealed_and_found_by_its_tokens(seller: Seller, site: Site) -> None:
    right, created = receive(seller, payment())
    assert created
    assert (right.site, right.provider, right.starts_at, right.ends_at) == (
        site,
        seller.provider,
        FROM,
        TO,
    )
    plate = RightPlate.objects.get(right=right)
    assert (plate.data_class, plate.data_key) == (DataClass.RIGHT, right.data_key)
    assert plate.token_exact in blind.exact_lookup("AB12CDE")
    assert plate.token_class in blind.equivalent_lookup("A812CDE")
    (value,) = opened(site_rights(site, FROM, TO))
    assert (value.plates, value.country, value.id) == (("AB12CDE",), "GB", str(right.pk))


def test_what_is_near_is_known_at_its_site_alone_and_of_no_registry(
    seller: Seller, organisation: Organisation, site: Site, other_site: Site
) -> None:
    schemes_load()

    def tokens(right: Right) -> set[uuid.UUID]:
        return set(RightPlate.objects.values_list("tokens_near", flat=True).get(right=right))

    here, _ = receive(seller, payment())
    near, _ = receive(seller, payment(id="p2", plate="AB12CDF"))
    elsewhere = payment(site=other_site.slug)
    there, _ = receive(make_seller(organisation), elsewhere)
    registered, _ = receive(seller, vignette())
    assert tokens(here) & tokens(near)
    assert not tokens(here) & tokens(there)
    assert not tokens(registered)
    found = site_rights(site, FROM, TO, near=shortened("AB12CD"))
    assert {right.pk for right in found} == {here.pk, near.pk}
    assert site_rights(site, FROM, TO, near=shortened("XY98ZZZ")) == []


def test_each_plate_leaves_an_audit_row_with_its_token(seller: Seller, site: Site) -> None:
    permit = {"kind": "permit", "id": "s", "site": "north", "plates": ["AA11AAA", "BB22BBB"]}
    right, _ = receive(seller, permit)
    rows = AuditRow.objects.filter(subject="rights.right", subject_id=str(right.pk))
    assert sorted(row.tokens for row in rows) == sorted(
        [[blind.exact("AA11AAA")], [blind.exact("BB22BBB")]]
    )
    assert {(row.actor_kind, row.purpose, row.action) for row in rows} == {
        ("provider", "rights-intake", "deliver")
    }
    assert verify().broken_at is None


def test_no_plate_and_no_id_is_in_the_database(
    seller: Seller, schemes: None, stored_text: Callable[[], str]
) -> None:
    receive(seller, payment(id="app-AB12CDE-77"))
    receive(seller, vignette())
    stored = stored_text()
    for plate in ("AB12CDE", "1AB2345"):
        assert plate not in stored
        assert plate.encode().hex() not in stored
    assert "10-day" in stored  # the search does see what is stored in the clear


def test_a_reason_must_not_name_the_plate(seller: Seller) -> None:
    data = {"kind": "exemption", "id": "x", "plate": "EM3RGCY"}
    for reason in ("EM3RGCY", "ambulance em3-rgcy", "unit EM3 RGCY.", "see (EM3RGCY)"):
        with pytest.raises(BadInput) as caught:
            receive(seller, data | {"reason": reason})
        assert (caught.value.code, caught.value.field) == ("names_plate", "reason")
        assert "EM3RGCY" not in str(caught.value)
    assert Right.objects.count() == 0
    assert receive(seller, data | {"reason": "emergency, unit 3"})[1]


def test_a_new_right_wakes_the_judge(
    seller: Seller, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks() as callbacks:
        right, _ = receive(seller, payment())
    assert [touch.right_id for touch in RightTouch.objects.all()] == [right.pk]
    assert len(callbacks) == 1


# --- versions -----------------------------------------------------------------------------------


def test_a_repeat_changes_nothing(seller: Seller) -> None:
    right, _ = receive(seller, payment())
    again, created = receive(seller, payment(plate="ab 12 cde"), NOW + timedelta(hours=1))
    assert (again.pk, created) == (right.pk, False)
    assert Right.objects.count() == RightTouch.objects.count() == 1
    assert Right.objects.get().known_at == NOW


def test_the_newest_version_wins_and_older_ones_stay(seller: Seller, site: Site) -> None:
    first, _ = receive(seller, payment())
    later = (TO + timedelta(hours=1)).isoformat()
    second, created = receive(seller, payment(version=2, to=later))
    first.refresh_from_db()
    assert created
    assert (first.current, second.current) == (False, True)
    assert [value.id for value in opened(site_rights(site, FROM, TO))] == [str(second.pk)]
    # both may change verdicts: what the old one covered, the new one may not
    assert {touch.right_id for touch in RightTouch.objects.all()} == {first.pk, second.pk}


def test_the_same_version_with_other_content_is_refused(seller: Seller) -> None:
    right, _ = receive(seller, payment())
    for change in ({"plate": "AB12CDF"}, {"country": "IE"}, {"to": FROM.isoformat()}):
        with pytest.raises(Conflict) as caught:
            receive(seller, payment(**change))
        assert caught.value.code == "version_conflict"
    assert [one.pk for one in Right.objects.all()] == [right.pk]


def test_a_lower_version_that_comes_late_becomes_history(seller: Seller, site: Site) -> None:
    newest, _ = receive(seller, payment(version=3))
    late, created = receive(seller, payment(version=2, plate="XX99XXX"))
    assert created
    assert not Right.objects.get(pk=late.pk).current
    assert [value.id for value in opened(site_rights(site, FROM, TO))] == [str(newest.pk)]
    assert {touch.right_id for touch in RightTouch.objects.all()} == {newest.pk}
    assert receive(seller, payment(version=2, plate="XX99XXX")) == (late, False)


def test_a_right_remembers_that_it_was_used_up_while_its_plate_stays(seller: Seller) -> None:
    first, _ = receive(seller, payment())
    assert right_mark_used(right_ids=[first.pk], now=NOW) == 1
    assert right_mark_used(right_ids=[first.pk], now=NOW + timedelta(hours=1)) == 0
    extended, _ = receive(seller, payment(version=2, to=(TO + timedelta(hours=1)).isoformat()))
    assert extended.used_up_at == NOW
    other, _ = receive(seller, payment(version=3, plate="XX99XXX"))
    assert other.used_up_at is None


@pytest.mark.django_db(transaction=True, databases=["default", "keys"])
def test_versions_that_race_leave_one_current_and_all_stored(seller: Seller, site: Site) -> None:
    versions = list(range(1, 9))
    barrier = threading.Barrier(len(versions) * 2)
    failures: list[BaseException] = []

    def deliver(version: int) -> None:
        try:
            to = (TO + timedelta(minutes=version)).isoformat()
            data = right_input(payment(version=version, to=to))
            barrier.wait(timeout=30)
            right_receive(provider=seller.provider, data=data, actor=seller.actor, now=NOW)
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=deliver, args=(one,)) for one in versions * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failures == []
    assert sorted(Right.objects.values_list("version", flat=True)) == versions
    assert Right.objects.get(current=True).version == 8
    assert verify().broken_at is None


@pytest.mark.django_db(transaction=True, databases=["default", "keys"])
def test_two_contents_of_one_version_that_race_leave_one(seller: Seller, site: Site) -> None:
    barrier = threading.Barrier(2)
    outcomes: list[str] = []

    def deliver(plate: str) -> None:
        barrier.wait(timeout=30)
        try:
            receive(seller, payment(plate=plate))
            outcomes.append("stored")
        except Conflict as error:
            outcomes.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=deliver, args=(one,)) for one in ("AA11AAA", "BB22BBB")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(outcomes) == ["stored", "version_conflict"]
    assert Right.objects.count() == RightPlate.objects.count() == 1


# --- schemes and calendars ----------------------------------------------------------------------


def test_schemes_load_once_and_never_over_an_edit(db: None) -> None:
    assert schemes_load() == 4
    Scheme.objects.filter(code="CZ").update(name="edited")
    assert schemes_load() == 0
    assert Scheme.objects.get(code="CZ").name == "edited"
    assert scheme_at("HU", NOW).heal == timedelta(minutes=60)
    with pytest.raises(BadInput):
        scheme_at("XX", NOW)
    with pytest.raises(BadInput):
        scheme_at("CZ", datetime(2019, 1, 1, tzinfo=UTC))


def test_a_vignette_is_put_on_its_schemes_calendar(seller: Seller, schemes: None) -> None:
    right, _ = receive(seller, vignette())
    assert right.site is None
    # 10 days of Prague, the last one to its midnight
    assert right.starts_at == datetime(2026, 3, 4, 23, tzinfo=UTC)
    assert right.ends_at == datetime(2026, 3, 14, 23, tzinfo=UTC)
    assert (right.bought_at, right.healed_from) == (NOW, None)
    right, _ = receive(
        seller,
        vignette(id="v2", scheme="HU", first_day="2026-02-28", bought_at="2026-02-28T12:00:00Z"),
    )
    assert right.healed_from == datetime(2026, 2, 28, 11, tzinfo=UTC)


def test_the_scheme_in_force_at_the_purchase_counts(seller: Seller, schemes: None) -> None:
    old = Scheme.objects.get(code="CZ")
    rules = old.rules | {
        "products": old.rules["products"] | {"10-day": {"span": "days", "count": 7}}
    }
    Scheme.objects.create(
        code="CZ",
        name=old.name,
        country="CZ",
        timezone=old.timezone,
        effective_from=NOW - timedelta(days=1),
        rules=rules,
    )
    before, _ = receive(seller, vignette(bought_at="2026-02-01T00:00:00Z"))
    after, _ = receive(seller, vignette(id="v2"))
    assert before.ends_at - before.starts_at == timedelta(days=10)
    assert after.ends_at - after.starts_at == timedelta(days=7)


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"scheme": "XX"}, "unknown_scheme", "scheme"),
        ({"bought_at": "2019-01-01T00:00:00Z"}, "unknown_scheme", "scheme"),
        ({"product": "weekly"}, "unknown_product", "product"),
        ({"first_day": None}, "first_day_needed", "first_day"),
        ({"scheme": "AT", "product": "annual"}, "year_needed", "year"),
        ({"bought_at": "2026-06-01T00:00:00Z"}, "ends_before_start", "bought_at"),
    ],
)
def test_what_a_scheme_refuses(
    seller: Seller, schemes: None, change: dict[str, Any], code: str, field: str
) -> None:
    with pytest.raises(BadInput) as caught:
        receive(seller, vignette(**change))
    assert (caught.value.code, caught.value.field) == (code, field)
    assert Right.objects.count() == 0


def test_a_zone_payment_runs_over_the_sites_local_day(seller: Seller, zone_site: Site) -> None:
    seller.provider.sites.add(zone_site)
    data = {"kind": "zone-payment", "id": "z", "plate": "AB12CDE", "site": "city"}
    right, _ = receive(seller, data | {"day": "2026-03-29"})  # 23 hours long in Prague
    assert right.starts_at == datetime(2026, 3, 28, 23, tzinfo=UTC)
    assert right.ends_at == datetime(2026, 3, 29, 22, tzinfo=UTC)
    assert right.first_day == date(2026, 3, 29)
    with pytest.raises(BadInput) as caught:
        receive(seller, data | {"day": "2026-03-29", "site": "north"})
    assert caught.value.code == "no_zone"


# --- who may, and where it counts -----------------------------------------------------------------


def test_a_provider_names_only_its_own_sites(
    seller: Seller, organisation: Organisation, other_site: Site
) -> None:
    foreign = make_site(Organisation.objects.create(name="somebody else"), "abroad")
    for slug in ("south", "abroad", "nowhere"):
        with pytest.raises(BadInput) as caught:
            receive(seller, payment(site=slug))
        assert (caught.value.code, caught.value.field) == ("unknown_site", "site")
    everywhere = make_seller(organisation)
    assert foreign not in provider_sites(everywhere.provider)
    assert receive(everywhere, payment(site="south"))[1]


def test_ids_of_two_providers_never_meet(
    seller: Seller, organisation: Organisation, site: Site
) -> None:
    rival = make_seller(organisation, site)
    mine, _ = receive(seller, payment())
    theirs, created = receive(rival, payment(plate="XX99XXX"))
    assert created
    assert mine.external_token != theirs.external_token
    assert right_of_provider(seller.provider, mine.pk) == mine
    with pytest.raises(NotFound):
        right_of_provider(seller.provider, theirs.pk)
    with pytest.raises(NotFound):
        right_withdraw(right_id=theirs.pk, actor=seller.actor, now=NOW, provider=seller.provider)
    assert Right.objects.get(pk=theirs.pk).withdrawn_at is None


def test_ids_of_two_sites_of_people_never_meet(site: Site, other_site: Site) -> None:
    rights = [
        right_receive(provider=None, data=right_input(payment(site=slug)), actor=ADMIN, now=NOW)
        for slug in ("north", "south")
    ]
    assert all(created for _, created in rights)
    assert {row.purpose for row in AuditRow.objects.filter(action="deliver")} == {"rights-admin"}


def test_a_right_without_a_site_counts_where_its_provider_does(
    seller: Seller, organisation: Organisation, site: Site, other_site: Site
) -> None:
    data = {"kind": "exemption", "plate": "EM3RGCY", "reason": "emergency"}
    abroad = make_site(Organisation.objects.create(name="somebody else"), "abroad")
    named, _ = receive(seller, data | {"id": "x1"})
    all_of, _ = receive(make_seller(organisation), data | {"id": "x2"})
    anywhere, _ = right_receive(
        provider=None, data=right_input(data | {"id": "x3"}), actor=ADMIN, now=NOW
    )

    def found(at: Site) -> set[uuid.UUID]:
        return {right.pk for right in registry_rights(at, [ocr_class("EM3RGCY")])}

    assert found(site) == {named.pk, all_of.pk, anywhere.pk}
    assert found(other_site) == {all_of.pk, anywhere.pk}
    assert found(abroad) == {anywhere.pk}
    # and never among the few whose neighbours are forgiven
    assert site_rights(site, FROM, TO) == []


def test_site_rights_are_those_that_touch_the_stay(
    seller: Seller, site: Site, other_site: Site
) -> None:
    seller.provider.sites.add(other_site)

    def interval(start: int, end: int, **more: Any) -> dict[str, Any]:
        at = [(FROM + timedelta(hours=hours)).isoformat() for hours in (start, end)]
        return payment(**{"from": at[0], "to": at[1]}, **more)

    expected = set()
    for number, (start, end, touches) in enumerate(
        [(-2, -1, False), (-2, 0, True), (-2, 5, True), (1, 1, True), (2, 3, True), (3, 4, False)]
    ):
        right, _ = receive(seller, interval(start, end, id=f"p{number}"))
        expected |= {right.pk} if touches else set()
    receive(seller, interval(0, 1, id="elsewhere", site="south"))
    always, _ = receive(seller, {"kind": "permit", "id": "a", "site": "north", "plate": "AA11AAA"})
    since, _ = receive(
        seller,
        {"kind": "permit", "id": "b", "site": "north", "plate": "BB22BBB", "from": TO.isoformat()},
    )
    found = {right.pk for right in site_rights(site, FROM, TO)}
    assert found == expected | {always.pk, since.pk}


def test_rights_are_looked_up_by_index_and_opened_in_one_audited_batch(
    seller: Seller, site: Site, django_assert_num_queries: Any
) -> None:
    for number in range(20):
        receive(seller, payment(id=f"p{number}", plate=f"AB12CD{number}"))
    with django_assert_num_queries(2):
        rights = site_rights(site, FROM, TO)
    assert len(rights) == 20
    with django_assert_num_queries(2):
        (near,) = registry_rights(site, [ocr_class("A812CD7")])
    before = AuditRow.objects.count()
    values = opened([*rights, near])
    assert len(values) == 20  # each once
    row = AuditRow.objects.latest("id")
    assert AuditRow.objects.count() == before + 1
    assert (row.actor_kind, row.count, len(row.tokens)) == ("stage", 20, 20)


# --- going --------------------------------------------------------------------------------------


def test_a_withdrawn_right_keeps_what_it_covered(seller: Seller, site: Site) -> None:
    right, _ = receive(seller, payment())
    middle = FROM + timedelta(hours=1)
    right_withdraw(right_id=right.pk, actor=seller.actor, now=middle, provider=seller.provider)
    again = right_withdraw(right_id=right.pk, actor=seller.actor, now=TO)
    assert again.withdrawn_at == middle
    (value,) = opened(site_rights(site, FROM, TO))
    assert (value.start, value.end) == (FROM, middle)
    assert RightTouch.objects.count() == 2
    assert AuditRow.objects.filter(action="withdraw").count() == 1


def test_a_right_withdrawn_before_it_began_covers_nothing(seller: Seller, site: Site) -> None:
    right, _ = receive(seller, payment())
    right_withdraw(right_id=right.pk, actor=seller.actor, now=NOW)
    assert opened(registry_rights(site, [ocr_class("AB12CDE")])) == []
    newer, _ = receive(seller, payment(version=2), NOW)
    assert [value.id for value in opened(site_rights(site, FROM, TO))] == [str(newer.pk)]
    with pytest.raises(Conflict):
        right_withdraw(right_id=right.pk, actor=seller.actor, now=NOW)


def test_every_version_of_a_zone_payment_is_handed_to_the_judge(
    seller: Seller, zone_site: Site
) -> None:
    seller.provider.sites.add(zone_site)
    data = {
        "kind": "zone-payment",
        "id": "z",
        "plate": "AB12CDE",
        "site": "city",
        "day": "2026-03-02",
    }
    receive(seller, data)
    corrected, _ = receive(
        seller, data | {"version": 2, "plate": "XY99XYZ"}, NOW + timedelta(days=9)
    )
    for text in ("AB12CDE", "XY99XYZ"):
        values = opened(registry_rights(zone_site, [ocr_class(text)]))
        found = sorted((value.version, value.id, value.plates) for value in values)
        assert found == [
            (1, str(corrected.pk), ("AB12CDE",)),
            (2, str(corrected.pk), ("XY99XYZ",)),
        ]


# --- people -------------------------------------------------------------------------------------


def test_a_person_searches_through_the_audit_log(
    seller: Seller, site: Site, other_site: Site
) -> None:
    first, _ = receive(seller, payment())
    second, _ = receive(seller, payment(version=2, to=FROM.isoformat()), NOW + timedelta(hours=1))
    person = Actor("person", "olga", "Demo")

    def search(**change: Any) -> list[Right]:
        values: dict[str, Any] = {
            "plate": "ab-12 cde",
            "sites": [site],
            "actor": person,
            "purpose": "rights-admin",
        }
        return rights_of_plate(**values | change)

    assert search() == [second, first]
    row = AuditRow.objects.latest("id")
    assert (row.actor, row.action, row.purpose) == ("olga", "search", "rights-admin")
    assert row.tokens == [blind.exact("AB12CDE")]
    assert search(sites=[other_site]) == []
    assert search(sites=[]) == []
    assert search(plate="A812CDE") == []  # exactly this plate: equivalents are another person's
    before = AuditRow.objects.count()
    for refused in ({"purpose": ""}, {"purpose": "pipeline"}, {"purpose": "subject-access"}):
        with pytest.raises(BadInput):
            search(**refused)
    assert AuditRow.objects.count() == before


def test_rules_in_force(site: Site) -> None:
    default = rules_at(site, NOW)
    assert default._state.adding
    assert default.consideration_minutes == 5
    for day, minutes in ((1, 7), (20, 9)):
        site.rules.create(
            effective_from=datetime(2026, 3, day, tzinfo=UTC), consideration_minutes=minutes
        )
    assert rules_at(site, datetime(2026, 2, 28, tzinfo=UTC))._state.adding
    assert rules_at(site, datetime(2026, 3, 1, tzinfo=UTC)).consideration_minutes == 7
    assert rules_at(site, datetime(2026, 3, 19, tzinfo=UTC)).consideration_minutes == 7
    assert rules_at(site, datetime(2026, 3, 20, tzinfo=UTC)).consideration_minutes == 9
