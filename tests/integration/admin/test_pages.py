"""Every page of the admin: who it opens for, what it never shows, what it may cost."""

import datetime as dt

import pytest
from django.contrib import admin as django_admin
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from audit.services import record
from cameras.keys import device_key_create
from cameras.models import Organisation, SiteRole, Zone
from core.models import User
from enforcement.retention.models import ErasureReport
from enforcement.retention.services import hold_place, policy_set
from enforcement.rights.keys import provider_key_create
from enforcement.rights.models import Provider, Scheme, SiteRules
from enforcement.watchlist.services import entry_add, watchlist_create
from plates.models import PlateRead
from tests.integration.admin.conftest import (
    ADMIN,
    OTHER_PLATE,
    PLATE,
    World,
    make_camera,
    make_capture,
    make_case,
    make_site,
    permit,
    person,
)
from vault.models import DataClass

pytestmark = pytest.mark.django_db(databases=["default", "keys"])

NEVER_ADDED = {
    "capture",
    "heartbeat",
    "daycount",
    "case",
    "notice",
    "noticedelivery",
    "erasurereport",
    "auditrow",
}


def name_of(model: type[Model], page: str) -> str:
    return f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}"


def pages(world: World) -> dict[str, str]:
    """Every list, form and row page of every registered model, and our own pages."""
    found = {}
    for row in world.rows():
        assert isinstance(row, Model)
        model = type(row)
        label = str(model._meta.model_name)
        found[f"{label} list"] = reverse(name_of(model, "changelist"))
        found[f"{label} row"] = reverse(name_of(model, "change"), args=[row.pk])
        found[f"{label} history"] = reverse(name_of(model, "history"), args=[row.pk])
        if label not in NEVER_ADDED:
            found[f"{label} form"] = reverse(name_of(model, "add"))
    plate = world.right.plates.get()
    return found | {
        "front": reverse("admin:index"),
        "import rights": reverse("admin:rights_right_import_file"),
        "import entries": reverse(
            "admin:watchlist_watchlist_import_file", args=[world.watchlist.pk]
        ),
        "approve all": reverse("admin:watchlist_watchlist_approve_all", args=[world.watchlist.pk]),
        "right's plate": reverse("admin:rights_plate", args=[world.right.pk, plate.pk]),
        "right's number": reverse("admin:rights_number", args=[world.right.pk]),
        "withdraw": reverse("admin:rights_right_withdraw", args=[world.right.pk]),
        "entry's plate": reverse("admin:entries_plate", args=[world.entry.pk]),
        "approve": reverse("admin:watchlist_entry_approve", args=[world.entry.pk]),
        "remove": reverse("admin:watchlist_entry_remove", args=[world.entry.pk]),
        "device settings": reverse("admin:cameras_camera_device_settings", args=[world.camera.pk]),
        "set up": reverse("admin:cameras_camera_set_up", args=[world.camera.pk]),
        "rotate": reverse("admin:cameras_devicekey_rotate", args=[world.device_key.pk]),
        "revoke": reverse("admin:cameras_devicekey_revoke", args=[world.device_key.pk]),
        "revoke provider's": reverse(
            "admin:rights_providerkey_revoke", args=[world.provider_key.pk]
        ),
        "factors": reverse("admin:core_user_reset_factors", args=[world.user.pk]),
        "password": reverse("admin:auth_user_password_change", args=[world.user.pk]),
        "lift": reverse("admin:retention_hold_lift", args=[world.hold.pk]),
        "policies": reverse("admin:retention_policy_table"),
        "due": reverse("admin:retention_erasurereport_dry_run"),
        "find": reverse("admin:rights_right_find"),
        "new rules": f"{reverse('admin:rights_siterules_add')}?site={world.site.pk}",
        "new scheme": f"{reverse('admin:rights_scheme_add')}?of=CZ",
    }


def test_every_model_an_admin_manages_is_there(world: World) -> None:
    """One row of each is in the world, so the tests below look at every one."""
    assert {type(row) for row in world.rows()} == set(django_admin.site._registry)


def test_plates_read_have_no_page(world: World) -> None:
    assert PlateRead not in django_admin.site._registry


def test_every_page_opens_for_a_superuser_and_shows_no_plate(world: World, admin: Client) -> None:
    for what, address in pages(world).items():
        answer = admin.get(address)
        assert answer.status_code == 200, what
        text = answer.content.decode()
        assert PLATE not in text, what
        assert "<sealed" not in text, what
        assert "no-store" in answer["Cache-Control"], what


