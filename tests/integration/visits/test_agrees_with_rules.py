"""The services look only at what may have changed; the rules look at everything. Both must say the
same: random days at a car park, delivered in random order, judged in between, and compared."""

import random
from datetime import timedelta

import pytest
from django.db import transaction

from audit.access import stage_batch
from enforcement.rights.models import Right
from enforcement.rights.outcomes import Verdict
from enforcement.rights.selectors import rule_rights
from enforcement.visits.circumstances import Circumstances
from enforcement.visits.judging import judge_visits
from enforcement.visits.models import VerdictVersion, Visit
from enforcement.visits.pairing import enforceable, pair
from enforcement.visits.readings import Readings
from plates.models import Passage
from tests.integration.visits.world import World, at, car_park

pytestmark = pytest.mark.django_db(databases=["default", "keys"])

# near each other on purpose: equal up to classes, one slip away, two slips away, and far
PLATES = ("1AB2345", "1A82345", "1AB2346", "1AB2354", "1AB2366", "7XY9012", "7XY9O12", "5KL7777")
Said = tuple[object, ...]


def random_day(park: World, seed: int) -> None:
    """Fill the car park with a random day; judge now and then."""
    chance = random.Random(seed)

    def clock() -> str:
        return f"{chance.randint(6, 17):02}:{chance.randint(0, 59):02}"

    def happen() -> None:
        kind = chance.random()
        plate = chance.choice(PLATES)
        country = chance.choice(["CZ", "CZ", "CZ", "SK", ""])
        if kind < 0.65:
            camera = chance.choice(["in", "in", "in", "out", "out", "out", "road"])
            score = chance.choice([0.97, 0.97, 0.97, 0.6])
            park.read(camera, plate, at(clock()), country=country, score=score)
            return
        start, end = sorted([at(clock()), at(clock())])
        about = {"country": country} if country else {}
        if kind < 0.9:
            known = chance.choice(["p1", "p2", "p3", "p4", "p5", "p6"])
            version = Right.objects.filter(external_token__isnull=False).count() + 1
            park.right("payment", plate, id=known, version=version, from_=start, to=end, **about)
        elif kind < 0.97:
            plates = sorted({plate, chance.choice(PLATES)})
            places = chance.choice([1, 1, 2])
            park.right("permit", plates, from_=start, to=end, max_present=places, **about)
        else:
            park.right("exemption", plate, from_=start, to=end, **about)

    park.now = at("18:00")
    for _ in range(chance.randint(8, 40)):
        happen()
        if chance.random() < 0.4:
            park.judge()


def by_services() -> dict[str, Said]:
    said = {}
    for visit in Visit.objects.all():
        verdict = VerdictVersion.objects.get(visit_id=visit.pk, current=True)
        said[str(visit.pk)] = (
            str(visit.exit_passage_id or ""),
            visit.status,
            visit.exited_at,
            visit.fuzzy,
            visit.contradicted,
            visit.enforceable,
            verdict.verdict,
            _timeless(verdict.verdict, verdict.reason),
            str(verdict.right_id or ""),
            verdict.overstay_minutes,
        )
    return said


def by_rules(park: World) -> dict[str, Said]:
    circumstances = Circumstances(now=park.now)
    with stage_batch("test") as access:
        readings = Readings(access)
        passages = list(Passage.objects.select_related("camera"))
        readings.open(passages)
        newest = Right.objects.filter(current=True).prefetch_related("plates")
        rights = rule_rights(newest, access)
        visits = pair(
            [readings.passing(one) for one in passages],
            now=park.now,
            max_stay=timedelta(minutes=park.rules.max_stay_minutes),
        )
    judgements = judge_visits(
        visits,
        rights=rights,
        rules_at=lambda when: circumstances.rules(park.site, when),
        state=circumstances.state(park.site),
        now=park.now,
    )
    said = {}
    for visit in visits:
        judged = judgements[visit.id]
        said[visit.id] = (
            visit.exit.id if visit.exit and visit.entry else visit.id if visit.exit else "",
            visit.status.value,
            visit.end,
            visit.fuzzy,
            bool(visit.contradictions),
            enforceable(visit, judged, suspended=False),
            judged.verdict.value,
            _timeless(judged.verdict, judged.reason),
            judged.right_id or "",
            judged.overstay_min,
        )
    return said


def _timeless(verdict: str, reason: str | None) -> str | None:
    """`paid-late` says what was thought before, which the rules at once can't know."""
    return "paid" if verdict == Verdict.PAID else reason


@pytest.mark.parametrize("seed", range(12))
def test_services_say_what_the_rules_say(seed: int) -> None:
    with transaction.atomic():
        park = car_park(max_stay_minutes=420)
        random_day(park, seed)
        park.settle(at("18:30"))
        assert by_services() == by_rules(park)
        assert park.judge() == 0
