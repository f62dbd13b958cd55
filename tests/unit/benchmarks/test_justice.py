"""The simulator: truth is known, what is planted is caught, and blamed on what was planted."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from xml.dom import minidom

import pytest

from benchmarks import (
    _justice_judge,
    _justice_report,
    _justice_roads,
    _justice_run,
    justice,
)
from benchmarks._justice_carpark import SEASONS, UNLAWFUL, CarPark
from benchmarks._justice_causes import OF_VIOLATOR, Count, Truth, cause_of, count
from benchmarks._justice_gantry import ROADS, Drive, Gantry, Registry, last_day
from benchmarks._justice_gather import gather
from benchmarks._justice_judge import Judge, Rights
from benchmarks._justice_naive import EXACT, FIRST_LAST, OWN, tallies
from benchmarks._justice_reader import Reader, Sight, load_table
from benchmarks._justice_roads import Road
from benchmarks._justice_tariff import charged, charged_time, evening, tariff
from benchmarks._justice_truth import (
    EVERYTHING,
    NOTHING,
    Crossing,
    Look,
    Noise,
    Outage,
    Paid,
    SiteMonth,
    Stay,
)
from enforcement.rights.calendars import Scheme, scheme_data
from enforcement.rights.facts import Right
from enforcement.rights.outcomes import CaseState, Reason, RightKind, Role, case_state
from enforcement.visits import pairing
from enforcement.visits.pairing import Visit
from inference.voting import Seen

TABLE = load_table()
PLATE = "AB12CDE"
DAY = datetime(2028, 3, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def perfect() -> Reader:
    return Reader(TABLE, scale=0)


def at(clock: str, day: int = 0) -> datetime:
    hour, minute = clock.split(":")
    return DAY + timedelta(days=day, hours=int(hour), minutes=int(minute))


def crossing(
    name: str, when: str, *, plate: str = PLATE, read_as: str = "", day: int = 0, **more: Any
) -> Crossing:
    """One sight in two frames; entries end in `i`, exits in `o`."""
    text = read_as or plate
    seen = Seen(text, 0.97, (0.98,) * len(text), ((text, 0.97),))
    return Crossing(
        id=name,
        camera="in" if name.endswith("i") else "out",
        role=Role.ENTRY if name.endswith("i") else Role.EXIT,
        at=at(when, day),
        plate=plate,
        country="GB",
        looks=(Look(timedelta(0), Sight((seen, seen), "GB")),),
        **more,
    )


def paid(start: str, end: str, *, typed: str = PLATE, known: str = "", number: int = 0) -> Paid:
    right = Right(
        id=f"p{number}",
        kind=RightKind.PAYMENT,
        plates=(typed,),
        start=at(start),
        end=at(end),
        known_at=at(known or start),
    )
    return Paid(right, (PLATE,), at(start))


def month(
    crossings: list[Crossing],
    payments: list[Paid],
    *,
    lawful: bool = True,
    outages: list[Outage] | None = None,
) -> SiteMonth:
    """A car park in which one vehicle came as often as it crossed the entry."""
    first = datetime(2028, 2, 26, tzinfo=UTC)
    made = SiteMonth(
        0, first, first + timedelta(days=30), {"in": Role.ENTRY, "out": Role.EXIT}, None
    )
    made.crossings, made.paid, made.outages = crossings, payments, outages or []
    ends = {one.id[:-1]: one for one in crossings if one.role is Role.EXIT}
    for one in crossings:
        if one.role is Role.ENTRY:
            leave = ends[one.id[:-1]].at
            name = f"s{one.id[:-1]}"
            made.stays.append(Stay(name, one.plate, one.at, leave, lawful, "planted"))
    return made


def counted(made: SiteMonth) -> Count:
    judge = Judge(made)
    return count(made, judge, judge.run())


# --- what is planted is caught, and blamed on what was planted ------------------------------------

PLANTED: dict[str, tuple[SiteMonth, dict[str, int]]] = {
    "nothing wrong": (
        month([crossing("0i", "9:00"), crossing("0o", "10:00")], [paid("9:01", "10:30")]),
        {},
    ),
    "both gates misread alike": (
        month(
            [
                crossing("0i", "9:00", read_as="AB99XYZ"),
                crossing("0o", "10:00", read_as="AB99XYZ"),
            ],
            [paid("9:01", "10:30")],
        ),
        {"misread": 1},
    ),
    "a payment typed as another plate": (
        month(
            [crossing("0i", "9:00"), crossing("0o", "10:00")],
            [paid("9:01", "10:30", typed="XY77ZZZ")],
        ),
        {"typed (as another plate)": 1},
    ),
    "a slip that would be forgiven, and a plate misread beyond": (
        month(
            [
                crossing("0i", "9:00", read_as="AB92CDX"),
                crossing("0o", "10:00", read_as="AB92CDX"),
            ],
            [paid("9:01", "10:30", typed="AV12CDE")],
        ),
        {"misread, and typed with a slip": 1},
    ),
    "a payment handed on hours later": (
        month(
            [crossing("0i", "9:00"), crossing("0o", "10:00")],
            [paid("9:01", "10:30", known="16:00")],
        ),
        {"known-late": 1},
    ),
    "a double dip whose middle was unseen": (
        month(
            [
                crossing("0i", "9:00"),
                crossing("0o", "9:50", hidden=True),
                crossing("1i", "15:00", hidden=True),
                crossing("1o", "15:04"),
            ],
            [paid("9:01", "10:00")],
        ),
        {"missed": 1},
    ),
    "an entry's clock behind": (
        month(
            [
                crossing("0i", "9:00", clock=timedelta(minutes=-20)),
                crossing("0o", "10:00"),
            ],
            [paid("9:01", "10:30")],
        ),
        {"clock": 1},
    ),
    "a late payment, and typed as another plate": (
        month(
            [crossing("0i", "9:00"), crossing("0o", "10:00")],
            [paid("9:01", "10:30", typed="XY77ZZZ", known="16:00")],
        ),
        {"known-late + typed (as another plate)": 1},
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_wrong_is_caught_and_blamed_on_its_cause(name: str) -> None:
    made, wrongful = PLANTED[name]
    found = counted(made)
    assert dict(found.wrongful) == wrongful
    late = "known-late" in wrongful  # by the operator's day the payment has come
    assert sum(found.confirmed.values()) == (0 if late else len(wrongful))


def test_a_slip_of_typing_or_reading_is_forgiven_and_an_offline_camera_waited_for() -> None:
    late = Outage("out", at("9:30"), at("11:00"), at("11:10"))
    made = month(
        [
            crossing("0i", "9:00", read_as="AB12CDF"),
            crossing("0o", "10:00", read_as="AB12CDF", delay=timedelta(minutes=65)),
        ],
        [paid("9:01", "10:30"), paid("9:01", "9:02", typed="XY77ZZZ", number=1)],
        outages=[late],
    )
    found = counted(made)
    assert (found.lawful, found.candidates, found.reviews) == (1, 0, 0)


def test_a_clock_known_to_lag_accuses_nobody() -> None:
    gates = [
        crossing("0i", "9:00", clock=timedelta(minutes=-20), lagging=True),
        crossing("0o", "10:00"),
    ]
    found = counted(month(gates, [paid("9:01", "10:30")]))
    assert (found.lawful, found.candidates, found.reviews) == (1, 0, 0)
    found = counted(month(gates, [], lawful=False))
    assert (found.found, dict(found.missed)) == (0, {"clock off": 1})


def test_a_violation_is_found_and_one_under_another_plate_accuses_wrongly() -> None:
    gates = [crossing("0i", "9:00"), crossing("0o", "10:00")]
    found = counted(month(gates, [], lawful=False))
    assert (found.unlawful, found.found, found.candidates) == (1, 1, 1)
    assert not found.wrongful
    gates = [
        crossing("0i", "9:00", read_as="XY77ZZZ"),
        crossing("0o", "10:00", read_as="XY77ZZZ"),
    ]
    found = counted(month(gates, [], lawful=False))
    assert dict(found.wrongful) == {f"misread, {OF_VIOLATOR}": 1}
    assert (found.found, dict(found.missed)) == (0, {"misread": 1})


def test_a_violation_nobody_could_see_is_missed_and_says_why() -> None:
    gates = [crossing("0i", "9:00"), crossing("0o", "10:00", hidden=True)]
    found = counted(month(gates, [], lawful=False))
    assert (found.found, dict(found.missed)) == (0, {"passed unseen": 1})


def test_a_fault_planted_in_the_rules_is_blamed_on_the_rules(
    monkeypatch: pytest.MonkeyPatch, perfect: Reader
) -> None:
    """Pairing that takes the last exit for the next: no noise is to blame for the double dips."""

    def first_in_last_out(passages: Any, **more: Any) -> list[Visit]:
        visits = honest(passages, **more)
        last = {visit.text: visit for visit in visits if visit.exit is not None}
        return [
            Visit(visit.entry, last[visit.text].exit, visit.status, last[visit.text].end)
            if visit.exit is not None and visit.text in last
            else visit
            for visit in visits
        ]

    honest = pairing.pair
    made = month(
        [
            crossing("0i", "9:00"),
            crossing("0o", "10:00"),
            crossing("1i", "15:00"),
            crossing("1o", "15:04"),
        ],
        [paid("9:01", "10:30")],
    )
    assert not counted(made).wrongful
    monkeypatch.setattr(_justice_judge, "pair", first_in_last_out)
    assert counted(made).wrongful["rules"] == 1


def test_the_double_dip_is_the_naive_enforcers_own_fault() -> None:
    made = month(
        [
            crossing("0i", "9:00"),
            crossing("0o", "10:00"),
            crossing("1i", "15:00"),
            crossing("1o", "15:04"),
        ],
        [paid("9:01", "10:30")],
    )
    naive = tallies(made, Judge(made))
    assert naive[FIRST_LAST].wrongful[OWN] == 1
    assert not naive[EXACT].wrongful


def test_causes_are_sought_one_by_one_then_in_pairs() -> None:
    both = {Noise.TYPED, Noise.CLOCK}
    assert cause_of(lambda without: not both <= without) == "typed + clock"
    assert cause_of(lambda without: Noise.CLOCK not in without) == "clock"
    assert cause_of(lambda without: True) == "rules"
    three = {Noise.TYPED, Noise.CLOCK, Noise.MISREAD}
    assert cause_of(lambda without: not three <= without) == "several"


# --- without noise there is nothing to forgive ----------------------------------------------------


@pytest.mark.parametrize("number", range(6))
def test_without_noise_everybody_is_judged_rightly(number: int, perfect: Reader) -> None:
    """Every car park of the small size: no lawful stay is accused, every violation has its case but
    one that a neighbour's payment, used by nobody, may have been meant for."""
    made = CarPark(5, number, 900, perfect).make()
    judge = Judge(made, EVERYTHING)
    truth, played = Truth(made), judge.run()
    assert [case.judgement for case in played.cases if not truth.rightful(case)] == []
    unlawful = [stay for stay in made.stays if not stay.lawful]
    assert unlawful
    assert {stay.kind for stay in unlawful} <= UNLAWFUL | {"permit in use"}
    for stay in unlawful:
        cases = [case for case in played.cases if case.plate == stay.plate]
        if not any(case.overlaps(stay.enter, stay.leave) for case in cases):
            now = stay.leave + timedelta(hours=1)
            site = judge.paired(now)
            (visit,) = [one for one in site.visits if one.id == f"{stay.id[1:]}i"]
            assert judge.judged(site, visit, now).reason is Reason.KEYING_ERROR


