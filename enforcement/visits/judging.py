"""The verdicts of a site's visits, judged together.

One visit's verdict depends on the others: a payment used up by its own vehicle excuses nobody
else, and a shared permit's places go to the first to enter. So a late read or right is answered by
judging every visit again that it could touch.
"""

from collections.abc import Callable, Container, Iterable, Sequence
from datetime import datetime

from enforcement.rights.facts import Right, SiteRules, SiteState, known
from enforcement.rights.outcomes import Judgement
from enforcement.rights.presence import Presences
from enforcement.rights.stays import judge_stay
from enforcement.rights.tariffs import Tariff

from .pairing import Visit


def judge_visits(
    visits: Sequence[Visit],
    *,
    rights: Iterable[Right],
    rules_at: Callable[[datetime], SiteRules],
    state: SiteState,
    now: datetime,
    accused: Container[str] = (),
    only: Container[str] | None = None,
    tariff_at: Callable[[Visit], Tariff | None] = lambda visit: None,
) -> dict[str, Judgement]:
    """The judgement of each visit by its id, by what is known at `now`.

    `visits` are all the site's that touch the rights in question: presence counts. `only` limits
    what is judged to these ids. `rules_at` gives the site's rules in force at an instant; a visit
    is judged by those of its start, and by the tariff that `tariff_at` gives for it. `accused`
    holds the ids of visits that any earlier version of their verdict accused
    (`outcomes.ACCUSING`). `rights` may hold every version of each.
    """
    presences = Presences(visit.presence() for visit in visits)
    in_force = known(rights, now)
    return {
        visit.id: judge_stay(
            visit.stay(),
            rights=in_force,
            presences=presences,
            rules=rules_at(visit.start),
            state=state,
            now=now,
            accused_before=visit.id in accused,
            tariff=tariff_at(visit),
        )
        for visit in visits
        if only is None or visit.id in only
    }
