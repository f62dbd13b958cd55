"""Changes in the admin: each is audited, none rewrites the past, none leaves a plate behind."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditRow
from cameras.keys import device_key_use
from cameras.models import Camera, DeviceKey, Organisation, Site, SiteRole
from core.errors import NotAllowed
from core.models import User
from enforcement.retention.models import Hold, Policy
from enforcement.rights.keys import provider_key_check
from enforcement.rights.models import Provider, Right, Scheme, SiteRules
from enforcement.watchlist.models import Entry, Watchlist
from tests.integration.admin.conftest import OTHER_PLATE, PLATE, World
from vault import blind

pytestmark = pytest.mark.django_db(databases=["default", "keys"])


def no_inlines(*prefixes: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for prefix in prefixes:
        found |= {f"{prefix}-TOTAL_FORMS": "0", f"{prefix}-INITIAL_FORMS": "0"}
    return found


def split(at: Any) -> dict[str, str]:
    return {
        "effective_from_0": f"{at:%Y-%m-%d}",
        "effective_from_1": f"{at:%H:%M:%S}",
    }


def audited_since(row: AuditRow) -> list[tuple[str, str, str, list[str]]]:
    rows = AuditRow.objects.filter(pk__gt=row.pk).order_by("pk")
    return [(r.actor, r.action, r.subject, r.detail.get("fields", [])) for r in rows]


def newest() -> AuditRow:
    return AuditRow.objects.order_by("-pk")[0]


def no_plate_anywhere(*plates: str) -> None:
    """Neither Django's own history, nor sessions, nor the audit log, nor any other table."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = [name for (name,) in cursor.fetchall()]
        assert "django_admin_log" in tables
        for table in tables:
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            text = "\n".join(row[0] for row in cursor.fetchall()).upper()
            assert not [plate for plate in plates if plate in text], table


def test_a_planted_plate_is_found(world: World) -> None:
    """The search above can fail: a plate in a label is found."""
    DeviceKey.objects.update(label=f"for {OTHER_PLATE.lower()}")
    with pytest.raises(AssertionError, match="cameras_devicekey"):
        no_plate_anywhere(OTHER_PLATE)


SITE = {
    "name": "South",
    "slug": "south",
    "kind": "parking",
    "timezone": "Europe/Prague",
    "regions": "cz, SK",
    "debounce_seconds": "45",
    "skew_limit_seconds": "2",
    "offline_after_seconds": "180",
}
OF_SITE = ("cameras", "zones", "roles", "rules", "policies")


def test_a_site_comes_changes_and_goes(world: World, admin: Client) -> None:
    form = {**SITE, "organisation": world.organisation.pk, **no_inlines(*OF_SITE)}
    before = newest()
    assert admin.post(reverse("admin:cameras_site_add"), form).status_code == 302
    site = Site.objects.get(slug="south")
    assert site.regions == ["CZ", "SK"]
    where = reverse("admin:cameras_site_change", args=[site.pk])
    changed = {**form, "name": "South gate", "regions": "CZ, SK", "debounce_seconds": "30"}
    assert admin.post(where, changed).status_code == 302
    where = reverse("admin:cameras_site_delete", args=[site.pk])
    assert admin.post(where, {"post": "yes"}).status_code == 302
    assert not Site.objects.filter(slug="south").exists()
    assert [(actor, action, subject) for actor, action, subject, _ in audited_since(before)] == [
        ("boss", "change", "cameras.site")
    ] * 3
    rows = AuditRow.objects.filter(pk__gt=before.pk).order_by("pk")
    assert [row.detail["what"] for row in rows] == ["created", "changed", "deleted"]
    assert rows[1].detail["fields"] == ["debounce_seconds", "name"]
    assert {row.purpose for row in rows} == {"administration"}
    assert {row.place for row in rows} == {"127.0.0.1"}


def test_a_site_with_a_wrong_zone_or_region_is_refused(world: World, admin: Client) -> None:
    form = {
        **SITE,
        "organisation": world.organisation.pk,
        "timezone": "Europe/Nowhere",
        "regions": "CZ, Prague",
        **no_inlines(*OF_SITE),
    }
    answer = admin.post(reverse("admin:cameras_site_add"), form)
    assert answer.status_code == 200
    text = answer.content.decode()
    assert "not an IANA time zone name" in text
    assert "two-letter country code" in text
    assert not Site.objects.filter(slug="south").exists()


