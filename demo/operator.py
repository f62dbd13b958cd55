"""The demo operator: a motorway with two gantries, a two-lane car park, a watchlist, its people.

Made through the same services as the admin uses. Making it again gives new keys and passwords, and
forgets what an earlier demo played: its vehicles would otherwise still be parked.
"""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from audit.services import Actor
from cameras.enrolment import setup_token_create
from cameras.keys import device_key_create, device_key_revoke
from cameras.models import Camera, DeviceKey, Organisation, Site, SiteRole
from cameras.registry import registry_save
from core.errors import Conflict
from core.models import User
from demo.programme import ZONE, script
from enforcement.cases.deadlines import SCHEMES
from enforcement.cases.policies import CasePolicy
from enforcement.retention.services import passages_erase, policy_set
from enforcement.rights.keys import provider_key_create, provider_key_revoke
from enforcement.rights.models import Provider, Right, SiteRules
from enforcement.rights.services import schemes_load
from enforcement.watchlist.models import Watchlist
from enforcement.watchlist.services import entry_add, entry_approve, watchlist_create
from plates.models import Passage
from vault.models import DataClass

COMMAND = Actor("command", "demo_setup", "Demo operator", "this machine")
KEEP_MINUTES = 10
KEY_LABEL = "demo"
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
MIDDLE_EUROPE = ["CZ", "SK", "AT", "DE", "PL", "HU"]
SITES: dict[str, dict[str, Any]] = {
    "gantry": {
        "name": "D1 gantry, northbound",
        "kind": Site.Kind.VIGNETTE,
        "scheme": "CZ",
        "regions": MIDDLE_EUROPE,
        "cameras": {"gantry-north": ("Northbound", Camera.Role.PASSING)},
        "keep": KEEP_MINUTES,
    },
    "gantry-south": {
        "name": "D1 gantry, southbound",
        "kind": Site.Kind.VIGNETTE,
        "scheme": "CZ",
        "regions": MIDDLE_EUROPE,
        "cameras": {"gantry-south": ("Southbound", Camera.Role.PASSING)},
        "keep": 0,
    },
    "carpark": {
        "name": "University car park",
        "kind": Site.Kind.PARKING,
        "scheme": "",
        "regions": [*MIDDLE_EUROPE, "GB"],
        "cameras": {"in": ("Lane in", Camera.Role.ENTRY), "out": ("Lane out", Camera.Role.EXIT)},
        "keep": KEEP_MINUTES,
    },
}
BENCH: dict[str, dict[str, Any]] = {
    f"bench-{region}": {
        "name": f"Benchmark pictures, {region.upper()}",
        "kind": Site.Kind.PARKING,
        "scheme": "",
        "regions": regions,
        # a passing camera of a car park stands outside it: nothing to judge, nobody to accuse
        "cameras": {f"bench-{region}": (f"Pictures {region.upper()}", Camera.Role.PASSING)},
        "keep": KEEP_MINUTES,
    }
    for region, regions in (("us", ["US"]), ("eu", ["EUROPE"]), ("br", ["BR"]))
}
AGENT = "video"
PEOPLE: dict[str, tuple[str, ...]] = {
    "viewer": (SiteRole.Role.VIEWER,),
    "operator": (SiteRole.Role.OPERATOR,),
    "supervisor": (SiteRole.Role.SUPERVISOR,),
    "auditor": (SiteRole.Role.AUDITOR,),
    "admin": (),
}


def agent_cameras(count: int) -> list[str]:
    """The cameras that edge agents become, each of a site of its own: "video", "video-2", …"""
    return [AGENT if number == 1 else f"{AGENT}-{number}" for number in range(1, count + 1)]


def demo_setup(*, bench: bool, agents: int, now: datetime) -> dict[str, Any]:
    """Make the operator; its fresh keys and passwords, for the terminal and nowhere else."""
    schemes_load()
    organisation, _ = Organisation.objects.get_or_create(name="Demo operator")
    plans = {**SITES, **(BENCH if bench else {}), **_agent_plans(agents)}
    sites = {slug: _site(organisation, slug, plan) for slug, plan in plans.items()}
    _forget_earlier(list(sites.values()), now)
    logins = {name: _person(name, roles, list(sites.values())) for name, roles in PEOPLE.items()}
    provider, _ = Provider.objects.get_or_create(
        name="Demo payments", defaults={"organisation": organisation}
    )
    for key in provider.keys.filter(revoked_at__isnull=True):
        provider_key_revoke(key_id=key.pk, actor=COMMAND, now=now)
    # not withdrawn but deleted: a withdrawn payment still counts for the time before, and would
    # mix with what this demo pays
    Right.objects.filter(provider=provider).delete()
    _watchlist(organisation, now)
    kept = [site.name for site in sites.values() if site.slug != "gantry-south"]
    return {
        "run": f"demo-{now:%Y%m%dT%H%M%S}",
        "since": now.isoformat(),
        "cameras": {
            camera.slug: _device_key(camera, now)
            for camera in Camera.objects.filter(site__in=sites.values())
            if camera.slug not in agent_cameras(agents)
        },
        "setup_tokens": {
            camera.slug: setup_token_create(camera=camera, actor=COMMAND, now=now).text
            for camera in Camera.objects.filter(
                site__in=sites.values(), slug__in=agent_cameras(agents)
            )
        },
        "provider": provider_key_create(provider=provider, actor=COMMAND, now=now, label=KEY_LABEL)[
            1
        ],
        "logins": logins,
        "notes": [
            (
                f"Kept {KEEP_MINUTES} minutes for you to look at, then forgotten: compliant "
                f"vehicles at {', '.join(kept)}."
            ),
            f"Kept 0 hours, as the default is: compliant vehicles at {sites['gantry-south'].name}.",
        ],
    }


