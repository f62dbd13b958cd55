"""Device keys and the registry: shown once, rotated without a gap, every change audited."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db.models import ProtectedError

from audit.models import AuditRow
from cameras.keys import (
    device_key_create,
    device_key_revoke,
    device_key_rotate,
    device_key_use,
)
from cameras.models import Camera, DeviceKey, SiteRole
from cameras.registry import registry_delete, registry_save
from core.errors import BadInput, NotAllowed
from core.models import User
from tests.integration.cameras.conftest import ADMIN, Device

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


def test_only_a_hash_is_kept(device: Device) -> None:
    key = DeviceKey.objects.get()
    stored = f"{key.prefix} {bytes(key.digest).hex()} {key.label}"
    secret = device.shown.rpartition(f"{key.prefix}_")[2]
    assert len(secret) == 43
    assert secret not in stored
    assert secret.encode().hex() not in stored
    row = AuditRow.objects.get(subject="cameras.devicekey")
    assert (row.action, row.purpose, row.actor) == ("change", "administration", "admin")
    assert row.detail == {"what": "created", "key": key.prefix, "camera": str(device.camera.pk)}
    assert secret not in str(row.detail)


def test_use_is_noted_once_a_minute(device: Device) -> None:
    device_key_use(text=device.shown, now=NOW)
    device_key_use(text=device.shown, now=NOW + timedelta(seconds=59))
    assert DeviceKey.objects.get().last_used_at == NOW
    device_key_use(text=device.shown, now=NOW + timedelta(seconds=60))
    assert DeviceKey.objects.get().last_used_at == NOW + timedelta(seconds=60)


def test_rotation_leaves_no_gap(device: Device) -> None:
    fresh, shown = device_key_rotate(key=device.key, actor=ADMIN, now=NOW)
    later = NOW + timedelta(hours=24)
    assert device.key.expires_at == later
    before = later - timedelta(seconds=1)
    assert device_key_use(text=device.shown, now=before) == device.key
    assert device_key_use(text=shown, now=before) == fresh
    with pytest.raises(NotAllowed) as caught:
        device_key_use(text=device.shown, now=later)
    assert caught.value.code == "key_expired"
    assert device_key_use(text=shown, now=later) == fresh
    assert [row.detail["what"] for row in AuditRow.objects.order_by("id")] == [
        "created",
        "created",
        "rotated",
    ]


def test_rotation_never_prolongs_a_life(device: Device) -> None:
    soon = NOW + timedelta(hours=1)
    DeviceKey.objects.update(expires_at=soon)
    device_key_rotate(key=device.key, actor=ADMIN, now=NOW)
    assert device.key.expires_at == soon


def test_a_revoked_key_stays_dead(device: Device) -> None:
    device_key_revoke(key=device.key, actor=ADMIN, now=NOW)
    device_key_revoke(key=device.key, actor=ADMIN, now=NOW + timedelta(days=1))
    assert device.key.revoked_at == NOW
    assert AuditRow.objects.filter(detail__what="revoked").count() == 1
    with pytest.raises(BadInput) as caught:
        device_key_rotate(key=device.key, actor=ADMIN, now=NOW)
    assert caught.value.code == "key_revoked"
    assert DeviceKey.objects.count() == 1


def test_no_key_is_born_expired(device: Device) -> None:
    with pytest.raises(BadInput):
        device_key_create(camera=device.camera, actor=ADMIN, now=NOW, expires_at=NOW)


def test_changes_of_the_registry_are_audited(device: Device) -> None:
    site = device.camera.site
    camera = Camera(site=site, name="Gate", slug="gate", role="exit")
    registry_save(row=camera, actor=ADMIN)
    camera.role = "entry"
    registry_save(row=camera, actor=ADMIN, changed=["role"])
    registry_delete(row=camera, actor=ADMIN)
    rows = AuditRow.objects.filter(subject="cameras.camera").order_by("id")
    assert [row.detail for row in rows] == [
        {"what": "created", "fields": []},
        {"what": "changed", "fields": ["role"]},
        {"what": "deleted", "fields": []},
    ]
    role = SiteRole(user=User.objects.create_user("u", "u@example.org"), site=site, role="viewer")
    registry_save(row=role, actor=ADMIN)
    assert AuditRow.objects.filter(subject="cameras.siterole").count() == 1


def test_what_is_wrong_is_neither_stored_nor_audited(device: Device) -> None:
    count = AuditRow.objects.count()
    site = device.camera.site
    site.timezone = "Mars/Olympus"
    with pytest.raises(ValidationError):
        registry_save(row=site, actor=ADMIN, changed=["timezone"])
    with pytest.raises(ProtectedError):
        registry_delete(row=site, actor=ADMIN)
    assert AuditRow.objects.count() == count