def test_a_site_that_holds_captures_is_not_deleted(world: World, admin: Client) -> None:
    where = reverse("admin:cameras_site_delete", args=[world.site.pk])
    assert "would result in deleting related objects" in admin.get(where).content.decode()
    admin.post(where, {"post": "yes"})
    assert Site.objects.filter(pk=world.site.pk).exists()


def test_roles_and_zones_of_a_site_are_audited_too(world: World, admin: Client, boss: User) -> None:
    form = {
        **SITE,
        "name": world.site.name,
        "slug": world.site.slug,
        "regions": "",
        "organisation": world.organisation.pk,
        **no_inlines("cameras", "rules", "policies"),
        "zones-TOTAL_FORMS": "2",
        "zones-INITIAL_FORMS": "1",
        "zones-0-id": world.zone.pk,
        "zones-0-site": world.site.pk,
        "zones-0-name": "upper deck",
        "zones-1-site": world.site.pk,
        "zones-1-name": "lower deck",
        "roles-TOTAL_FORMS": "2",
        "roles-INITIAL_FORMS": "1",
        "roles-0-id": world.role.pk,
        "roles-0-site": world.site.pk,
        "roles-0-user": world.user.pk,
        "roles-0-role": "viewer",
        "roles-0-DELETE": "on",
        "roles-1-site": world.site.pk,
        "roles-1-user": boss.pk,
        "roles-1-role": "operator",
    }
    before = newest()
    where = reverse("admin:cameras_site_change", args=[world.site.pk])
    assert admin.post(where, form).status_code == 302
    rows = AuditRow.objects.filter(pk__gt=before.pk)
    done = sorted((row.subject, row.detail["what"], *row.detail["fields"]) for row in rows)
    assert done == [
        ("cameras.site", "changed"),
        ("cameras.siterole", "created"),
        ("cameras.siterole", "deleted"),
        ("cameras.zone", "changed", "name"),
        ("cameras.zone", "created"),
    ]
    assert sorted(world.site.zones.values_list("name", flat=True)) == ["lower deck", "upper deck"]
    assert list(SiteRole.objects.values_list("user__username", "role")) == [("boss", "operator")]


def test_a_camera_stays_in_the_zones_of_its_site(world: World, admin: Client) -> None:
    other = Site.objects.create(organisation=world.organisation, name="o", slug="o", kind="parking")
    form = {
        "site": other.pk,
        "name": "Lane",
        "slug": "lane",
        "role": "entry",
        "zone": world.zone.pk,
        "active": "on",
        **no_inlines("keys"),
    }
    answer = admin.post(reverse("admin:cameras_camera_add"), form)
    assert "at another site" in answer.content.decode()
    answer = admin.post(reverse("admin:cameras_camera_add"), {**form, "site": world.site.pk})
    assert answer.status_code == 302
    assert Camera.objects.get(slug="lane").zone == world.zone


# --- keys ---------------------------------------------------------------------------------------


def secret_in(answer: Any) -> str:
    text = answer.content.decode()
    start = text.index('value="pw', text.index("pw-secret")) + len('value="')
    return str(text[start : text.index('"', start)])


def test_a_device_key_is_shown_once(world: World, admin: Client) -> None:
    before = newest()
    answer = admin.post(
        reverse("admin:cameras_devicekey_add"), {"owner": world.camera.pk, "label": "lane"}
    )
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    secret = secret_in(answer)
    key = device_key_use(text=secret, now=timezone.now())
    assert (key.camera, key.label) == (world.camera, "lane")
    for where in (
        reverse("admin:cameras_devicekey_changelist"),
        reverse("admin:cameras_devicekey_change", args=[key.pk]),
        reverse("admin:cameras_devicekey_history", args=[key.pk]),
        reverse("admin:cameras_camera_change", args=[world.camera.pk]),
        reverse("admin:index"),
    ):
        text = admin.get(where).content.decode()
        assert secret not in text
        assert secret.split("_", 2)[2] not in text
    no_plate_anywhere(secret.upper())
    assert ("boss", "change", "cameras.devicekey", []) in audited_since(before)