def drives_of(scheme: str, reader: Reader, size: int = 3000) -> Iterator[tuple[Road, Drive]]:
    number = next(n for n, road in enumerate(ROADS) if road.scheme == scheme)
    registry = Registry(5, ROADS[number], size, SEASONS[number % 2])
    road = Road(registry)
    for day in range(30):
        today = SEASONS[number % 2] + timedelta(days=day)
        for drive in Gantry(5, registry, today, reader).drives(60):
            yield road, drive


@pytest.mark.parametrize("scheme", ["CZ", "SK", "AT", "HU"])
def test_without_noise_every_calendar_agrees_with_the_dates_sold(
    scheme: str, perfect: Reader
) -> None:
    """Over the leap day or a night in which clocks change, up to minutes beside midnight."""
    kinds = set()
    for road, drive in drives_of(scheme, perfect):
        reading = _justice_roads.voted(drive, EVERYTHING)
        assert reading is not None
        judgement = road.judged(drive, reading, drive.at, EVERYTHING)
        accused = case_state(judgement) is CaseState.CANDIDATE
        assert accused is not drive.lawful, (drive.kind, drive.at, judgement)
        kinds.add(drive.kind)
    assert {"no vignette", "before the purchase", "annual vignette"} <= kinds
    assert any(kind.startswith("first minutes") for kind in kinds)
    assert ("exempt" in kinds) is (scheme == "CZ")
    assert ("bought within the hour after" in kinds) is (scheme == "HU")


