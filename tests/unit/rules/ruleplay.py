"""Plays a scenario (scenario.md's shape) through the pure rule modules alone.

The product's own player goes through services and a database; this one shows that the rules by
themselves say what scenario.md says, and makes a case a few lines long.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from core.platetext import canonical
from enforcement.rights.calendars import load_schemes, scheme_at
from enforcement.rights.facts import BEGINNING, END, Reading, Right, SiteRules, SiteState, is_skewed
from enforcement.rights.outcomes import ACCUSING, Judgement, RightKind, Role, case_state
from enforcement.rights.verdicts import judge_vignette, judge_zone
from enforcement.rights.zones import Window, zone_payment
from enforcement.visits.judging import judge_visits
from enforcement.visits.pairing import Passage, Visit, enforceable, pair
from enforcement.visits.passages import debounce

SCHEMES = load_schemes()
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


class Played:
    """One scenario, judged at each event in order, and last at `now`."""

    def __init__(self, scenario: dict[str, Any]) -> None:
        self.scenario = scenario
        self.site = scenario["site"]
        self.kind = self.site.get("kind", "parking")
        self.timezone = self.site.get("timezone", "UTC")
        self.rules = SiteRules(
            version="site/1",
            consideration=timedelta(minutes=self.site.get("consideration_min", 5)),
            grace=timedelta(minutes=self.site.get("grace_min", 10)),
            max_stay=timedelta(minutes=self.site.get("max_stay_min", 1440)),
            confidence_floor=self.site.get("confidence_floor", 0.80),
        )
        self.now = instant(scenario["now"])
        self.roles = {camera["id"]: Role(camera["role"]) for camera in self.site["cameras"]}
        self.heard = {
            one["camera"]: instant(one["through"]) for one in scenario.get("heartbeats", ())
        }
        self.rights = [self._right(one) for one in scenario.get("rights", ())]
        self.reads = {one["id"]: self._read(one) for one in scenario["reads"]}
        self.received = {
            one["id"]: instant(one.get("received_at", one["at"])) for one in scenario["reads"]
        }
        self.accused: set[str] = set()
        self.visits: list[Visit] = []
        self.verdicts: dict[str, Judgement] = {}
        moments = {right.known_at or LONG_AGO for right in self.rights} | set(
            self.received.values()
        )
        for moment in sorted(moment for moment in moments if moment < self.now):
            self._judge(moment)
        self._judge(self.now)

    def _right(self, data: dict[str, Any]) -> Right:
        known_at = instant(data["known_at"]) if "known_at" in data else None
        if data["kind"] == "vignette":
            bought = data.get("bought_at", data.get("known_at"))
            first_day = date.fromisoformat(data["first_day"]) if "first_day" in data else None
            return scheme_at(SCHEMES, data["scheme"], self.now).right(
                id=data["id"],
                plate=canonical(data["plate"]),
                country=data.get("country"),
                category=data.get("category", "car"),
                product=data["product"],
                first_day=first_day,
                bought_at=instant(bought) if bought else None,
                year=data.get("year"),
                scope=data.get("scope"),
                known_at=known_at,
            )
        if data["kind"] == "zone-payment":
            return zone_payment(
                id=data["id"],
                plate=canonical(data["plate"]),
                country=data.get("country"),
                day=date.fromisoformat(data["day"]),
                timezone=Window.from_data(self.site["window"], self.timezone).timezone,
                known_at=known_at,
            )
        return Right(
            id=data["id"],
            kind=RightKind(data["kind"]),
            plates=tuple(canonical(one) for one in data.get("plates", [data.get("plate")])),
            country=data.get("country"),
            start=instant(data["from"]) if "from" in data else BEGINNING,
            end=instant(data["to"]) if "to" in data else END,
            version=data.get("version", 1),
            known_at=known_at,
            max_present=data.get("max_present"),
            category=data.get("category"),
        )

    def _read(self, data: dict[str, Any]) -> Passage:
        at = instant(data["at"])
        return Passage(
            id=data["id"],
            camera=data["camera"],
            role=self.roles[data["camera"]],
            at=at,
            reading=Reading(
                text=canonical(data["plate"]),
                country=data.get("country"),
                confidence=data.get("confidence", 1.0),
                category=data.get("category", "car"),
                candidates=tuple(data.get("candidates", ())),
                char_scores=tuple(data.get("char_scores", ())),
            ),
            quarantined=is_skewed(at, instant(data.get("received_at", data["at"]))),
        )

    def _judge(self, moment: datetime) -> None:
        here = [read for name, read in self.reads.items() if self.received[name] <= moment]
        if self.kind == "parking":
            self._judge_visits(here, moment)
        else:
            self.verdicts = {read.id: self._judge_read(read, moment) for read in here}
        self.accused |= {name for name, one in self.verdicts.items() if one.verdict in ACCUSING}

    def _judge_visits(self, here: list[Passage], moment: datetime) -> None:
        self.visits = pair(debounce(here), now=moment, max_stay=self.rules.max_stay)
        self.verdicts = judge_visits(
            self.visits,
            rights=self.rights,
            rules_at=lambda at: self.rules,
            state=self._state(moment),
            now=moment,
            accused=self.accused,
        )

    def _state(self, moment: datetime) -> SiteState:
        heard = {
            camera: self.heard.get(camera, BEGINNING) if self.heard else self.now
            for camera in self.roles
        }
        exits = [heard[camera] for camera, role in self.roles.items() if role is Role.EXIT]
        return SiteState(
            exits_heard_through=min(exits, default=moment),
            all_heard_through=min(heard.values()),
            suspended=self.site.get("suspended", False),
        )

    def _judge_read(self, read: Passage, moment: datetime) -> Judgement:
        common: dict[str, Any] = {
            "rights": self.rights,
            "rules": self.rules,
            "now": moment,
            "quarantined": read.quarantined,
            "suspended": self.site.get("suspended", False),
            "accused_before": read.id in self.accused,
        }
        if self.kind == "zone":
            window = Window.from_data(self.site["window"], self.timezone)
            return judge_zone(read.reading, read.at, window=window, **common)
        scheme = scheme_at(SCHEMES, self.site["scheme"], read.at)
        return judge_vignette(
            read.reading, read.at, scheme=scheme, scope=self.site.get("scope"), **common
        )

    def visit(self, index: int = 0) -> dict[str, Any]:
        """One visit as the scenario's output gives it."""
        visit = self.visits[index]
        judgement = self.verdicts[visit.id]
        return {
            "plate": visit.text,
            "entry": visit.entry.id if visit.entry else None,
            "exit": visit.exit.id if visit.exit else None,
            "status": visit.status.value,
            "enforceable": enforceable(
                visit, judgement, suspended=self.site.get("suspended", False)
            ),
            **said(judgement),
            "overstay_min": judgement.overstay_min,
        }