def test_a_key_is_rotated_and_revoked(world: World, admin: Client) -> None:
    old = world.device_key
    answer = admin.post(reverse("admin:cameras_devicekey_rotate", args=[old.pk]))
    fresh = device_key_use(text=secret_in(answer), now=timezone.now())
    assert fresh.pk != old.pk
    old.refresh_from_db()
    assert old.expires_at is not None
    where = reverse("admin:cameras_devicekey_revoke", args=[fresh.pk])
    assert admin.get(where).status_code == 200
    fresh.refresh_from_db()
    assert fresh.revoked_at is None  # looking at the question changes nothing
    assert admin.post(where).status_code == 302
    with pytest.raises(NotAllowed):
        device_key_use(text=secret_in(answer), now=timezone.now())
    page = admin.get(reverse("admin:cameras_devicekey_change", args=[fresh.pk])).content.decode()
    assert where not in page  # revoked: no button any more
    answer = admin.post(reverse("admin:cameras_devicekey_rotate", args=[fresh.pk]))
    assert "revoked key has no successor" in answer.content.decode()


def test_a_key_born_expired_is_refused(world: World, admin: Client) -> None:
    answer = admin.post(
        reverse("admin:cameras_devicekey_add"),
        {"owner": world.camera.pk, "expires_at": "2026-01-01T00:00"},
    )
    assert "expired already" in answer.content.decode()
    assert DeviceKey.objects.count() == 1


def test_a_provider_key_is_shown_once_and_revoked(world: World, admin: Client) -> None:
    answer = admin.post(reverse("admin:rights_providerkey_add"), {"owner": world.provider.pk})
    secret = secret_in(answer)
    key = provider_key_check(text=secret, now=timezone.now())
    assert key.provider == world.provider
    admin.post(reverse("admin:rights_providerkey_revoke", args=[key.pk]))
    with pytest.raises(NotAllowed):
        provider_key_check(text=secret, now=timezone.now())


def test_keys_are_neither_edited_nor_deleted(world: World, admin: Client) -> None:
    for name, key in (
        ("cameras_devicekey", world.device_key),
        ("rights_providerkey", world.provider_key),
    ):
        where = reverse(f"admin:{name}_change", args=[key.pk])
        assert admin.post(where, {"label": "x"}).status_code == 403
        where = reverse(f"admin:{name}_delete", args=[key.pk])
        assert admin.post(where, {"post": "yes"}).status_code == 403


# --- rules and schemes --------------------------------------------------------------------------

RULES = {
    "scheme": "",
    "scope": "",
    "window": "",
    "confidence_floor": "0.9",
    "consideration_minutes": "5",
    "grace_minutes": "12",
    "max_stay_minutes": "1440",
    "orphan_rate_limit": "0.2",
    "orphan_rate_over": "50",
    "lookup_wait_minutes": "60",
}


def test_past_rules_are_immutable(world: World, admin: Client) -> None:
    """A case is judged by the rules in force when the vehicle was seen."""
    where = reverse("admin:rights_siterules_change", args=[world.rules.pk])
    form = {**RULES, "site": world.site.pk, **split(timezone.now() + timedelta(days=1))}
    assert admin.post(where, form).status_code == 403
    delete = reverse("admin:rights_siterules_delete", args=[world.rules.pk])
    assert admin.post(delete, {"post": "yes"}).status_code == 403
    world.rules.refresh_from_db()
    assert world.rules.grace_minutes == 7


@pytest.mark.parametrize(
    ("ahead", "stored"),
    [(timedelta(days=-3), False), (timedelta(minutes=-5), True), (timedelta(days=3), True)],
)
def test_new_rules_begin_now_or_later(
    world: World, admin: Client, ahead: timedelta, stored: bool
) -> None:
    start = timezone.now()
    form = {**RULES, "site": world.site.pk, **split(start + ahead)}
    before = newest()
    answer = admin.post(reverse("admin:rights_siterules_add"), form)
    rules = SiteRules.objects.filter(grace_minutes=12).first()
    assert (rules is not None) == stored
    if rules is None:
        assert "lies in the past" in answer.content.decode()
        assert audited_since(before) == []
    else:
        assert rules.effective_from >= start + max(ahead, timedelta(0)) - timedelta(seconds=1)
        assert [row[2] for row in audited_since(before)] == ["rights.siterules"]


def test_rules_of_the_future_may_still_change(world: World, admin: Client) -> None:
    at = timezone.now() + timedelta(days=3)
    rules = SiteRules.objects.create(site=world.site, effective_from=at)
    where = reverse("admin:rights_siterules_change", args=[rules.pk])
    form = {**RULES, "site": world.site.pk}
    assert admin.post(where, {**form, **split(at)}).status_code == 302
    rules.refresh_from_db()
    assert rules.grace_minutes == 12
    past = split(timezone.now() - timedelta(days=30))
    assert "lies in the past" in admin.post(where, {**form, **past}).content.decode()