def test_a_fault_planted_in_a_calendar_is_blamed_on_the_rules(
    monkeypatch: pytest.MonkeyPatch, perfect: Reader
) -> None:
    """A scheme in the wrong time zone moves every midnight."""
    wrong = tuple(Scheme.from_data({**one, "timezone": "Europe/London"}) for one in scheme_data())
    made = Count()
    for road, drive in drives_of("SK", perfect):
        road.schemes = wrong
        made.add(road.play([drive])[0])
    assert made.wrongful["rules"] > 0
    assert {kind.split(":")[0] for kind in made.kinds if "minutes" in kind} == {"rules"}


@pytest.mark.parametrize(
    ("scheme", "product", "first", "last"),
    [
        ("CZ", "1-day", date(2028, 2, 29), date(2028, 2, 29)),
        ("CZ", "10-day", date(2028, 2, 25), date(2028, 3, 5)),
        ("CZ", "month", date(2028, 2, 28), date(2028, 3, 28)),
        ("CZ", "annual", date(2028, 2, 29), date(2029, 2, 28)),
        ("CZ", "annual", date(2027, 3, 1), date(2028, 2, 29)),
        ("SK", "annual", date(2028, 1, 1), date(2028, 12, 30)),
        ("AT", "month", date(2027, 12, 31), date(2028, 2, 29)),
        ("HU", "month", date(2028, 1, 31), date(2028, 2, 29)),
        ("HU", "month", date(2028, 10, 15), date(2028, 11, 15)),
    ],
)
def test_last_days_as_the_shops_print_them(
    scheme: str, product: str, first: date, last: date
) -> None:
    assert last_day(scheme, product, first) == last


