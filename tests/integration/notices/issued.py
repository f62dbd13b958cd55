"""A confirmed case at a site with a policy, and its notice: for tests of what comes after."""

from datetime import timedelta
from typing import Any

from core.models import User
from enforcement.cases.decisions import case_confirm
from enforcement.cases.models import Case
from enforcement.cases.policies import CasePolicy
from enforcement.cases.services import cases_act
from enforcement.notices.models import Notice
from enforcement.notices.services import notice_issue
from tests.integration.cameras.conftest import picture
from tests.integration.visits.world import World, at, car_park

PLATE = "1AB2345"
POSTAL = "Jana Nováková\nDlouhá 12\n110 00 Praha 1"
MAIL = "jana@example.org"


def clerk(name: str = "olga") -> User:
    """Somebody who decides; without a password, as making one takes long."""
    return User.objects.create_user(name, f"{name}@example.org")


def policy(park: World, **fields: Any) -> CasePolicy:
    """What the site's notices say, in force long before anything is seen."""
    given: dict[str, Any] = {
        "effective_from": park.now - timedelta(days=300),
        "currency": "CZK",
        "notice_amount": 150_000,
        "discount_amount": 75_000,
        "scheme": "calendar",
        "discount_days": 14,
        "due_days": 28,
        "appeal_days": 28,
        "languages": ["cs", "en", "de"],
        "payee": "Město Severov, odbor dopravy\nNáměstí 1\n123 00 Severov",
        "pay_texts": {"cs": "Převodem na účet 123456789/0100.", "en": "By bank transfer."},
    }
    return CasePolicy.objects.create(site=park.site, **given | fields)


def proposed(park: World, plate: str = PLATE, *, start: str = "09:00") -> Case:
    """The case of a stay that nobody paid for."""
    end = f"{int(start[:2]) + 1:02d}"
    park.read("in", plate, at(start), picture=picture(1))
    park.read("out", plate, at(f"{end}:00"), picture=picture(2))
    park.settle(at(f"{end}:05"))
    cases_act(now=park.now)
    return Case.objects.select_related("site__organisation").get(
        state="candidate", seen_from=at(start)
    )


def confirmed(park: World, by: User, plate: str = PLATE, *, start: str = "09:00") -> Case:
    """The same, confirmed by a person."""
    case = proposed(park, plate, start=start)
    case_confirm(case_id=case.pk, user=by, reason="plate-checked", now=park.now)
    return Case.objects.select_related("site__organisation").get(pk=case.pk)


def issued(park: World, by: User, case: Case | None = None, **fields: Any) -> Notice:
    """Its notice, by e-mail in Czech unless told otherwise."""
    case = case or confirmed(park, by)
    given: dict[str, Any] = {"language_code": "cs", "channel": "email", "address": MAIL}
    park.now = park.now.replace(microsecond=123_456)  # as clocks tell it
    return notice_issue(case_id=case.pk, user=by, now=park.now, **given | fields)


def seen_on_the_road(road: World, by: User, plate: str = PLATE) -> Case:
    """The confirmed case of a vehicle without a vignette."""
    road.read("gantry", plate, at("09:00"), picture=picture(1))
    road.settle(at("09:05"))
    cases_act(now=road.now)
    case = Case.objects.get()
    case_confirm(case_id=case.pk, user=by, reason="plate-checked", now=road.now)
    return case


def site_with_policy(**fields: Any) -> World:
    """A car park that issues notices."""
    park = car_park()
    policy(park, **fields)
    return park