def test_a_site_that_saw_nothing_may_have_rules_from_any_day(world: World, admin: Client) -> None:
    site = Site.objects.create(
        organisation=world.organisation, name="new", slug="new", kind="zone", timezone="UTC"
    )
    window = {"days": [1], "from": "07:00", "to": "18:00", "pay_until": "P3D midnight"}
    form = {
        **RULES,
        "site": site.pk,
        "window": json.dumps(window),
        **split(timezone.now() - timedelta(days=90)),
    }
    assert admin.post(reverse("admin:rights_siterules_add"), form).status_code == 302
    assert site.rules.get().window == window


@pytest.mark.parametrize(
    ("kind", "form", "sentence"),
    [
        ("vignette", {}, "names its scheme"),
        ("parking", {"scheme": "CZ"}, "Only a vignette site"),
        ("parking", {"window": "{}", "scheme": ""}, None),
        ("zone", {}, "window"),
        ("zone", {"window": '{"days": [9]}'}, "window"),
        ("parking", {"window": "{"}, "valid JSON"),
    ],
)
def test_rules_fit_their_site(
    world: World, admin: Client, kind: str, form: dict[str, str], sentence: str | None
) -> None:
    site = Site.objects.create(
        organisation=world.organisation, name="n", slug="n", kind=kind, timezone="UTC"
    )
    said = {**RULES, "site": site.pk, **split(timezone.now()), **form}
    answer = admin.post(reverse("admin:rights_siterules_add"), said)
    assert site.rules.exists() == (sentence is None)
    if sentence is not None:
        assert sentence in answer.content.decode()


SCHEME = {"code": "XX", "name": "Ours", "country": "CZ", "timezone": "Europe/Prague"}
GOOD = {"products": {"day": {"span": "days", "count": 1}}}


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        ({}, "This field is required"),
        ([1], "compare them with the example"),
        ({"products": {}}, "at least one product"),
        ({"products": {"day": {"span": "days"}}}, "Product “day”: “count” is missing."),
        ({"products": {"day": {"span": "weeks", "count": 1}}}, "span must be days, months"),
        ({**GOOD, "exemptions": [{"categories": ["bus"]}]}, "Exemption 1: “countries” is missing."),
        ({**GOOD, "healing": 3}, "There is no “healing”."),
        ({**GOOD, "heal_min": "soon"}, "wrong shape"),
        (GOOD, None),
    ],
)
def test_a_scheme_is_checked_before_it_is_stored(
    admin: Client, world: World, rules: dict[str, Any], sentence: str | None
) -> None:
    form = {**SCHEME, **split(timezone.now()), "rules": json.dumps(rules)}
    answer = admin.post(reverse("admin:rights_scheme_add"), form)
    assert Scheme.objects.filter(code="XX").exists() == (sentence is None)
    if sentence is not None:
        assert sentence in answer.content.decode()


def test_a_scheme_in_force_is_immutable_and_has_successors(world: World, admin: Client) -> None:
    where = reverse("admin:rights_scheme_change", args=[world.scheme.pk])
    form = {**SCHEME, "code": "CZ", "rules": json.dumps(GOOD)}
    past, now = timezone.now() - timedelta(days=9), timezone.now()
    assert admin.post(where, {**form, **split(now)}).status_code == 403
    add = reverse("admin:rights_scheme_add")
    assert "lies in the past" in admin.post(add, {**form, **split(past)}).content.decode()
    assert admin.post(add, {**form, **split(now)}).status_code == 302
    assert Scheme.objects.filter(code="CZ").count() == 2


# --- watchlists ---------------------------------------------------------------------------------