def test_the_sign_and_the_tariff_say_the_same() -> None:
    one, rng = tariff(), Random(4)
    for _ in range(300):
        start = datetime(2028, 3, 24, tzinfo=UTC) + timedelta(minutes=rng.randrange(6 * 1440))
        end = start + timedelta(minutes=rng.randrange(1, 900))
        costs = one.charge(start, end).amount > 0
        assert costs is (charged_time(start, end) > timedelta(minutes=30))
    assert not charged(datetime(2028, 3, 1, 12, tzinfo=UTC))  # a holiday
    assert evening(datetime(2028, 3, 27, 9, tzinfo=UTC)) == datetime(2028, 3, 27, 19, tzinfo=UTC)


# --- playing, counting, telling -------------------------------------------------------------------


def test_looking_up_near_rights_changes_no_verdict() -> None:
    made = CarPark(3, 0, 240, Reader(TABLE)).make()
    judge = Judge(made)
    now = made.first + timedelta(days=12)
    site = judge.paired(now)
    near = [judge.judged(site, visit, now) for visit in site.visits]

    class All(Rights):
        def near(self, texts: Any) -> list[Right]:
            return self._rights

    judge.rights = All(one.as_known(NOTHING) for one in made.paid)
    every = [judge.judged(site, visit, now) for visit in site.visits]
    assert len(near) > 20
    for one, other in zip(near, every, strict=True):
        assert (one.verdict, one.reason, one.right_id) == (
            other.verdict,
            other.reason,
            other.right_id,
        )


