"""Scenarios through the product's services: those that ship, and random days by two ways."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from core.errors import ProductError
from enforcement.rights.models import Right
from plates.models import PlateRead
from scenarios.parsing import scenario_of
from scenarios.player import play
from tests.unit.rules.ruleplay import Played, said
from tests.unit.scenarios import days

pytestmark = pytest.mark.django_db(databases=["default", "keys"])

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted((ROOT / "scenarios" / "rules").glob("*/*.json"))
Output = dict[str, Any]

# one database serves all examples, since each takes itself back; no seed is simpler than another
modest = settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
seeds = st.integers(0, 2**32)


def played(scenario: dict[str, Any]) -> Output:
    return play(scenario_of(scenario))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_wrong_is_prevented(path: Path) -> None:
    data = json.loads(path.read_text(encoding="utf-8"))
    assert data["why"]
    assert json.dumps(played(data)) == json.dumps(data["expect"]), "also the order of keys"


# --- two ways of computing the same ---------------------------------------------------------------


def by_rules(scenario: dict[str, Any]) -> list[Output]:
    """Visits, or reads of a road, as the pure rules alone say."""
    known = [read for read in scenario["reads"] if read["received_at"] <= scenario["now"]]
    rules = Played({**scenario, "reads": known})
    if rules.kind == "parking":
        visits = [rules.visit(place) for place in range(len(rules.visits))]
        return sorted(visits, key=_first_read)
    return [{"id": name, **said(rules.verdicts[name])} for name in rules.reads]


def by_services(scenario: dict[str, Any]) -> list[Output]:
    """The same as the product says, each with the state of its case."""
    output = played(scenario)
    case_of = {read: case["state"] for case in output["cases"] for read in case["reads"]}
    if scenario["site"]["kind"] == "parking":
        visits = sorted(output["visits"], key=_first_read)
        return [{**visit, "case": case_of.get(_first_read(visit))} for visit in visits]
    return [{**read, "case": case_of.get(read["id"])} for read in output["reads"]]


def _first_read(visit: Output) -> str:
    return str(visit["entry"] or visit["exit"])


@modest
@given(seeds)
def test_a_car_park_by_services_and_by_rules(seed: int) -> None:
    scenario = days.car_park(seed)
    assert by_services(scenario) == by_rules(scenario)


@modest
@given(seeds)
def test_a_gantry_by_services_and_by_rules(seed: int) -> None:
    scenario = days.gantry(seed)
    assert by_services(scenario) == by_rules(scenario)


@modest
@given(seeds)
def test_a_zone_by_services_and_by_rules(seed: int) -> None:
    """A zone's day shares a case, so only whether a read has one is compared."""
    scenario = days.zone(seed)
    services, rules = by_services(scenario), by_rules(scenario)
    for output in (*services, *rules):
        output["case"] = output["case"] is not None
    assert services == rules


# --- the order in which reads arrive --------------------------------------------------------------


def timeless(output: Output) -> Output:
    """An output without `paid-late`, the one reason that speaks of what was thought before."""

    def reason(line: Output) -> Output:
        late = line.get("verdict") == "paid"
        return {**line, "reason": "paid"} if late else line

    return {
        **output,
        "visits": [reason(visit) for visit in output["visits"]],
        "reads": [reason(read) for read in output["reads"]],
    }


@modest
@given(st.sampled_from([days.car_park, days.gantry, days.zone]), seeds, seeds)
def test_the_order_of_arrival_changes_nothing(day: Any, seed: int, order: int) -> None:
    scenario = day(seed)
    scenario["now"] = days.minute(14_500)
    scenario["watchlist"] = [
        {"plate": plate, "country": "CZ", "list": "stolen", "expires": days.minute(5000)}
        for plate in days.PLATES[::2]
    ]
    for read in scenario["reads"]:
        read["received_at"] = read["at"]
    straight = timeless(played(scenario))
    chance = random.Random(order)
    for read in scenario["reads"]:
        read["received_at"] = days.later(read["at"], chance.randint(0, 4 * 86_400))
    assert timeless(played(scenario)) == straight


def test_an_exit_days_after_the_longest_stay_is_the_expired_visits() -> None:
    scenario = car_park([seen("in", "in", "09:00:00", "AB12CDE")])
    late = seen("out", "out", "09:00:00", "AB12CDE") | {"at": "2026-03-06T09:00:00+00:00"}
    scenario["reads"].append({**late, "received_at": late["at"]})
    scenario["site"]["max_stay_min"] = 60
    scenario["now"] = "2026-03-07T00:00:00+00:00"
    visits = played(scenario)["visits"]
    assert [(visit["status"], visit["exit"]) for visit in visits] == [("expired", "out")]


# --- what a late read leaves of a case ------------------------------------------------------------


def seen(name: str, camera: str, clock: str, plate: str, received: str = "") -> dict[str, Any]:
    return {
        "id": name,
        "camera": camera,
        "at": f"2026-03-02T{clock}+00:00",
        "received_at": f"2026-03-02T{received or clock}+00:00",
        "plate": plate,
        "country": "GB",
        "confidence": 0.97,
    }