def test_a_list_is_made_and_changed_by_its_service(world: World, admin: Client) -> None:
    before = newest()
    form = {
        "organisation": world.organisation.pk,
        "name": "bans",
        "purpose": "House rules.",
        "sites": [world.site.pk],
        "priority": "40",
        "needs_approval": "on",
        "active": "on",
    }
    assert admin.post(reverse("admin:watchlist_watchlist_add"), form).status_code == 302
    watchlist = Watchlist.objects.get(name="bans")
    assert list(watchlist.sites.all()) == [world.site]
    where = reverse("admin:watchlist_watchlist_change", args=[watchlist.pk])
    assert admin.post(where, {**form, "priority": "41", "sites": []}).status_code == 302
    watchlist.refresh_from_db()
    assert (watchlist.priority, watchlist.sites.count()) == (41, 0)
    assert [(who, what) for who, what, _, _ in audited_since(before)] == [
        ("boss", "create"),
        ("boss", "change"),
    ]
    stranger = Site.objects.create(
        organisation=Organisation.objects.create(name="Another"),
        name="a",
        slug="a",
        kind="parking",
    )
    for page in (where, reverse("admin:watchlist_watchlist_add")):
        answer = admin.post(page, {**form, "name": "other", "sites": [stranger.pk]})
        assert "its organisation&#x27;s" in answer.content.decode()


def test_an_entry_is_added_and_a_second_person_approves_it(
    world: World, admin: Client, second: Client
) -> None:
    before = newest()
    soon = timezone.now() + timedelta(days=2)
    form = {
        "watchlist": world.watchlist.pk,
        "plate": "4a2 8888",
        "country": "CZ",
        "expires_at": f"{soon:%Y-%m-%dT%H:%M}",
        "reason": "reported",
    }
    answer = admin.post(reverse("admin:watchlist_entry_add"), form)
    assert answer.status_code == 302
    entry = Entry.objects.get(token_exact=blind.exact(OTHER_PLATE))
    assert OTHER_PLATE not in answer["Location"]
    where = reverse("admin:watchlist_entry_approve", args=[entry.pk])
    assert "can&#x27;t approve it" in admin.post(where).content.decode()
    entry.refresh_from_db()
    assert entry.approved_at is None
    assert second.post(where).status_code == 302
    entry.refresh_from_db()
    assert entry.approved_by is not None
    remove = reverse("admin:watchlist_entry_remove", args=[entry.pk])
    assert admin.post(remove).status_code == 302
    entry.refresh_from_db()
    assert entry.removed_at is not None
    assert [(who, what) for who, what, _, _ in audited_since(before)] == [
        ("boss", "add"),
        ("second", "approve"),
        ("boss", "remove"),
    ]
    no_plate_anywhere(PLATE, OTHER_PLATE)
    assert LogEntry.objects.filter(object_id=str(entry.pk)).count() == 3


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"plate": PLATE}, "stands on the list already"),
        ({"plate": " - "}, "empty"),
        ({"country": "Czechia"}, "2 characters"),
        ({"expires_at": "2026-01-01T00:00"}, "expired already"),
        ({"reason": f"seen as {OTHER_PLATE}"}, "leave the plate out"),
    ],
)
def test_an_entry_that_is_refused_says_why_and_names_no_plate(
    world: World, admin: Client, change: dict[str, str], sentence: str
) -> None:
    soon = timezone.now() + timedelta(days=2)
    form = {
        "watchlist": world.watchlist.pk,
        "plate": OTHER_PLATE,
        "country": "CZ",
        "expires_at": f"{soon:%Y-%m-%dT%H:%M}",
        **change,
    }
    answer = admin.post(reverse("admin:watchlist_entry_add"), form)
    text = answer.content.decode()
    assert answer.status_code == 200
    assert sentence in text
    field = f'value="{form["plate"]}"'
    assert OTHER_PLATE not in text.replace(field, "").replace(f'value="{form.get("reason")}"', "")
    assert Entry.objects.count() == 1


def test_many_entries_are_approved_and_removed_at_once(
    world: World, admin: Client, second: Client
) -> None:
    chosen = {"_selected_action": [str(world.entry.pk)]}
    where = reverse("admin:watchlist_entry_changelist")
    answer = admin.post(where, {**chosen, "action": "approve_chosen"}, follow=True)
    assert "1 not approved" in answer.content.decode()
    second.post(reverse("admin:watchlist_watchlist_approve_all", args=[world.watchlist.pk]))
    world.entry.refresh_from_db()
    assert world.entry.approved_at is not None
    answer = admin.post(where, {**chosen, "action": "remove_chosen"}, follow=True)
    assert "1 removed" in answer.content.decode()
    answer = admin.post(where, {**chosen, "action": "delete_selected"}, follow=True)
    assert Entry.objects.count() == 1


# --- retention ----------------------------------------------------------------------------------


