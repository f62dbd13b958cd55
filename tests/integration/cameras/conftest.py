"""A site with cameras, and devices that talk to it over HTTP."""

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import cv2
import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from audit.services import Actor
from cameras.keys import device_key_create
from cameras.models import Camera, DeviceKey, Organisation, Site

ADMIN = Actor("person", "admin", "Demo", "127.0.0.1")
CAPTURES = "/api/v1/captures"


def picture(shade: int = 90, extension: str = ".jpg", size: tuple[int, int] = (64, 32)) -> bytes:
    width, height = size
    noise = np.random.default_rng(shade).integers(0, 255, (height, width, 3), np.uint8)
    ok, data = cv2.imencode(extension, noise)
    assert ok
    return data.tobytes()


def ago(**parts: float) -> str:
    return (datetime.now(UTC) - timedelta(**parts)).isoformat()


@dataclass
class Device:
    """A client with a device key."""

    camera: Camera
    key: DeviceKey
    shown: str
    client: Client

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.shown}"}

    def form(self, **fields: Any) -> Any:
        """POST a form; bytes become file parts, other values JSON or text."""
        data: dict[str, Any] = {}
        for name, value in fields.items():
            if isinstance(value, bytes):
                data[name] = SimpleUploadedFile(f"{name}.bin", value)
            elif isinstance(value, str):
                data[name] = value
            else:
                data[name] = json.dumps(value)
        return self.client.post(CAPTURES, data, headers=self.headers)

    def json(self, body: Any, path: str = CAPTURES) -> Any:
        """POST anything as JSON; bytes are sent as they are."""
        data = body if isinstance(body, bytes | str) else json.dumps(body)
        return self.client.post(path, data, "application/json", headers=self.headers)

    def get(self, path: str) -> Any:
        return self.client.get(path, headers=self.headers)


def make_site(name: str) -> Site:
    organisation, _ = Organisation.objects.get_or_create(name="Demo")
    return Site.objects.create(
        organisation=organisation, name=name, slug=name, kind="parking", timezone="Europe/Prague"
    )


def make_device(site: Site, slug: str) -> Device:
    camera = Camera.objects.create(site=site, name=slug, slug=slug, role="entry")
    key, shown = device_key_create(camera=camera, actor=ADMIN, now=datetime.now(UTC))
    return Device(camera, key, shown, Client())


@pytest.fixture
def site(db: None) -> Site:
    return make_site(f"site-{uuid.uuid4().hex[:8]}")


@pytest.fixture
def device(site: Site) -> Device:
    return make_device(site, "lane-1")


@pytest.fixture
def neighbour(site: Site) -> Device:
    return make_device(site, "lane-2")