def _agent_plans(agents: int) -> dict[str, dict[str, Any]]:
    return {
        slug: {
            "name": "Your video" if slug == AGENT else f"An edge agent's: {slug}",
            "kind": Site.Kind.VIGNETTE,
            "scheme": "CZ",
            "regions": [],  # vehicles from anywhere
            "cameras": {slug: ("An edge agent", Camera.Role.PASSING)},
            "keep": KEEP_MINUTES,
        }
        for slug in agent_cameras(agents)
    }


def _site(organisation: Organisation, slug: str, plan: dict[str, Any]) -> Site:
    site = Site.objects.filter(slug=slug).first()
    if site is None:
        site = Site(
            organisation=organisation,
            slug=slug,
            name=plan["name"],
            kind=plan["kind"],
            timezone=str(ZONE),
            regions=plan["regions"],
        )
        registry_save(row=site, actor=COMMAND)
    SiteRules.objects.get_or_create(
        site=site, effective_from=SINCE, defaults={"scheme": plan["scheme"]}
    )
    _notices(site)
    policy_set(
        site=site,
        data_class=DataClass.COMPLIANT,
        keep_minutes=plan["keep"],
        why="Demonstration: long enough to be looked at."
        if plan["keep"]
        else "Forgotten at once, as AT and FR law ask.",
        actor=COMMAND,
    )
    for camera_slug, (name, role) in plan["cameras"].items():
        if not Camera.objects.filter(site=site, slug=camera_slug).exists():
            registry_save(
                row=Camera(site=site, slug=camera_slug, name=name, role=role), actor=COMMAND
            )
    return site


def _notices(site: Site) -> None:
    """What a notice of a demo's site asks for, so that a case can be taken to its PDF."""
    scheme = SCHEMES["cz"]
    CasePolicy.objects.get_or_create(
        site=site,
        effective_from=SINCE,
        defaults={
            "currency": "CZK",
            "notice_amount": 150_000,
            "discount_amount": 75_000,
            "scheme": scheme.code,
            "discount_days": 10,
            "due_days": scheme.due_days,
            "appeal_days": scheme.appeal_days,
            "languages": ["en", "cs", "de"],
            "payee": "Demo operator\n1 Example Square\n123 00 Nowhere",
            "pay_texts": {
                "en": "This is a demonstration: nothing is to be paid.",
                "cs": "Toto je ukázka: nic neplaťte.",
                "de": "Dies ist eine Vorführung: Bezahlen Sie nichts.",
            },
        },
    )


def _forget_earlier(sites: list[Site], now: datetime) -> None:
    for site in sites:
        ids = list(Passage.objects.filter(site=site).values_list("pk", flat=True))
        if ids:
            passages_erase(ids, site=site, now=now)


def _person(name: str, roles: tuple[str, ...], sites: list[Site]) -> str:
    password = secrets.token_urlsafe(9)
    user, _ = User.objects.get_or_create(
        username=name, defaults={"email": f"{name}@demo.invalid", "first_name": name.title()}
    )
    user.is_superuser = user.is_staff = not roles
    user.set_password(password)
    user.save()
    for site in sites:
        for role in roles:
            SiteRole.objects.get_or_create(user=user, site=site, role=role)
    return password


def _device_key(camera: Camera, now: datetime) -> str:
    for key in DeviceKey.objects.filter(camera=camera, label=KEY_LABEL, revoked_at__isnull=True):
        device_key_revoke(key=key, actor=COMMAND, now=now)
    return device_key_create(camera=camera, actor=COMMAND, now=now, label=KEY_LABEL)[1]


def _watchlist(organisation: Organisation, now: datetime) -> None:
    operator = User.objects.get(username="operator")
    supervisor = User.objects.get(username="supervisor")
    watchlist = Watchlist.objects.filter(name="stolen").first() or watchlist_create(
        organisation=organisation,
        name="stolen",
        purpose="Vehicles reported as stolen (demonstration).",
        priority=90,
        needs_approval=True,
        user=operator,
        now=now,
        actor=COMMAND,
    )
    for row in script()["watchlist"]:
        try:
            entry = entry_add(
                watchlist=watchlist,
                plate=row["plate"],
                country=row["country"],
                reason="reported stolen",
                expires_at=now + timedelta(days=row["expires"]["days_from_today"]),
                user=operator,
                actor=COMMAND,
                now=now,
            )
        except Conflict:
            continue  # an earlier demo listed it
        entry_approve(entry_id=entry.pk, user=supervisor, actor=COMMAND, now=now)
