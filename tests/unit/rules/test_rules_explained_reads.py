"""Every verdict of a single read explains itself, names the rules it was made by, and takes nothing
for granted that the caller did not say."""

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from enforcement.rights.calendars import Scheme, load_schemes
from enforcement.rights.facts import Reading, Right, SiteRules
from enforcement.rights.outcomes import Judgement, RightKind, Verdict
from enforcement.rights.verdicts import Doubts, judge_vignette, judge_zone, paid_late, weigh
from enforcement.rights.zones import Window, zone_payment

Line = tuple[str | None, str, str, bool, int | None]

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
NOW = datetime(2026, 3, 9, tzinfo=UTC)
NOTHING: Line = (None, "doubt", "no-right-found", True, None)
WINDOW = {"days": [1, 2, 3, 4, 5], "from": "07:00", "to": "18:00", "pay_until": "P3D midnight"}


def scheme(code: str = "CZ") -> Scheme:
    return next(one for one in load_schemes() if one.code == code)


def vignette(id: str, plate: str = "1AB2345", **more: Any) -> Right:
    start, end = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 11, tzinfo=UTC)
    settings: dict[str, Any] = {"country": "CZ", "category": "car", "scheme": "CZ"}
    return Right(id, RightKind.VIGNETTE, (plate,), start=start, end=end, **(settings | more))


def paid(id: str, day: str = "2026-03-02", plate: str = "AB12CDE", **more: Any) -> Right:
    return zone_payment(
        id=id,
        plate=plate,
        country="GB",
        day=date.fromisoformat(day),
        timezone=ZoneInfo("Europe/London"),
        **more,
    )


def on_road(
    *rights: Right,
    text: str = "1AB2345",
    country: str | None = "CZ",
    classes: Any = (),
    **more: Any,
) -> Judgement:
    rules = SiteRules(version="site/7", classes=classes)
    reading = Reading(text, country, 0.95, **more)
    return judge_vignette(reading, AT, scheme=scheme(), rights=rights, rules=rules, now=NOW)


def in_zone(
    *rights: Right, text: str = "AB12CDE", at: datetime = AT, classes: Any = (), **more: Any
) -> Judgement:
    settings: dict[str, Any] = {
        "rules": SiteRules(version="site/7", classes=classes),
        "window": Window.from_data(WINDOW, "Europe/London", "window/3"),
        "now": NOW,
    }
    reading = Reading(text, "GB", 0.95, char_scores=more.pop("char_scores", ()))
    return judge_zone(reading, at, rights=rights, **(settings | more))


def lines(judgement: Judgement) -> list[Line]:
    return [
        (line.right_id, line.kind, line.code, line.applied, line.cost)
        for line in judgement.explanation
    ]


def said(judgement: Judgement) -> tuple[str, str | None, str | None]:
    return judgement.verdict, judgement.reason, judgement.right_id


def test_a_vignette_is_explained() -> None:
    assert lines(on_road(vignette("v"))) == [("v", "vignette", "exact", True, 0)]
    assert lines(on_road(vignette("v", "IAB2345"))) == [
        ("v", "vignette", "ocr-equivalent", True, 0)
    ]
    assert lines(on_road(vignette("v", "1AB2346"))) == [
        ("v", "vignette", "near-in-registry", False, 1),
        NOTHING,
    ]
    assert lines(on_road()) == [NOTHING]
    assert on_road().rules == ("judge/1", "site/7", "CZ/2020-12-01")


def test_several_vignettes_that_could_be_meant_are_explained() -> None:
    two = on_road(vignette("v", "IAB2345"), vignette("w", "LAB2345"))
    assert lines(two)[-1] == (None, "doubt", "several-candidates", True, None)
    countries = on_road(vignette("v"), vignette("w", country="SK"), country=None)
    assert lines(countries)[-1] == (None, "doubt", "two-countries", True, None)


def test_an_exemption_is_explained() -> None:
    electric = on_road(text="EL123AB")
    assert said(electric) == ("exempt", "exemption", None)
    assert lines(electric) == [(None, "scheme", "exempt-by-series", True, None)]
    lorry = on_road(category="over-3.5t")
    assert lines(lorry) == [(None, "scheme", "toll-instead", True, None)]


@pytest.mark.parametrize(
    ("kinds", "named", "verdict"),
    [
        ((RightKind.EXEMPTION, RightKind.PERMIT, RightKind.VIGNETTE), "0", "exempt"),
        ((RightKind.VIGNETTE, RightKind.PERMIT, RightKind.EXEMPTION), "2", "exempt"),
        ((RightKind.VIGNETTE, RightKind.PERMIT), "1", "permitted"),
        ((RightKind.VIGNETTE, RightKind.VIGNETTE), "0", "paid"),
    ],
)
def test_the_right_that_asks_least_is_named(
    kinds: tuple[RightKind, ...], named: str, verdict: str
) -> None:
    start, end = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 11, tzinfo=UTC)
    rights = [Right(str(n), kind, ("1AB2345",), "CZ", start, end) for n, kind in enumerate(kinds)]
    assert said(on_road(*rights))[::2] == (verdict, named)


def test_a_sites_own_classes_count_at_single_reads() -> None:
    assert said(on_road(vignette("v", "UU12345"), text="VU12345"))[0] == "unpaid"
    own = on_road(vignette("v", "UU12345"), text="VU12345", classes=("UV",))
    assert said(own) == ("excused", "ocr-equivalent", "v")
    assert said(in_zone(paid("z", plate="ABUUUUE"), text="ABVUUUE"))[0] == "unpaid"
    zone = in_zone(paid("z", plate="ABUUUUE"), text="ABVUUUE", classes=("UV",))
    assert said(zone) == ("excused", "ocr-equivalent", "z")


