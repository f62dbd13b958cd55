"""An administration with one row of everything, and people who may or may not look at it."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.utils import timezone

from audit.models import AuditRow
from audit.services import Actor
from cameras.keys import device_key_create
from cameras.models import (
    Camera,
    Capture,
    DayCount,
    DeviceKey,
    Heartbeat,
    Organisation,
    Site,
    SiteRole,
    Zone,
)
from core.ids import uuid7
from core.models import User
from enforcement.cases.models import Case, CasePolicy
from enforcement.notices.deliveries import delivery_queue
from enforcement.notices.models import Notice, NoticeDelivery
from enforcement.retention.models import ErasureReport, Hold, Policy
from enforcement.retention.services import hold_place, policy_set
from enforcement.rights.intake import right_input
from enforcement.rights.keys import provider_key_create
from enforcement.rights.models import Provider, ProviderKey, Right, Scheme, SiteRules, Tariff
from enforcement.rights.services import right_receive, schemes_load
from enforcement.watchlist.models import Entry, Watchlist
from enforcement.watchlist.services import entry_add, watchlist_create
from vault import blind
from vault.models import DataClass
from vault.sealing import assign_key, seal_text

ADMIN = Actor("person", "somebody", "Demo", "127.0.0.1")
PLATE = "5T71234"
OTHER_PLATE = "4A28888"
ROUND_THE_CLOCK = {
    "bands": [
        {
            "name": "always",
            "days": [1, 2, 3, 4, 5, 6, 7],
            "from": "00:00",
            "to": "24:00",
            "steps": [{"minutes": 60, "amount": 3000}],
        }
    ]
}


@dataclass
class World:
    """One row of everything an administrator may meet."""

    organisation: Organisation
    site: Site
    zone: Zone
    camera: Camera
    device_key: DeviceKey
    role: SiteRole
    capture: Capture
    heartbeat: Heartbeat
    day_count: DayCount
    rules: SiteRules
    tariff: Tariff
    scheme: Scheme
    provider: Provider
    provider_key: ProviderKey
    right: Right
    watchlist: Watchlist
    entry: Entry
    case: Case
    case_policy: CasePolicy
    notice: Notice
    notice_delivery: NoticeDelivery
    policy: Policy
    hold: Hold
    report: ErasureReport
    user: User
    group: Group
    audit_row: AuditRow

    def rows(self) -> list[object]:
        return list(vars(self).values())


def person(name: str, **powers: bool) -> User:
    user = User(username=name, email=f"{name}@example.org", **powers)
    user.set_unusable_password()
    user.save()
    return user


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def boss(db: None) -> User:
    return person("boss", is_staff=True, is_superuser=True)


@pytest.fixture
def admin(boss: User) -> Client:
    """A superuser's browser."""
    return logged_in(boss)


@pytest.fixture
def second(db: None) -> Client:
    """Another superuser's browser."""
    return logged_in(person("second", is_staff=True, is_superuser=True))


@pytest.fixture
def operator(db: None) -> Client:
    """Somebody who works here, and not in the admin."""
    return logged_in(person("operator"))


@pytest.fixture
def clerk(db: None) -> Client:
    """Staff who may look at rights and lists, and change nothing."""
    user = person("clerk", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(codename__in=["view_right", "view_entry", "view_watchlist"])
    )
    return logged_in(user)


def permit(site: Site, plate: str, number: str, now: datetime) -> Right:
    data = right_input(
        {"kind": "permit", "id": number, "plate": plate, "country": "CZ", "site": site.slug}
    )
    return right_receive(provider=None, data=data, actor=ADMIN, now=now)[0]


def make_camera(site: Site, slug: str) -> Camera:
    return Camera.objects.create(site=site, name=slug, slug=slug, role="passing")


def make_capture(camera: Camera, now: datetime) -> Capture:
    capture = Capture(
        id=uuid7(now),
        camera=camera,
        site=camera.site,
        kind="read",
        status="recognised",
        event_token=uuid.uuid4(),
        content_digest=bytes(32),
        captured_at=now,
        received_at=now,
        outcome={"reads": 1},
    )
    assign_key(capture, scope=str(camera.site_id), data_class=DataClass.PENDING, now=now)
    seal_text(capture, {"read": f'{{"text": "{PLATE}"}}'})
    capture.save()
    return capture