def test_reads_in_view_are_one_passage_and_two_vehicles_are_two() -> None:
    waits = crossing("0i", "9:00")
    waits.looks = tuple(Look(timedelta(seconds=20 * n), waits.looks[0].sight) for n in range(4))
    behind = crossing("1i", "9:00", plate="AB12CDF")
    reads = [read for one in (waits, behind) for read in one.reads(NOTHING)]
    passages, received = gather(reads)
    assert sorted(one.reading.text for one in passages) == [PLATE, "AB12CDF"]
    assert received["0i"] == max(read.received for read in reads if read.crossing is waits)
    reading = next(one.reading for one in passages if one.reading.text == PLATE)
    assert reading.agreed
    assert reading.country == "GB"


def plain(workers: int, seed: int = 1) -> list[Any]:
    plan = _justice_run.Plan(
        seed,
        500,
        (
            _justice_run.Variant("as measured", 120, 240),
            _justice_run.Variant("correlation 1", 60, 0, correlation=1.0),
        ),
    )
    return [one.as_json() for one in _justice_run.run(plan, workers)]


def test_the_same_seed_gives_the_same_figures_however_many_processes() -> None:
    alone = plain(1)
    assert plain(2) == alone
    assert plain(1, seed=2) != alone


def test_the_command_tells_draws_and_keeps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(justice, "RESULTS", tmp_path)
    size = ["--passages", "900", "--vignettes", "1000", "--workers", "1"]
    assert justice.main([*size, "--correlations", "1", "--json"]) == 0
    told = capsys.readouterr()
    kept = json.loads((tmp_path / "justice.json").read_text())
    assert json.loads(told.out.splitlines()[-1]) == kept
    assert "Targets" in told.out
    assert "passages, " in told.err
    assert kept["commit"]
    assert list(kept["runs"]) == ["as measured", "European pictures", "correlation 1"]
    main = kept["runs"]["as measured"]
    assert main["car_parks"]["lawful"] > 150
    assert main["gantries"]["lawful"] > 300
    drawing = minidom.parse(str(tmp_path / "justice.svg"))  # noqa: S318  (our own)
    said = {one.firstChild.data for one in drawing.getElementsByTagName("text")}  # type: ignore[union-attr]
    assert "Car parks: ours, all causes" in said
    for name, came, held in _justice_report.targets(main):
        assert name in told.out
        assert came in told.out
        assert isinstance(held, bool)


@pytest.mark.parametrize(
    "wrong",
    [["--passages", "0"], ["--correlations", "2"], ["--correlations", "x"], ["--workers", "0"]],
)
def test_sizes_that_make_no_sense_are_refused(
    wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert justice.main(wrong) == 2
    assert "between 0 and 1" in capsys.readouterr().err


def test_limits_of_a_rate_from_a_count() -> None:
    assert _justice_report.bounds(0, 100_000) == pytest.approx((0.0, 3.689), abs=0.001)
    assert _justice_report.bounds(10, 100_000) == pytest.approx((4.795, 18.39), abs=0.01)


@pytest.mark.parametrize(
    ("cause", "name"),
    [
        ("rules", _justice_report.RULES),
        ("missed", _justice_report.PAIRING),
        ("offline", _justice_report.PAIRING),
        ("typed (one slip)", _justice_report.TYPED),
        ("typed (two slips)", _justice_report.TYPED),
        ("typed (as another plate)", _justice_report.FAR),
        ("typed", _justice_report.FAR),
        ("misread", _justice_report.MISREAD),
        (f"misread, {OF_VIOLATOR}", _justice_report.OTHER_PLATE),
        ("clock", _justice_report.CLOCK),
        ("misread, and typed with a slip", _justice_report.MISREAD),
        ("missed, and typed with a slip", _justice_report.PAIRING),
        ("category", _justice_report.CATEGORY),
        ("known-late", _justice_report.LATE),
        ("known-late + typed (as another plate)", _justice_report.SEVERAL),
        ("several", _justice_report.SEVERAL),
    ],
)
def test_every_cause_is_reported_somewhere(cause: str, name: str) -> None:
    assert _justice_report.group(cause) == name