def car_park(reads: list[dict[str, Any]]) -> dict[str, Any]:
    cameras = [{"id": "in", "role": "entry"}, {"id": "out", "role": "exit"}]
    return {
        "name": "",
        "now": "2026-03-02T20:00:00+00:00",
        "site": {"kind": "parking", "timezone": "UTC", "cameras": cameras},
        "reads": reads,
    }


def test_a_case_follows_its_visit_to_another_exit() -> None:
    output = played(
        car_park(
            [
                seen("in", "in", "09:00:00", "AB12CDE"),
                seen("later", "out", "10:00:46", "AB12CDE"),
                seen("first", "out", "10:00:00", "AB12CDE", received="12:00:00"),
            ]
        )
    )
    assert output["cases"][0]["reads"] == ["in", "first"]


@pytest.mark.parametrize("misread", ["AB12CDF", "AB12CED", "AB12CD", "A812CDE"])
def test_one_frame_of_three_is_outvoted(misread: str) -> None:
    frames = [seen(f"r{n}", "in", f"09:00:0{n}", "AB12CDE") for n in (1, 2)]
    reads = [
        seen("r0", "in", "09:00:00", misread),
        *frames,
        seen("out", "out", "10:00:00", "AB12CDE"),
    ]
    output = played(car_park(reads))
    assert [(visit["plate"], visit["entry"]) for visit in output["visits"]] == [("AB12CDE", "r0")]
    assert [case["state"] for case in output["cases"]] == ["candidate"]


def test_two_frames_that_differ_accuse_nobody() -> None:
    frames = [seen("r0", "in", "09:00:00", "AB12CDE"), seen("r1", "in", "09:00:01", "AB12CDF")]
    output = played(car_park([*frames, seen("out", "out", "10:00:00", "AB12CDE")]))
    assert [case["reason"] for case in output["cases"]] == ["low-confidence"]


def test_a_case_names_the_vehicle_that_late_frames_show() -> None:
    frames = [seen(f"frame{n}", "in", f"09:00:0{n}", "AB12CDE", "12:00:00") for n in (1, 2)]
    reads = [seen("in", "in", "09:00:00", "A812CDE"), seen("out", "out", "10:00:00", "AB12CDE")]
    output = played(car_park([*reads, *frames]))
    assert [visit["plate"] for visit in output["visits"]] == ["AB12CDE"]
    assert output["cases"][0]["plate"] == "AB12CDE"


# --- one file and the next ------------------------------------------------------------------------

VIGNETTE = {
    "name": "road",
    "now": "2026-03-03T00:00:00+00:00",
    "site": {
        "kind": "vignette",
        "scheme": "CZ",
        "cameras": [{"id": "gantry", "role": "passing"}],
    },
    "reads": [
        {"id": "r1", "camera": "gantry", "at": "2026-03-02T10:00:00+01:00", "plate": "1AB2345",
         "country": "CZ"}
    ],
}  # fmt: skip


def test_a_files_rights_are_no_other_files() -> None:
    right = {"kind": "vignette", "id": "v", "scheme": "CZ", "product": "annual",
             "first_day": "2026-01-01", "plate": "1AB2345", "country": "CZ"}  # fmt: skip
    paid = played({**VIGNETTE, "rights": [right]})
    assert paid["reads"][0]["verdict"] == "paid"
    assert played(VIGNETTE)["reads"][0]["verdict"] == "unpaid"
    assert not Right.objects.exists()
    assert not PlateRead.objects.exists()


def test_a_file_played_twice_says_the_same() -> None:
    day = days.car_park(7)
    assert played(day) == played(day)


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        pytest.param(
            {"rights": [{"kind": "vignette", "id": "v", "scheme": "XX", "product": "1-day",
                         "first_day": "2026-03-02", "plate": "1AB2345"}]},
            "unknown_scheme", "rights[0].scheme", id="a scheme there isn't",
        ),
        pytest.param(
            {"rights": [{"kind": "vignette", "id": "v", "scheme": "CZ", "product": "1-week",
                         "first_day": "2026-03-02", "plate": "1AB2345"}]},
            "unknown_product", "rights[0].product", id="a product there isn't",
        ),
        pytest.param(
            {"site": {**VIGNETTE["site"], "scheme": "XX"}},  # type: ignore[dict-item]
            "unknown_scheme", "site.scheme", id="the site's own scheme",
        ),
        pytest.param(
            {"rights": [{"kind": "exemption", "id": "x", "plate": "1AB2345"},
                        {"kind": "exemption", "id": "x", "plate": "1AB2346"}]},
            "version_conflict", "rights[1].version", id="one version, two contents",
        ),
    ],
)  # fmt: skip
def test_what_the_product_refuses_is_named(change: dict[str, Any], code: str, field: str) -> None:
    with pytest.raises(ProductError) as refused:
        played({**VIGNETTE, **change})
    assert (refused.value.code, refused.value.field) == (code, field)