def make_case(site: Site, number: str, now: datetime) -> Case:
    case = Case(
        id=uuid.uuid4(),
        number=number,
        site=site,
        subject_key=f"passage:{number}",
        state="candidate",
        verdict="unpaid",
        reason="no-right",
        verdict_id=uuid.uuid4(),
        seen_from=now,
        seen_to=now,
        token_exact=blind.exact(PLATE),
        confidence=0.9,
        opened_at=now,
    )
    assign_key(case, scope=str(site.pk), data_class=DataClass.CASE, now=now)
    seal_text(case, {"text": PLATE})
    case.save()
    return case


def make_notice(case: Case, by: User, now: datetime) -> Notice:
    notice = Notice(
        case=case,
        site=case.site,
        number=case.number,
        language="en",
        template_version=1,
        pdf="2026/01/01/none.sealed",
        pdf_sha256=bytes(32),
        pages=2,
        currency="GBP",
        amount=10_000,
        link_digest=bytes(32),
        token_exact=case.token_exact,
        issued_at=now,
        issued_by=by,
    )
    assign_key(notice, scope=str(case.site_id), data_class=DataClass.CASE, now=now)
    seal_text(notice, {"content": PLATE})
    notice.save()
    return notice


def make_site(organisation: Organisation, slug: str, kind: str = "parking") -> Site:
    return Site.objects.create(
        organisation=organisation, name=slug, slug=slug, kind=kind, timezone="Europe/Prague"
    )


@pytest.fixture
def world(boss: User) -> World:
    now = timezone.now()
    schemes_load()
    organisation = Organisation.objects.create(name="City")
    site = make_site(organisation, "north")
    camera = make_camera(site, "in")
    provider = Provider.objects.create(name="Payments", organisation=organisation)
    user = person("viewer")
    watchlist = watchlist_create(
        organisation=organisation, name="stolen", purpose="By law.", user=boss, now=now
    )
    case = make_case(site, "2026-000001", now)
    notice = make_notice(case, boss, now)
    return World(
        organisation=organisation,
        site=site,
        zone=Zone.objects.create(site=site, name="deck"),
        camera=camera,
        device_key=device_key_create(camera=camera, actor=ADMIN, now=now)[0],
        role=SiteRole.objects.create(user=user, site=site, role="viewer"),
        capture=make_capture(camera, now),
        heartbeat=Heartbeat.objects.create(id=uuid7(now), camera=camera, received_at=now),
        day_count=DayCount.objects.create(camera=camera, day=now.date(), what="blurred", count=3),
        rules=SiteRules.objects.create(
            site=site, effective_from=datetime(2026, 1, 1, tzinfo=UTC), grace_minutes=7
        ),
        tariff=Tariff.objects.create(
            site=site,
            name="Old prices",
            effective_from=datetime(2026, 1, 1, tzinfo=UTC),
            currency="CZK",
            rules=ROUND_THE_CLOCK,
        ),
        scheme=Scheme.objects.get(code="CZ"),
        provider=provider,
        provider_key=provider_key_create(provider=provider, actor=ADMIN, now=now)[0],
        right=permit(site, PLATE, f"P-{PLATE}", now),
        watchlist=watchlist,
        entry=entry_add(
            watchlist=watchlist,
            plate=PLATE,
            country="CZ",
            user=boss,
            now=now,
            expires_at=now + timedelta(days=9),
        ),
        case=case,
        notice=notice,
        notice_delivery=delivery_queue(notice, "print", f"{PLATE}\nStreet 1", now=now),
        case_policy=CasePolicy.objects.create(
            site=site,
            effective_from=datetime(2026, 1, 1, tzinfo=UTC),
            currency="GBP",
            notice_amount=10_000,
            discount_amount=6_000,
            scheme="uk-postal",
            country="GB",
            region="ENG",
            discount_days=14,
            due_days=28,
            appeal_days=28,
            payee="City of Brno",
        ),
        policy=policy_set(
            site=site, data_class="compliant", keep_minutes=10, why="Because.", actor=ADMIN
        ),
        hold=hold_place(
            reference="H-1",
            reason="court",
            user=boss,
            actor=ADMIN,
            now=now,
            token_exact=blind.exact(PLATE),
        ),
        report=ErasureReport.objects.create(
            id=uuid7(now), at=now, site=site, data_class="compliant", reads=3
        ),
        user=user,
        group=Group.objects.create(name="clerks"),
        audit_row=AuditRow.objects.order_by("-id")[0],
    )
