"""Cases on their way: an unpaid stay, a policy, people who decide."""

import uuid
from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from audit.services import Actor
from cameras.access import person_actor
from core.models import User
from enforcement.cases.deadlines import Channel
from enforcement.cases.decisions import case_audit, case_confirm, case_held
from enforcement.cases.issuing import NoticeTerms, case_issue
from enforcement.cases.models import Case, CasePolicy
from enforcement.cases.services import cases_act
from tests.integration.visits.world import World, at

ADDRESSEE = Actor("client", "notice page")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def act(world: World) -> None:
    while cases_act(now=world.now):
        pass


def unpaid(world: World, plate: str = "1AB2345", day: int = 0) -> Case:
    """An hour in the car park without a right, and the case of it."""
    known = set(Case.objects.values_list("pk", flat=True))
    world.read("in", plate, at("09:00", day))
    world.read("out", plate, at("10:00", day))
    world.settle(at("10:05", day))
    act(world)
    return Case.objects.exclude(pk__in=known).get()


def policy(world: World, **changed: Any) -> CasePolicy:
    """A policy of the world's site: £100, £60 within the discount's time."""
    said: dict[str, Any] = {
        "effective_from": LONG_AGO,
        "currency": "GBP",
        "notice_amount": 10_000,
        "discount_amount": 6_000,
        "scheme": "calendar",
        "country": "",
        "discount_days": 14,
        "due_days": 28,
        "appeal_days": 28,
        "payee": "City of Brno",
    }
    return CasePolicy.objects.create(site=world.site, **(said | changed))


def person(name: str) -> User:
    return User.objects.create_user(name, f"{name}@example.org", "a long enough password")


def confirm(case: Case, user: User, now: datetime) -> Case:
    return case_confirm(case_id=case.pk, user=user, reason="plate-checked", now=now)


def issue(
    case_id: uuid.UUID, user: User, now: datetime, channel: Channel = Channel.PRINT
) -> tuple[Case, NoticeTerms]:
    """What the room of notices does about the case when it issues one."""
    with transaction.atomic():
        case = case_held(case_id)
        event, terms = case_issue(case, actor=person_actor(user), channel=channel, now=now)
        case_audit(case, event, person_actor(user))
    case.refresh_from_db()
    return case, terms


def issued(world: World, user: User, plate: str = "1AB2345") -> Case:
    case = unpaid(world, plate)
    confirm(case, user, world.now)
    return issue(case.pk, user, world.now)[0]
