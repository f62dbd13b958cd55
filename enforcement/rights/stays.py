"""The verdict of a stay at a parking site.

Order of looking (scenario.md, "Verdicts, exactly"): what forbids judging, what pays (exact rights,
then OCR-equivalent ones, then keying errors), allowances, then what stands between an unpaid stay
and a candidate. A camera measures presence, not parking: durations here are of presence.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice

from .covering import Cover, cover
from .explain import of_right, of_rule
from .facts import Reading, Right, SiteRules, SiteState, countries_agree, known
from .matching import Few, Match, excuse_few, matches, several, two_countries
from .outcomes import ENGINE, Judgement, Looked, Reason, RightKind, Verdict, VisitStatus
from .presence import Presences
from .tariffs import Tariff
from .verdicts import Doubts, country_of, granted, paid_late, precedence, weigh

_PARKING = frozenset(RightKind) - {RightKind.VIGNETTE, RightKind.ZONE_PAYMENT}
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Stay:
    """A visit as it is judged. `readings` are its entry's and exit's, those it has.

    `end` is the exit's capture time; None where there was none. `contradicted`: the plate was seen
    outside meanwhile. `id` is that of its `Presence`.
    """

    id: str
    status: VisitStatus
    start: datetime
    end: datetime | None
    readings: tuple[Reading, ...]
    fuzzy: bool = False
    contradicted: bool = False


def judge_stay(
    stay: Stay,
    *,
    rights: Iterable[Right],
    presences: Presences,
    rules: SiteRules,
    state: SiteState,
    now: datetime,
    accused_before: bool = False,
    tariff: Tariff | None = None,
) -> Judgement:
    """Judge a stay by what is known at `now`.

    `rights` are the site's that may touch the stay or bear its plate, every version of them;
    `presences` the site's visits, this one included. `rules` are those in force when the vehicle
    was seen, and so is `tariff`, None where parking costs no particular amount.
    `accused_before`: an earlier version of this verdict was in `outcomes.ACCUSING`.
    """
    versions = (ENGINE, rules.version, *(tariff.versions if tariff is not None else ()))
    judgement = unfinished(stay, state, now)
    if judgement is None:
        assert stay.end is not None  # it is complete
        judged = _Judged(stay, stay.end, presences, rules, known(rights, now), tariff)
        judgement = judged.judgement()
        doubts = Doubts(
            contradiction="contradiction"
            if stay.contradicted
            else "separate-payments"
            if judged.apart
            else None,
            fuzzy=stay.fuzzy,
            awaiting_camera=state.all_heard_through <= stay.end,
            suspended=state.suspended,
        )
        judgement = weigh(judgement, stay.readings, rules, doubts)
    return replace(paid_late(judgement, accused_before), rules=versions)


def unfinished(stay: Stay, state: SiteState, now: datetime) -> Judgement | None:
    """The verdict of a stay that can't be judged, or not yet; None for a complete one."""
    if stay.status is VisitStatus.OPEN:
        if state.exits_heard_through < now:
            return _plain(Verdict.PENDING, Reason.AWAITING_CAMERA, "awaiting-camera")
        return _plain(Verdict.PENDING, None, "visit-open")
    if stay.status is not VisitStatus.COMPLETE or stay.end is None:
        return _plain(Verdict.NONE, Reason.INFERRED_END, "inferred-end")
    return None


def _plain(verdict: Verdict, reason: Reason | None, code: str) -> Judgement:
    return Judgement(verdict, reason, explanation=(of_rule("doubt", code),))


