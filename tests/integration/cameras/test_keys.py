"""Device keys and the registry: shown once, rotated without a gap, every change audited."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db.models import ProtectedError

from audit.models import AuditRow
from cameras.keys import (
    device_key_create,
    device_key_recall,
    device_key_revoke,
    device_key_rotate,
    device_key_use,
    device_keys_forget,
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


@pytest.mark.django_db(databases=["default", "keys"], transaction=True)
@pytest.mark.parametrize("how", ["revoked", "switched off", "expired"])
def test_a_remembered_key_is_refused_from_the_next_request_on(device: Device, how: str) -> None:
    key = device_key_recall(text=device.shown, now=NOW)
    assert device_key_recall(text=device.shown, now=NOW) is key
    if how == "revoked":
        device_key_revoke(key=key, actor=ADMIN, now=NOW)
        with pytest.raises(NotAllowed) as caught:
            device_key_recall(text=device.shown, now=NOW)
        assert caught.value.code == "key_revoked"
    elif how == "switched off":
        camera = Camera.objects.get(pk=key.camera_id)
        camera.active = False
        registry_save(row=camera, actor=ADMIN, changed=["active"])
        assert not device_key_recall(text=device.shown, now=NOW).camera.active
    else:
        device_key_rotate(key=key, actor=ADMIN, now=NOW)
        old = device_key_recall(text=device.shown, now=NOW)
        assert old.expires_at is not None
        with pytest.raises(NotAllowed) as caught:
            device_key_recall(text=device.shown, now=old.expires_at)
        assert caught.value.code == "key_expired"


def test_what_changed_while_a_key_was_looked_up_is_not_missed(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(**asked: Any) -> DeviceKey:
        key = device_key_use(**asked)
        device_keys_forget()  # somebody revoked it since
        return key

    monkeypatch.setattr("cameras.keys.device_key_use", overtaken)
    key = device_key_recall(text=device.shown, now=NOW)
    assert device_key_recall(text=device.shown, now=NOW) is not key


def test_a_key_is_remembered_for_a_second_at_most(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [50.0]
    monkeypatch.setattr("cameras.keys.monotonic", lambda: clock[0])
    key = device_key_recall(text=device.shown, now=NOW)
    DeviceKey.objects.filter(pk=key.pk).update(revoked_at=NOW)  # by another process
    assert device_key_recall(text=device.shown, now=NOW) is key
    clock[0] += 1.0
    with pytest.raises(NotAllowed):
        device_key_recall(text=device.shown, now=NOW)