def said(judgement: Judgement) -> dict[str, Any]:
    state = case_state(judgement)
    return {
        "verdict": judgement.verdict.value,
        "reason": judgement.reason.value if judgement.reason else None,
        "right": judgement.right_id,
        "case": state.value if state else None,
    }


DAY = "2026-03-02T"


def at(clock: str) -> str:
    """`HH:MM[:SS]` on a Monday, or a full instant unchanged."""
    return (
        clock if "-" in clock else f"{DAY}{clock if clock.count(':') > 1 else clock + ':00'}+00:00"
    )


def read(id: str, camera: str, clock: str, plate: str, **more: Any) -> dict[str, Any]:
    return {
        "id": id,
        "camera": camera,
        "at": at(clock),
        "plate": plate,
        "country": "GB",
        "confidence": 0.98,
        **more,
    }


def payment(id: str, plate: str, start: str, end: str, **more: Any) -> dict[str, Any]:
    return {
        "kind": "payment",
        "id": id,
        "plate": plate,
        "country": "GB",
        "from": at(start),
        "to": at(end),
        **more,
    }


def car_park(
    reads: list[dict[str, Any]],
    rights: list[dict[str, Any]] | None = None,
    *,
    now: str = "2026-03-04T00:00:00+00:00",
    heartbeats: list[dict[str, Any]] | None = None,
    **site: Any,
) -> Played:
    cameras = [
        {"id": "in", "role": "entry"},
        {"id": "out", "role": "exit"},
        {"id": "road", "role": "passing"},
    ]
    return Played(
        {
            "site": {"kind": "parking", "timezone": "Europe/London", "cameras": cameras, **site},
            "now": at(now),
            "rights": rights or [],
            "reads": reads,
            "heartbeats": heartbeats or [],
        }
    )


def stay(
    start: str,
    end: str,
    rights: list[dict[str, Any]] | None = None,
    plate: str = "AB12CDE",
    *,
    now: str = "2026-03-04T00:00:00+00:00",
    site: dict[str, Any] | None = None,
    **both: Any,
) -> dict[str, Any]:
    """The only visit of a car park where one vehicle came and went."""
    reads = [read("r1", "in", start, plate, **both), read("r2", "out", end, plate, **both)]
    played = car_park(reads, rights, now=now, **(site or {}))
    assert len(played.visits) == 1
    return played.visit()