def test_a_policy_is_set_by_its_service(world: World, admin: Client) -> None:
    before = newest()
    form = {
        "site": world.site.pk,
        "data_class": "case",
        "keep_minutes": "60",
        "why": "Contract.",
    }
    assert admin.post(reverse("admin:retention_policy_add"), form).status_code == 302
    policy = Policy.objects.get(data_class="case")
    where = reverse("admin:retention_policy_change", args=[policy.pk])
    assert admin.post(where, {"keep_minutes": "90", "why": "Contract."}).status_code == 302
    policy.refresh_from_db()
    assert policy.keep_minutes == 90
    delete = reverse("admin:retention_policy_delete", args=[policy.pk])
    assert admin.post(delete, {"post": "yes"}).status_code == 302
    assert [row[2] for row in audited_since(before)] == ["retention.policy"] * 3


def test_a_hold_is_placed_on_a_plate_as_a_token_and_lifted(world: World, admin: Client) -> None:
    before = newest()
    form = {"plate": OTHER_PLATE.lower(), "reference": "Court 7/2026", "reason": "Proceedings"}
    answer = admin.post(reverse("admin:retention_hold_add"), form)
    assert answer.status_code == 302
    hold = Hold.objects.get(reference="Court 7/2026")
    assert hold.token_exact == blind.exact(OTHER_PLATE)
    admin.post(reverse("admin:retention_hold_lift", args=[hold.pk]))
    hold.refresh_from_db()
    assert hold.lifted_by is not None
    assert [(who, subject) for who, _, subject, _ in audited_since(before)] == [
        ("boss", "retention.hold")
    ] * 2
    answer = admin.post(reverse("admin:retention_hold_lift", args=[hold.pk]))
    assert "no such hold in force" in answer.content.decode()
    no_plate_anywhere(OTHER_PLATE)


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({}, "names a plate, a case or a site"),
        ({"case": "2026-999999"}, "no such case"),
        ({"plate": OTHER_PLATE, "reason": f"the car {OTHER_PLATE}"}, "leave the plate out"),
        ({"plate": OTHER_PLATE, "reference": OTHER_PLATE}, "leave the plate out"),
    ],
)
def test_a_hold_that_is_refused_says_why(
    world: World, admin: Client, form: dict[str, str], sentence: str
) -> None:
    said = {"reference": "R", "reason": "r", **form}
    answer = admin.post(reverse("admin:retention_hold_add"), said)
    assert sentence in answer.content.decode()
    assert Hold.objects.count() == 1


def test_holds_on_a_case_and_a_site(world: World, admin: Client) -> None:
    where = reverse("admin:retention_hold_add")
    base = {"reference": "R", "reason": "r"}
    admin.post(where, {**base, "case": world.case.number})
    admin.post(where, {**base, "site": world.site.pk})
    assert Hold.objects.filter(case_id=world.case.pk).exists()
    assert Hold.objects.filter(site=world.site).exists()
    text = admin.get(reverse("admin:retention_hold_changelist")).content.decode()
    assert f"case {world.case.number}" in text
    assert "everything at north" in text


def test_the_dry_run_changes_nothing_and_the_run_is_audited(world: World, admin: Client) -> None:
    before = newest()
    where = reverse("admin:retention_erasurereport_dry_run")
    assert admin.get(where).status_code == 200
    assert audited_since(before) == []
    assert admin.post(where).status_code == 302
    assert ("boss", "erase", "retention.erasurereport", []) in audited_since(before)


# --- people -------------------------------------------------------------------------------------


def test_a_person_is_added_changed_and_given_a_password(world: World, admin: Client) -> None:
    before = newest()
    form = {
        "username": "anna",
        "email": "anna@example.org",
        "password1": "correct horse battery",
        "password2": "correct horse battery",
        "usable_password": "true",
        **no_inlines("site_roles"),
    }
    assert admin.post(reverse("admin:core_user_add"), form).status_code == 302
    anna = User.objects.get(username="anna")
    assert Client().login(username="anna", password="correct horse battery")
    where = reverse("admin:core_user_change", args=[anna.pk])
    change = {
        "username": "anna",
        "email": "anna@example.org",
        "first_name": "Anna",
        "is_active": "on",
        "site_roles-TOTAL_FORMS": "1",
        "site_roles-INITIAL_FORMS": "0",
        "site_roles-0-user": anna.pk,
        "site_roles-0-site": world.site.pk,
        "site_roles-0-role": "operator",
    }
    assert admin.post(where, change).status_code == 302
    assert anna.site_roles.get().role == "operator"
    password = {
        "password1": "staple horse battery",
        "password2": "staple horse battery",
        "usable_password": "true",
        "set-password": "1",
    }
    where = reverse("admin:auth_user_password_change", args=[anna.pk])
    assert admin.post(where, password).status_code == 302
    assert not Client().login(username="anna", password="correct horse battery")
    assert Client().login(username="anna", password="staple horse battery")
    done = audited_since(before)
    assert ("boss", "change", "core.user", ["password"]) in done
    assert [row[2] for row in done].count("cameras.siterole") == 1
    no_plate_anywhere("CORRECT HORSE BATTERY", "STAPLE HORSE BATTERY")