class _Judged:
    """One complete stay against its rights. Collects the explanation while it looks."""

    def __init__(
        self,
        stay: Stay,
        end: datetime,
        presences: Presences,
        rules: SiteRules,
        rights: Sequence[Right],
        tariff: Tariff | None,
    ) -> None:
        self.stay, self.start, self.end = stay, stay.start, end
        self.presences, self.rules, self.tariff = presences, rules, tariff
        self.country = country_of(stay.readings)
        self.lines: list[Looked] = []
        self.in_use: Right | None = None
        self.apart = False  # separate payments with unpaid time between
        self.texts = {reading.text for reading in stay.readings}
        self.elsewhen: list[Right] = []
        self.few: Few = excuse_few(self._available(rights), self.country)

    def _available(self, rights: Sequence[Right]) -> list[Match]:
        """The rights near this vehicle, in time, that no other vehicle is using."""
        available: list[Match] = []
        for right in rights:
            if right.kind not in _PARKING or right.start == right.end:
                continue  # an empty interval is a session called off
            agrees = countries_agree(right.country, self.country)
            if right.end <= self.start or (right.start >= self.end and right.start != self.start):
                if agrees and not self.texts.isdisjoint(right.plates):
                    self.elsewhen.append(right)
                continue
            near = matches(self.stay.readings, right, self.rules.classes)
            with_room = (match for match in near if not agrees or self._has_room(match))
            available.extend(islice(with_room, 1))
        return available

    def _has_room(self, match: Match) -> bool:
        right = match.right
        if match.exact:
            if right.max_present is None or self.presences.holds_place(right, self.stay.id):
                return True
        elif self.presences.used_up(right, match.plate, self.start, self.end):
            self._look(match, code="used-up")
            return False
        elif self.presences.place_free(right, max(self.start, right.start)):
            return True
        if match.cost < 2:
            self.in_use = self.in_use or right
        self._look(match, code="permit-in-use")
        return False

    def judgement(self) -> Judgement:
        """The verdict of the rights and allowances; notes whether payments stand `apart`."""
        exact = [match.right for match in self.few.exact]
        tolerated = self._tolerated()
        if exact:
            judgement = self._with_rights(exact)
        elif tolerated:
            judgement = self._by_tolerance([], tolerated)
        else:
            judgement = self._without_right()
            if self.tariff is not None and judgement.verdict is Verdict.UNPAID:
                self._tariff("owed", amount=self.tariff.charge(self.start, self.end).text)
        self._look_rest()
        return replace(judgement, explanation=tuple(self.lines))

    def _with_rights(self, exact: list[Right]) -> Judgement:
        covered = self._cover(exact)
        if covered.pays(self.rules.consideration):
            if self.country is None and two_countries(self.few.exact):
                self._look(*self.few.exact, code="exact")
                self.lines.append(of_rule("doubt", "two-countries"))
                return Judgement(Verdict.REVIEW, Reason.COUNTRY_UNKNOWN)
            self._look(*self.few.exact, code="exact", applied=True)
            self._used_consideration(covered)
            named = self._named(exact)
            return Judgement(*granted(named), named.id)
        if covered.unpaid > self._allowed:
            # An exact payer who mistyped an extension is still a payer: rights one slip away may
            # fill what the exact ones leave open.
            def helps(right: Right) -> bool:
                return self._cover([*exact, right]).unpaid < covered.unpaid

            tolerated = self._tolerated(helps)
            if tolerated:
                return self._by_tolerance(exact, tolerated)
            near = [match for match in self.few.candidates[2] if helps(match.right)]
            if near:
                self._look(*self.few.exact, code="exact", applied=True)
                return self._two_slips(near)
        self._look(*self.few.exact, code="exact", applied=True)
        return self._beyond(exact, covered)

    def _by_tolerance(self, exact: list[Right], tolerated: list[Match]) -> Judgement:
        """Judge by rights matched in spite of a slip, beside the exact ones there may be."""
        if several(tolerated):
            return self._several(tolerated)
        rights = [*exact, *(match.right for match in tolerated)]
        covered = self._cover(rights)
        self._look(*self.few.exact, code="exact", applied=True)
        self._look(*tolerated, applied=True)
        if covered.pays(self.rules.consideration):
            self._used_consideration(covered)
            slipped = any(match.cost for match in tolerated)
            reason = Reason.KEYING_ERROR if slipped else Reason.OCR_EQUIVALENT
            named = self._named([match.right for match in tolerated])
            return Judgement(Verdict.EXCUSED, reason, named.id)
        judgement = self._beyond(rights, covered)
        if judgement.verdict is Verdict.OVERSTAY:
            last = max((match.right for match in tolerated), key=_ends)
            judgement = Judgement(Verdict.REVIEW, Reason.KEYING_ERROR, last.id)
        return judgement

    def _beyond(self, rights: list[Right], covered: Cover) -> Judgement:
        """The stay outlasts its rights: by no more than the allowances, or by more."""
        last = max(rights, key=_ends)
        over = covered.unpaid - self._allowed
        unpaid, allowed = covered.unpaid // _MINUTE, self._allowed // _MINUTE
        if over <= timedelta(0):
            self._allowance("grace", unpaid=unpaid, allowed=allowed)
            return Judgement(Verdict.EXCUSED, Reason.GRACE, last.id)
        self._allowance("overstayed", unpaid=unpaid, allowed=allowed)
        if covered.charge is not None:
            self._tariff("owed", amount=covered.charge.text)
        # A payment that begins after unpaid time looks like a second arrival.
        self.apart = any(covered.parts[1:])
        return Judgement(Verdict.OVERSTAY, Reason.RIGHT_ENDED, last.id, over // _MINUTE)

    def _without_right(self) -> Judgement:
        needs_none = self._needs_none()
        if needs_none is not None:
            return needs_none
        near, elsewhere = self.few.candidates[2], self.few.other_country
        if near:
            return self._two_slips(near)
        if elsewhere:
            return Judgement(Verdict.REVIEW, Reason.WRONG_COUNTRY, elsewhere[0].right.id)
        if self.in_use is not None:
            return Judgement(Verdict.UNPAID, Reason.PERMIT_IN_USE, self.in_use.id)
        return self._at_another_time()

    def _two_slips(self, near: Sequence[Match]) -> Judgement:
        if several(near):
            return self._several(near)
        self._look(*near)
        return Judgement(Verdict.REVIEW, Reason.NEAR_RIGHT, near[0].right.id)

    def _at_another_time(self) -> Judgement:
        later = [right for right in self.elsewhen if right.start >= self.end]
        earlier = [right for right in self.elsewhen if right.end <= self.start]
        next_one = min(later, key=precedence, default=None)
        last_one = max(earlier, key=_ends, default=None)
        if next_one is not None:
            self.lines.append(of_right(next_one, "begins-after", applied=False, cost=0))
        if last_one is not None:
            self.lines.append(of_right(last_one, "ended-before", applied=False, cost=0))
        self.lines.append(of_rule("doubt", "no-right-found"))
        if next_one is not None:
            return Judgement(Verdict.UNPAID, Reason.RIGHT_NOT_STARTED, next_one.id)
        if last_one is not None:
            return Judgement(Verdict.UNPAID, Reason.RIGHT_ENDED, last_one.id)
        return Judgement(Verdict.UNPAID, Reason.NO_RIGHT)

    def _several(self, candidates: Sequence[Match]) -> Judgement:
        needs_none = self._needs_none()
        if needs_none is not None:
            return needs_none
        self._look(*candidates)
        self.lines.append(of_rule("doubt", "several-candidates"))
        return Judgement(Verdict.REVIEW, Reason.SEVERAL_CANDIDATES)

    def _needs_none(self) -> Judgement | None:
        """The verdict of a stay that needs no right: it is short, or costs nothing."""
        stay, allowed = self.end - self.start, self.rules.consideration
        if self.tariff is not None:
            charge = self.tariff.charge(self.start, self.end)
            if charge.outside:
                self.lines.append(of_rule("window", "free-times"))
                return Judgement(Verdict.NONE, Reason.OUTSIDE_WINDOW)
            if charge.free:
                stay -= charge.free_time
                self._tariff("free-part", free=charge.free_time // _MINUTE)
            if not charge.amount and stay > allowed:
                self._tariff("costs-nothing")
                return Judgement(Verdict.EXCUSED, Reason.CONSIDERATION)
        if stay > allowed:
            return None
        self._allowance("consideration", stay=stay // _MINUTE, allowed=allowed // _MINUTE)
        return Judgement(Verdict.EXCUSED, Reason.CONSIDERATION)

    def _tolerated(self, helps: Callable[[Right], bool] = lambda right: True) -> list[Match]:
        """The candidates of the nearest cost there are any of, 0 or 1: one vehicle's, or more."""
        for tier in self.few.candidates[:2]:
            found = [match for match in tier if helps(match.right)]
            if found:
                return found
        return []

    @property
    def _allowed(self) -> timedelta:
        return self.rules.consideration + self.rules.grace

    def _named(self, rights: list[Right]) -> Right:
        """The right a verdict names: one that pays alone where there is one, else the first."""
        alone = [right for right in rights if self._cover([right]).pays(self.rules.consideration)]
        if alone:
            return min(alone, key=precedence)
        return min(rights, key=lambda right: (right.start, right.id))

    def _used_consideration(self, covered: Cover) -> None:
        if covered.charge is not None and covered.unpaid and not covered.charge.amount:
            self._tariff("nothing-more")
        elif covered.before:
            allowed = self.rules.consideration // _MINUTE
            self._allowance("consideration-used", used=covered.before // _MINUTE, allowed=allowed)

    def _look(self, *found: Match, code: str | None = None, applied: bool = False) -> None:
        """Explain matches, by `code` or by how near they are."""
        for match in found:
            name = code or ("ocr-equivalent", "one-edit", "two-edits")[match.cost]
            self.lines.append(of_right(match.right, name, applied=applied, cost=match.cost))

    def _look_rest(self) -> None:
        """Explain the rights that were looked at and had no part in the verdict."""
        looked = {line.right_id for line in self.lines}
        self._look(*self.few.other_country, code="other-country")
        for tier in self.few.candidates:
            for match in tier:
                if match.right.id not in looked:
                    self._look(match, code="not-needed")

    def _cover(self, rights: Iterable[Right]) -> Cover:
        return cover(rights, self.start, self.end, self.tariff)

    def _tariff(self, code: str, **numbers: int | str) -> None:
        self.lines.append(of_rule("tariff", code, **numbers))

    def _allowance(self, code: str, **numbers: int) -> None:
        self.lines.append(of_rule("allowance", code, **numbers))


def _ends(right: Right) -> tuple[datetime, str]:
    return right.end, right.id