def test_the_readers_doubt_counts_in_a_zone() -> None:
    # AB12COE is a plate of its own: it excuses only where the reader was unsure of the D
    alike = paid("z", plate="AB12COE")
    unsure = in_zone(alike, char_scores=(0.9, 0.9, 0.9, 0.9, 0.9, 0.79, 0.9))
    assert said(unsure) == ("excused", "ocr-equivalent", "z")
    sure = in_zone(alike, char_scores=(0.9, 0.9, 0.9, 0.9, 0.9, 0.80, 0.9))
    assert said(sure) == ("unpaid", "no-right", None)


def test_a_zone_payment_is_explained() -> None:
    judgement = in_zone(paid("z"))
    assert said(judgement) == ("paid", "zone-payment", "z")
    assert lines(judgement) == [("z", "zone-payment", "exact", True, 0)]
    assert judgement.rules == ("judge/1", "site/7", "window/3")


def test_a_payment_after_the_deadline_is_explained() -> None:
    late = paid("z", known_at=datetime(2026, 3, 6, 0, 0, 1, tzinfo=UTC))
    assert lines(in_zone(late)) == [NOTHING, ("z", "zone-payment", "not-in-time", False, 0)]
    in_time = paid("z", known_at=datetime(2026, 3, 6, tzinfo=UTC))
    assert said(in_zone(in_time)) == ("paid", "zone-payment", "z")


@pytest.mark.parametrize("day", ["2026-03-01", "2026-03-03"])
def test_a_payment_for_another_day_says_nothing(day: str) -> None:
    assert said(in_zone(paid("z", day))) == ("unpaid", "no-right", None)
    assert lines(in_zone(paid("z", day))) == [NOTHING]


def test_nothing_is_charged_outside_the_window() -> None:
    sunday = in_zone(at=datetime(2026, 3, 1, 12, tzinfo=UTC))
    assert said(sunday) == ("none", "outside-window", None)
    assert lines(sunday) == [(None, "window", "outside-window", True, None)]
    assert sunday.rules == ("judge/1", "site/7", "window/3")


def test_a_day_that_was_accused_and_is_paid_is_paid_late() -> None:
    judgement = in_zone(paid("z"), accused_before=True)
    assert said(judgement) == ("paid", "paid-late", "z")
    assert lines(judgement)[-1] == (None, "history", "paid-late", True, None)
    unpaid = in_zone(accused_before=True)
    assert paid_late(unpaid, accused_before=True) == unpaid


@pytest.mark.parametrize("judge", [judge_vignette, judge_zone])
def test_a_quarantined_read_is_explained(judge: Any) -> None:
    by: dict[str, Any] = {"scheme": scheme()}
    if judge is judge_zone:
        by = {"window": Window.from_data(WINDOW, "Europe/London", "window/3")}
    judgement = judge(
        Reading("AB12CDE", "GB", 0.9),
        AT,
        rights=(),
        rules=SiteRules(version="site/7"),
        now=NOW,
        quarantined=True,
        **by,
    )
    assert said(judgement) == ("none", "clock-skew", None)
    assert lines(judgement) == [(None, "doubt", "clock-skew", True, None)]
    assert judgement.rules[:2] == ("judge/1", "site/7")
    assert len(judgement.rules) == 3


DOUBTS: list[tuple[dict[str, Any], tuple[str, str]]] = [
    ({"contradiction": "contradiction"}, ("review", "contradiction")),
    ({"fuzzy": True}, ("review", "fuzzy-pairing")),
    ({"confidence": 0.79}, ("review", "low-confidence")),
    ({"country": None}, ("review", "country-unknown")),
    ({"awaiting_camera": True}, ("pending", "awaiting-camera")),
    ({"suspended": True}, ("unpaid", "site-suspended")),
]
"""What stands before an accusation, in the order in which it is looked at."""


@pytest.mark.parametrize("first", range(len(DOUBTS)))
def test_the_first_doubt_that_applies_gives_the_reason(first: int) -> None:
    found = {key: value for one, _ in DOUBTS[first:] for key, value in one.items()}
    reading = Reading("AB12CDE", found.pop("country", "GB"), found.pop("confidence", 0.80))
    over = Judgement(Verdict.OVERSTAY, None, "p1", 12)
    held = weigh(over, (reading,), SiteRules(), Doubts(**found))
    verdict, reason = DOUBTS[first][1]
    assert said(held) == (verdict, reason, "p1")
    assert held.overstay_min == 0
    assert lines(held) == [(None, "doubt", reason, True, None)]


def test_without_doubt_an_overstay_stays_one() -> None:
    over = Judgement(Verdict.OVERSTAY, None, "p1", 12)
    assert weigh(over, (Reading("AB12CDE", "GB", 0.80),), SiteRules(), Doubts()) == over


def test_too_fast_at_a_suspended_site_is_still_too_fast_and_accuses_nobody() -> None:
    fast = Judgement(Verdict.TOO_FAST, None, None)
    held = weigh(fast, (Reading("AB12CDE", "GB", 0.9),), SiteRules(), Doubts(suspended=True))
    assert said(held) == ("too-fast", "site-suspended", None)
