"""A camera's device in the admin: its settings, and the token that sets it up."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditRow
from cameras.device_settings import checked
from cameras.enrolment import device_enrol
from cameras.models import DeviceSettings, SetupToken
from core.models import User
from tests.integration.admin.conftest import World

pytestmark = pytest.mark.django_db(databases=["default", "keys"])

SAID: dict[str, Any] = {
    "mode": "read",
    "min_score": "0.75",
    "region_of_interest": "0.1,0.4 0.9,0.4  1,1",
    "frames_per_second": "0",
    "regions": "cz, SK",
    "squeeze_width": "416",
    "squeeze_grey": "on",
    "squeeze_cut_top": "0.45",
    "squeeze_quality": "60",
    "keep_hours": "48",
    "heartbeat_seconds": "30",
    "thumbnail_minutes": "0",
    "blur": "surroundings",
    "watch": "on",
}


def where(world: World, page: str = "device_settings") -> str:
    return reverse(f"admin:cameras_camera_{page}", args=[world.camera.pk])


def test_settings_are_set_in_a_form(world: World, admin: Client, boss: User) -> None:
    world.site.regions, world.site.regions_strict = ["CZ"], True
    world.site.save()
    form = admin.get(where(world)).content.decode()
    assert 'name="regions" value="CZ"' in form  # as the site's, until somebody says otherwise
    answer = admin.post(where(world), SAID)
    assert answer.status_code == 302
    row = DeviceSettings.objects.get()
    assert (row.version, row.changed_by) == (1, boss)
    wanted = {
        "mode": "read",
        "min_score": 0.75,
        "region_of_interest": [[0.1, 0.4], [0.9, 0.4], [1, 1]],
        "regions": ["CZ", "SK"],
        "squeeze_width": 416,
        "squeeze_grey": True,
        "squeeze_cut_top": 0.45,
        "squeeze_quality": 60,
        "keep_hours": 48.0,
        "heartbeat_seconds": 30.0,
        "thumbnail_minutes": 0.0,
        "blur": "surroundings",
        "watch": True,
    }
    assert row.values == checked(wanted)
    form = admin.get(where(world)).content.decode()
    assert 'value="0.1,0.4 0.9,0.4 1,1"' in form
    assert "Version 1 is not yet in force." in form
    audited = AuditRow.objects.get(subject="cameras.devicesettings")
    assert audited.actor == boss.get_username()
    assert audited.detail["version"] == 1
    admin.post(where(world), {**SAID, "mode": "frame"})
    assert DeviceSettings.objects.get().version == 2
    admin.post(where(world), {**SAID, "mode": "frame"})
    assert DeviceSettings.objects.get().version == 2  # nothing changed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mode", "film"),
        ("min_score", "1.5"),
        ("min_score", "nan"),
        ("squeeze_quality", "0"),
        ("squeeze_width", "1.5"),
        ("region_of_interest", "0,0 1,1"),
        ("region_of_interest", "0,0 1,1 2,0"),
        ("region_of_interest", "here"),
        ("regions", "CZ, XX"),
        ("heartbeat_seconds", "1"),
        ("keep_hours", ""),
    ],
)
def test_what_cannot_be_is_told_at_its_field(
    world: World, admin: Client, name: str, value: str
) -> None:
    answer = admin.post(where(world), {**SAID, name: value})
    assert answer.status_code == 200
    assert f'id="id_{name}_error"' in answer.content.decode()
    assert not DeviceSettings.objects.exists()


def test_a_token_is_shown_once_and_sets_a_device_up(world: World, admin: Client) -> None:
    assert "once" in admin.get(where(world, "set_up")).content.decode()
    assert not SetupToken.objects.exists()  # looking at the question makes none
    answer = admin.post(where(world, "set_up"))
    assert "no-store" in answer["Cache-Control"]
    html = answer.content.decode()
    assert "<svg viewBox" in html
    (token,) = set(re.findall(r"pws_[0-9a-f]{8}_[\w-]{43}", html))
    enrolled = device_enrol(text=token, place="203.0.113.9", now=timezone.now())
    assert enrolled.camera == world.camera
    page = admin.get(reverse("admin:cameras_camera_change", args=[world.camera.pk]))
    assert token not in page.content.decode()


def test_a_camera_that_is_off_gets_none(world: World, admin: Client) -> None:
    type(world.camera).objects.filter(pk=world.camera.pk).update(active=False)
    assert "switched off" in admin.post(where(world, "set_up")).content.decode()
    assert not SetupToken.objects.exists()
