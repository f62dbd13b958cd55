"""A verdict that still asks for a case, but for another than the one a person has confirmed."""

from datetime import timedelta

import pytest

from core.errors import Conflict
from enforcement.cases.models import Case
from tests.integration.cases.lives import act, confirm, issue, person, policy, unpaid
from tests.integration.visits.world import World, at, car_park

pytestmark = pytest.mark.django_db(databases=["default", "keys"])


@pytest.fixture
def park() -> World:
    return car_park()


def test_no_notice_says_what_is_no_longer_the_verdict(park: World) -> None:
    """An hour without a right was confirmed; then half of it turns out to be paid."""
    policy(park)
    olga = person("olga")
    case = confirm(unpaid(park), olga, park.now)
    assert (case.verdict, case.reason) == ("unpaid", "no-right")
    park.now += timedelta(minutes=5)
    park.right("payment", "1AB2345", country="CZ", from_=at("09:00"), to=at("09:30"))
    park.judge()
    act(park)
    with pytest.raises(Conflict) as refused:
        issue(case.pk, olga, park.now)
    assert refused.value.code == "withdrawal_asked"
    case.refresh_from_db()
    assert (case.state, case.withdrawal_reason) == ("confirmed", "verdict-changed")


def test_nor_before_the_stage_has_flagged_it(park: World) -> None:
    policy(park)
    olga = person("olga")
    case = confirm(unpaid(park), olga, park.now)
    other = unpaid(park, "3CD4567", day=1)
    park.now += timedelta(minutes=5)
    for plate, day in (("1AB2345", 0), ("3CD4567", 1)):
        park.right("payment", plate, country="CZ", from_=at("09:00", day), to=at("09:30", day))
    park.judge()
    for step in (
        lambda: issue(case.pk, olga, park.now),
        lambda: confirm(other, olga, park.now),
    ):
        with pytest.raises(Conflict) as refused:
            step()
        assert refused.value.code == "verdict_turned"
    act(park)
    assert Case.objects.get(pk=other.pk).verdict == "overstay"
    confirm(other, olga, park.now)
    issue(other.pk, olga, park.now)


def test_a_notice_that_is_out_is_flagged_where_it_asks_for_more_than_the_verdict(
    park: World,
) -> None:
    policy(park)
    olga = person("olga")
    case = confirm(unpaid(park), olga, park.now)
    issue(case.pk, olga, park.now)
    park.now += timedelta(minutes=5)
    park.right("payment", "1AB2345", country="CZ", from_=at("09:00"), to=at("09:30"))
    park.judge()
    act(park)
    case.refresh_from_db()
    assert (case.state, case.withdrawal_reason) == ("notice-issued", "verdict-changed")
    assert case.verdict == "unpaid"  # what went out is not changed
    events = case.events.count()
    act(park)
    assert case.events.count() == events


def test_a_return_that_is_paid_changes_nothing_about_the_stay_before(park: World) -> None:
    """The reason turns from no-right to right-not-started; it is as unpaid as before."""
    policy(park)
    olga = person("olga")
    case = confirm(unpaid(park), olga, park.now)
    park.now += timedelta(minutes=5)
    park.right("payment", "1AB2345", country="CZ", from_=at("15:00"), to=at("16:00"))
    park.judge()
    act(park)
    issue(case.pk, olga, park.now)
    case.refresh_from_db()
    assert (case.state, case.withdrawal_asked_at) == ("notice-issued", None)


def test_no_notice_names_an_exit_that_was_not_the_visits(park: World) -> None:
    """An hour and a half without a right was confirmed; an offline camera saw it leave earlier."""
    policy(park)
    olga = person("olga")
    park.read("in", "1AB2345", at("09:00"))
    park.read("out", "1AB2345", at("10:30"))
    park.settle(at("10:35"))
    act(park)
    case = confirm(Case.objects.get(), olga, park.now)
    park.now = at("11:00")
    park.read("out", "1AB2345", at("09:30"))
    park.judge()
    act(park)
    with pytest.raises(Conflict):
        issue(case.pk, olga, park.now)
    assert Case.objects.get(pk=case.pk).state == "confirmed"


def test_a_verdict_found_anew_that_says_the_same_hinders_nothing(park: World) -> None:
    policy(park)
    olga = person("olga")
    case = confirm(unpaid(park), olga, park.now)
    park.right("payment", "9ZZ9999", country="CZ", from_=at("09:00"), to=at("09:30"))
    park.judge()
    act(park)
    issue(case.pk, olga, park.now)
    assert Case.objects.get().state == "notice-issued"