@pytest.mark.parametrize("method", ["get", "post"])
def test_nobody_else_gets_in(world: World, operator: Client, method: str) -> None:
    for who in (Client(), operator):
        for what, address in pages(world).items():
            answer = getattr(who, method)(address)
            refused = answer.status_code in (403, 404)
            away = answer.status_code == 302 and "/login/" in answer["Location"]
            assert refused or away, (what, answer.status_code)


def test_staff_see_what_their_permissions_say_and_open_nothing(world: World, clerk: Client) -> None:
    everything = pages(world)
    seen = {name for name, address in everything.items() if clerk.get(address).status_code == 200}
    assert seen == {
        "front",
        *(
            f"{model} {page}"
            for model in ("right", "entry", "watchlist")
            for page in ("list", "row")
        ),
        *(f"{model} history" for model in ("right", "entry", "watchlist")),
    }
    for name in ("right's plate", "entry's plate", "right's number"):
        assert clerk.post(everything[name], {"purpose": "rights-admin"}).status_code == 403


def test_an_address_that_names_nothing_is_answered(world: World, admin: Client) -> None:
    for model in django_admin.site._registry:
        for wrong in ("x", "00000000-0000-7000-8000-000000000000"):
            answer = admin.get(reverse(name_of(model, "change"), args=[wrong]))
            assert answer.status_code == 302, (model, wrong)  # Django leads to the front page
            assert answer["Location"] == reverse("admin:index")


def many(world: World, boss: User, count: int) -> None:
    """More rows of everything."""
    now = timezone.now()
    for i in range(count):
        user = person(f"person-{i}")
        site = make_site(world.organisation, f"site-{i}")
        camera = make_camera(site, f"camera-{i}")
        device_key_create(camera=camera, actor=ADMIN, now=now)
        make_capture(camera, now)
        make_case(site, f"2026-1{i:05}", now)
        Zone.objects.create(site=site, name="zone")
        SiteRole.objects.create(user=user, site=site, role="viewer")
        SiteRules.objects.create(site=site, effective_from=now)
        Scheme.objects.create(
            code=f"X{i}",
            name="X",
            country="CZ",
            timezone="UTC",
            effective_from=now,
            rules={"products": {}},
        )
        provider = Provider.objects.create(name=f"p{i}", organisation=world.organisation)
        provider_key_create(provider=provider, actor=ADMIN, now=now)
        permit(site, f"1A{i:05}", f"n{i}", now)
        watchlist = watchlist_create(
            organisation=world.organisation, name=f"l{i}", purpose="x", user=boss, now=now
        )
        entry_add(
            watchlist=watchlist,
            plate=OTHER_PLATE,
            user=user,
            now=now,
            expires_at=now + dt.timedelta(days=3),
        )
        policy_set(
            site=site, data_class=DataClass.CASE, keep_minutes=10, why="Because.", actor=ADMIN
        )
        hold_place(reference=f"h{i}", reason="x", user=user, actor=ADMIN, now=now, site=site)
        ErasureReport.objects.create(
            id=make_capture(camera, now).pk, at=now, site=site, data_class="case"
        )
        Organisation.objects.create(name=f"o{i}")
        record(ADMIN, "change", purpose="administration")


def test_a_list_of_fifty_asks_no_more_than_a_list_of_one(
    world: World, admin: Client, boss: User
) -> None:
    lists = {name: address for name, address in pages(world).items() if name.endswith(" list")} | {
        "policies": pages(world)["policies"]
    }

    def queries(address: str) -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert admin.get(address).status_code == 200
        return len(asked)

    for address in lists.values():
        admin.get(address)  # content types and the like are looked up once
    one = {name: queries(address) for name, address in lists.items()}
    many(world, boss, 49)
    fifty = {name: queries(address) for name, address in lists.items()}
    assert {name: count for name, count in fifty.items() if count > one[name]} == {}
    assert max(fifty.values()) <= 16


def test_the_policy_table_says_what_counts(world: World, admin: Client) -> None:
    text = admin.get(reverse("admin:retention_policy_table")).content.decode()
    assert "10 min" in text  # the site's own
    assert "90 days" in text  # the default of a case
    own = reverse("admin:retention_policy_change", args=[world.policy.pk])
    assert own in text
