"""Section control: the average speed between two cameras, and whether it may accuse anybody.

Only what is certain counts: both clocks may be off by as much as is allowed, and both errors are
taken to the driver's good; what is above the limit by no more than the tolerance is forgiven; a
vehicle whose category is not named is held to the highest limit (domain-rules.md §3).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from .explain import of_right, of_rule
from .facts import SKEW_LIMIT, Right, RuleError, SiteRules, SiteState, countries_agree, known
from .outcomes import ENGINE, Judgement, Looked, Reason, RightKind, Verdict
from .stays import Stay, unfinished
from .verdicts import Doubts, country_of, granted, weigh

_HUNDRED = 100
"""Up to this limit (km/h) the tolerance is in km/h, above it in per cent."""


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of road between an entry and an exit camera.

    `metres` is the shortest way a vehicle can take from the one to the other. `limits` are km/h by
    category of vehicle. `tolerance` is km/h up to a limit of 100, and per cent above. `clock` is
    how far each camera's clock may be off.
    """

    metres: float
    limits: Mapping[str, float]
    tolerance: float = 3.0
    clock: timedelta = SKEW_LIMIT
    version: str = "section/default"

    @classmethod
    def from_data(cls, data: Mapping[str, Any], version: str = "section/default") -> "Section":
        """A section of `{"metres", "limits": {"car": 80}, "tolerance", "clock_s"}`; `RuleError`
        `section-malformed` otherwise."""
        try:
            section = cls(
                metres=float(data["metres"]),
                limits={str(name): float(limit) for name, limit in data["limits"].items()},
                tolerance=float(data.get("tolerance", 3.0)),
                clock=timedelta(seconds=float(data.get("clock_s", SKEW_LIMIT.total_seconds()))),
                version=version,
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise RuleError("section-malformed", f"It can't be read: {error!r}.") from error
        numbers = (section.metres, section.tolerance + 1, *section.limits.values())
        if not section.limits or any(not 0 < number < float("inf") for number in numbers):
            raise RuleError(
                "section-malformed",
                "A section needs its length in metres, a limit above 0 for at least one category, "
                "and no negative tolerance.",
            )
        if section.clock < timedelta(0):
            raise RuleError("section-malformed", "A clock can't be off by less than nothing.")
        return section

    def limit(self, category: str) -> float:
        """The limit of such a vehicle in km/h, the highest where its category is not named."""
        return self.limits.get(category, max(self.limits.values()))

    def forgiven(self, limit: float) -> float:
        """The km/h above `limit` that are forgiven."""
        return self.tolerance if limit <= _HUNDRED else limit * self.tolerance / 100

    def at_least(self, elapsed: timedelta) -> int:
        """The whole km/h that a vehicle certainly drove on average which took `elapsed`."""
        longest = elapsed + 2 * self.clock
        return int(self.metres / longest.total_seconds() * 3.6)


def judge_section(
    stay: Stay,
    *,
    section: Section,
    rights: Iterable[Right],
    rules: SiteRules,
    state: SiteState,
    now: datetime,
) -> Judgement:
    """Judge the way from an entry camera to an exit camera.

    `rights` are exemptions that may bear the plate. `too-fast` is a candidate, `compliant` is
    forgotten like every compliant vehicle, and a visit one of whose ends was not seen is nothing.
    """
    versions = (ENGINE, rules.version, section.version)
    pending = unfinished(stay, state, now)
    if pending is not None:
        return replace(pending, rules=versions)
    assert stay.end is not None  # it is complete
    exempt = _exemption(stay, rights, now)
    if exempt is not None:
        line = of_right(exempt, "exact", applied=True, cost=0)
        verdict, reason = granted(exempt)
        return Judgement(verdict, reason, exempt.id, explanation=(line,), rules=versions)
    category = stay.readings[0].category
    if any(one.category != category for one in stay.readings):
        category = ""  # the two cameras disagree: the highest limit
    limit = section.limit(category)
    speed = section.at_least(stay.end - stay.start)
    forgiven = section.forgiven(limit)
    fast = speed > limit + forgiven
    line = _told(section, speed, limit, forgiven, fast=fast)
    if not fast:
        found = Judgement(Verdict.COMPLIANT, Reason.WITHIN_LIMIT, explanation=(line,))
        return replace(found, rules=versions)
    found = Judgement(Verdict.TOO_FAST, Reason.AVERAGE_SPEED, explanation=(line,))
    doubts = Doubts(
        contradiction="contradiction" if stay.contradicted else None,
        fuzzy=stay.fuzzy,
        awaiting_camera=state.all_heard_through <= stay.end,
        suspended=state.suspended,
    )
    return replace(weigh(found, stay.readings, rules, doubts), rules=versions)


def _exemption(stay: Stay, rights: Iterable[Right], now: datetime) -> Right | None:
    """The exemption of this very vehicle over all of its way, None where it has none."""
    texts, country = {one.text for one in stay.readings}, country_of(stay.readings)
    for right in known(rights, now):
        if (
            right.kind is RightKind.EXEMPTION
            and not texts.isdisjoint(right.plates)
            and countries_agree(right.country, country)
            and right.start <= stay.start
            and (stay.end or stay.start) < right.end
        ):
            return right
    return None


def _told(section: Section, speed: int, limit: float, forgiven: float, *, fast: bool) -> Looked:
    return of_rule(
        "section",
        "too-fast" if fast else "within-limit",
        speed=speed,
        metres=round(section.metres),
        limit=f"{limit:g}",
        forgiven=f"{forgiven:g}",
        seconds=f"{section.clock.total_seconds():g}",
    )
