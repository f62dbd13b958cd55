"""The verdict of a single read, at sites where every read is judged by itself.

Order of looking (scenario.md, "Verdicts, exactly"): what forbids judging, what pays, then what
stands between an unpaid read and a candidate. Everything looked at goes into the explanation.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from .calendars import Scheme
from .explain import of_right, of_rule
from .facts import Reading, Right, SiteRules, known
from .matching import Match, Registry, excuse_registry, several, two_countries
from .outcomes import ACCUSED, ENGINE, Judgement, Looked, Reason, RightKind, Verdict
from .zones import Window


@dataclass(frozen=True, slots=True)
class Doubts:
    """What may stand between an unpaid vehicle and an accusation."""

    contradiction: str | None = None  # the explanation's code: seen outside, or separate payments
    fuzzy: bool = False
    awaiting_camera: bool = False
    suspended: bool = False


def weigh(
    judgement: Judgement, readings: Sequence[Reading], rules: SiteRules, doubts: Doubts
) -> Judgement:
    """Hold an accusation back where a doubt stands before it; the first that applies gives the
    reason. Anything but `review` and what accuses passes unchanged.

    A `review` that comes of the rights themselves keeps its reason, and waits for cameras like
    every other case.
    """
    if judgement.verdict is Verdict.REVIEW:
        if doubts.awaiting_camera:
            return _held(judgement, Verdict.PENDING, Reason.AWAITING_CAMERA, "awaiting-camera")
        return judgement
    if judgement.verdict not in ACCUSED:
        return judgement
    if doubts.contradiction is not None:
        return _held(judgement, Verdict.REVIEW, Reason.CONTRADICTION, doubts.contradiction)
    if doubts.fuzzy:
        return _held(judgement, Verdict.REVIEW, Reason.FUZZY_PAIRING, "fuzzy-pairing")
    if any(not one.agreed or one.confidence < rules.confidence_floor for one in readings):
        return _held(judgement, Verdict.REVIEW, Reason.LOW_CONFIDENCE, "low-confidence")
    if country_of(readings) is None:
        return _held(judgement, Verdict.REVIEW, Reason.COUNTRY_UNKNOWN, "country-unknown")
    if doubts.awaiting_camera:
        return _held(judgement, Verdict.PENDING, Reason.AWAITING_CAMERA, "awaiting-camera")
    if doubts.suspended:
        verdict = Verdict.UNPAID if judgement.verdict is Verdict.OVERSTAY else judgement.verdict
        return _held(judgement, verdict, Reason.SITE_SUSPENDED, "site-suspended")
    return judgement


def _held(judgement: Judgement, verdict: Verdict, reason: Reason, code: str) -> Judgement:
    line = of_rule("doubt", code)
    return replace(
        judgement,
        verdict=verdict,
        reason=reason,
        overstay_min=0,
        explanation=(*judgement.explanation, line),
    )


def country_of(readings: Sequence[Reading]) -> str | None:
    """The one country the readings that know a country agree on; None where none or several."""
    countries = {reading.country for reading in readings if reading.country is not None}
    return countries.pop() if len(countries) == 1 else None


def paid_late(judgement: Judgement, accused_before: bool) -> Judgement:
    """`paid`, after an earlier version said `unpaid`, `overstay` or `review`, is `paid-late`."""
    if judgement.verdict is not Verdict.PAID or not accused_before:
        return judgement
    line = of_rule("history", "paid-late")
    return replace(judgement, reason=Reason.PAID_LATE, explanation=(*judgement.explanation, line))


def granted(right: Right) -> tuple[Verdict, Reason]:
    """The verdict and reason of a vehicle that `right` covers exactly."""
    match right.kind:
        case RightKind.PERMIT:
            return Verdict.PERMITTED, Reason.PERMIT
        case RightKind.EXEMPTION:
            return Verdict.EXEMPT, Reason.EXEMPTION
        case RightKind.VIGNETTE:
            return Verdict.PAID, Reason.VIGNETTE
        case RightKind.ZONE_PAYMENT:
            return Verdict.PAID, Reason.ZONE_PAYMENT
        case _:
            return Verdict.PAID, Reason.PAYMENT


def precedence(right: Right) -> tuple[int, datetime, str]:
    """Which of several rights that each suffice is named: exemption, permit, then the earliest."""
    rank = {RightKind.EXEMPTION: 0, RightKind.PERMIT: 1}.get(right.kind, 2)
    return rank, right.start, right.id


def judge_vignette(
    reading: Reading,
    at: datetime,
    *,
    scheme: Scheme,
    rights: Iterable[Right],
    rules: SiteRules,
    now: datetime,
    scope: str | None = None,
    quarantined: bool = False,
    suspended: bool = False,
    accused_before: bool = False,
) -> Judgement:
    """Judge a read captured at `at` against a vignette scheme, by what is known at `now`.

    `scheme` is the version in force at `at`; `rights` may be any superset of the plausible ones,
    every version of them. `scope` is the part of the network the camera stands in.
    `accused_before`: an earlier version of this read's verdict was in `outcomes.ACCUSING`.
    """
    versions = (ENGINE, rules.version, scheme.version_name)
    if quarantined:
        return _skewed(versions)
    exemption = scheme.exemption(reading.category, reading.country, reading.text)
    if exemption is not None:
        line = of_rule("scheme", exemption)
        return Judgement(Verdict.EXEMPT, Reason.EXEMPTION, explanation=(line,), rules=versions)

    def position(right: Right) -> int:
        if at >= right.end:
            return -1
        begins = right.start if right.healed_from is None else min(right.healed_from, right.start)
        return 0 if at >= begins else 1

    registry = excuse_registry(
        reading,
        (right for right in known(rights, now) if right.scheme in (None, scheme.code)),
        position=position,
        same_category=lambda category: scheme.same_category(category, reading.category),
        scope=scope,
        floor=rules.confidence_floor,
        classes=rules.classes,
    )
    judgement = _from_registry(reading, registry, at, other_times=True)
    judgement = weigh(judgement, (reading,), rules, Doubts(suspended=suspended))
    return replace(paid_late(judgement, accused_before), rules=versions)


def judge_zone(
    reading: Reading,
    at: datetime,
    *,
    window: Window,
    rights: Iterable[Right],
    rules: SiteRules,
    now: datetime,
    quarantined: bool = False,
    suspended: bool = False,
    accused_before: bool = False,
) -> Judgement:
    """Judge a read captured at `at` in a charging zone, by what is known at `now`.

    A payment counts if it is for the charged local day and known by the deadline, inclusive. Until
    the deadline an unpaid day is pending. Payments for other days explain nothing: each charged day
    stands by itself. Reads of one `window.charged_day` share at most one case, which is the
    caller's to see to. `rights` and `accused_before` as for `judge_vignette`.
    """
    versions = (ENGINE, rules.version, *window.versions)
    if quarantined:
        return _skewed(versions)
    day = window.charged_day(at)
    if day is None:
        line = of_rule("window", "outside-window")
        return Judgement(Verdict.NONE, Reason.OUTSIDE_WINDOW, explanation=(line,), rules=versions)
    deadline = window.deadline(day)
    rights = list(rights)
    payments = [right for right in rights if right.kind is RightKind.ZONE_PAYMENT]
    others = [right for right in rights if right.kind is not RightKind.ZONE_PAYMENT]

    def position(right: Right) -> int:
        return -1 if at >= right.end else 0 if at >= right.start else 1

    registry = excuse_registry(
        reading,
        [*known(payments, min(now, deadline)), *known(others, now)],
        position=position,
        same_category=lambda category: category == reading.category,
        scope=None,
        floor=rules.confidence_floor,
        classes=rules.classes,
    )
    judgement = _from_registry(reading, registry, at, other_times=False)
    late = [
        of_right(right, "not-in-time", applied=False, cost=0)
        for right in known(payments, now)
        if reading.text in right.plates
        and position(right) == 0
        and right.known_at is not None
        and right.known_at > deadline
    ]
    judgement = replace(judgement, explanation=(*judgement.explanation, *late))
    if judgement.verdict in {Verdict.UNPAID, Verdict.REVIEW} and now < deadline:
        judgement = _held(judgement, Verdict.PENDING, Reason.AWAITING_DEADLINE, "awaiting-deadline")
    judgement = weigh(judgement, (reading,), rules, Doubts(suspended=suspended))
    return replace(paid_late(judgement, accused_before), rules=versions)


def _skewed(versions: tuple[str, ...]) -> Judgement:
    line = of_rule("doubt", "clock-skew")
    return Judgement(Verdict.NONE, Reason.CLOCK_SKEW, explanation=(line,), rules=versions)


def _from_registry(
    reading: Reading, registry: Registry, at: datetime, *, other_times: bool
) -> Judgement:
    """What the rights alone say of the read, explained; doubts come after (`weigh`)."""
    ended = registry.ended if other_times else ()
    not_started = registry.not_started if other_times else ()
    verdict, reason, deciding = _decide(reading, registry, bool(ended), bool(not_started))
    if reason is Reason.RIGHT_NOT_STARTED:
        deciding = (min(not_started, key=lambda match: precedence(match.right)),)
    elif reason is Reason.RIGHT_ENDED:
        deciding = (max(ended, key=lambda match: match.right.end),)
    applied = verdict in {Verdict.PAID, Verdict.PERMITTED, Verdict.EXEMPT, Verdict.EXCUSED}
    ids = {match.right.id for match in deciding}
    lines: list[Looked] = []

    def look(matches: Sequence[Match], code: str | Callable[[Match], str]) -> None:
        for match in matches:
            name = code if isinstance(code, str) else code(match)
            uses = applied and match.right.id in ids
            lines.append(of_right(match.right, name, applied=uses, cost=match.cost))

    look(registry.exact, lambda match: "healed" if at < match.right.start else "exact")
    look(registry.excusing, "ocr-equivalent")
    look(registry.other_country, "other-country")
    look(registry.other_category, "other-category")
    look(registry.other_scope, "other-scope")
    look(registry.named, "near-named")
    look(registry.near, lambda match: "near-in-registry" if match.cost else "near-well-formed")
    look(sorted(not_started, key=lambda match: precedence(match.right))[:1], "begins-after")
    look(sorted(ended, key=lambda match: match.right.end)[-1:], "ended-before")
    if reason is Reason.COUNTRY_UNKNOWN:
        lines.append(of_rule("doubt", "two-countries"))
    if reason is Reason.SEVERAL_CANDIDATES:
        lines.append(of_rule("doubt", "several-candidates"))
    if verdict is Verdict.UNPAID:
        lines.append(of_rule("doubt", "no-right-found"))
    right_id = deciding[0].right.id if len(ids) == 1 else None
    return Judgement(verdict, reason, right_id, explanation=tuple(lines))


def _decide(
    reading: Reading, registry: Registry, ended: bool, not_started: bool
) -> tuple[Verdict, Reason, tuple[Match, ...]]:
    if registry.exact:
        if reading.country is None and two_countries(registry.exact):
            return Verdict.REVIEW, Reason.COUNTRY_UNKNOWN, registry.exact
        named = min(registry.exact, key=lambda match: precedence(match.right))
        return *granted(named.right), (named,)
    if registry.excusing:
        if several(registry.excusing):
            return Verdict.REVIEW, Reason.SEVERAL_CANDIDATES, registry.excusing
        named = min(registry.excusing, key=lambda match: precedence(match.right))
        return Verdict.EXCUSED, Reason.OCR_EQUIVALENT, (named,)
    if registry.other_country:
        return Verdict.REVIEW, Reason.WRONG_COUNTRY, registry.other_country
    if registry.named:
        return Verdict.REVIEW, Reason.NEAR_RIGHT, registry.named
    if registry.other_category:
        return Verdict.UNPAID, Reason.WRONG_CATEGORY, registry.other_category
    if not_started:
        return Verdict.UNPAID, Reason.RIGHT_NOT_STARTED, ()
    if ended:
        return Verdict.UNPAID, Reason.RIGHT_ENDED, ()
    return Verdict.UNPAID, Reason.NO_RIGHT, ()