def test_a_person_is_switched_off_and_never_deleted(world: World, admin: Client) -> None:
    form = {
        "username": "viewer",
        "email": "viewer@example.org",
        **no_inlines("site_roles"),
    }
    where = reverse("admin:core_user_change", args=[world.user.pk])
    assert admin.post(where, form).status_code == 302
    world.user.refresh_from_db()
    assert not world.user.is_active
    delete = reverse("admin:core_user_delete", args=[world.user.pk])
    assert admin.post(delete, {"post": "yes"}).status_code == 403


def test_only_a_superuser_gives_powers(world: World, boss: User) -> None:
    from django.contrib.auth.models import Permission

    from tests.integration.admin.conftest import logged_in, person

    manager = person("manager", is_staff=True)
    manager.user_permissions.set(
        Permission.objects.filter(codename__in=["view_user", "add_user", "change_user"])
    )
    client = logged_in(manager)
    for who in (manager, world.user):
        where = reverse("admin:core_user_change", args=[who.pk])
        form = {
            "username": who.username,
            "email": who.email,
            "is_active": "on",
            "is_staff": "on",
            "is_superuser": "on",
            **no_inlines("site_roles"),
        }
        assert client.post(where, form).status_code == 302
        who.refresh_from_db()
        assert not who.is_superuser
    assert not world.user.is_staff
    where = reverse("admin:core_user_change", args=[boss.pk])
    assert client.post(where, {"username": "x"}).status_code == 403
    where = reverse("admin:auth_user_password_change", args=[boss.pk])
    assert client.post(where, {"password1": "x", "password2": "x"}).status_code == 403
    where = reverse("admin:core_user_reset_factors", args=[boss.pk])
    assert client.post(where).status_code == 403


def test_second_factors_are_reset(world: World, admin: Client) -> None:
    from allauth.mfa.models import Authenticator

    Authenticator.objects.create(user=world.user, type="totp", data={"secret": "x"})
    before = newest()
    admin.post(reverse("admin:core_user_reset_factors", args=[world.user.pk]))
    assert not Authenticator.objects.filter(user=world.user).exists()
    assert ("boss", "change", "core.user", ["second factors"]) in audited_since(before)


# --- what is never changed here -----------------------------------------------------------------


def test_audit_rows_captures_cases_and_reports_are_only_read(world: World, admin: Client) -> None:
    for name, row in (
        ("audit_auditrow", world.audit_row),
        ("cameras_capture", world.capture),
        ("cameras_heartbeat", world.heartbeat),
        ("cameras_daycount", world.day_count),
        ("cases_case", world.case),
        ("retention_erasurereport", world.report),
    ):
        assert admin.post(reverse(f"admin:{name}_add"), {}).status_code == 403, name
        where = reverse(f"admin:{name}_change", args=[row.pk])
        assert admin.post(where, {"actor": "x"}).status_code == 403, name
        where = reverse(f"admin:{name}_delete", args=[row.pk])
        assert admin.post(where, {"post": "yes"}).status_code == 403, name


def test_a_provider_and_its_sites(world: World, admin: Client) -> None:
    before = newest()
    form = {
        "name": "Kiosk",
        "organisation": world.organisation.pk,
        "sites": [world.site.pk],
        "active": "on",
        **no_inlines("keys"),
    }
    assert admin.post(reverse("admin:rights_provider_add"), form).status_code == 302
    assert list(Provider.objects.get(name="Kiosk").sites.all()) == [world.site]
    assert [row[2] for row in audited_since(before)] == ["rights.provider"]
    assert Right.objects.count() == 1
