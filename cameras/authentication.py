"""Who asks: a device by its key, or a person by their session."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from cameras.keys import device_key_recall
from cameras.models import DeviceKey
from core.errors import NotAllowed, NotAuthenticated


class DeviceKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer pwd_…`. The device is `request.auth`; there is no user behind it."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, DeviceKey] | None:
        """The key's row; None without the header. See `device_key_use` for the refusals."""
        header = request.headers.get("Authorization", "")
        if not header:
            return None
        scheme, _, text = header.partition(" ")
        bearer = text if scheme.lower() == "bearer" else ""
        return AnonymousUser(), device_key_recall(text=bearer, now=timezone.now())

    def authenticate_header(self, request: Request) -> str:
        """The scheme a 401 names."""
        return "Bearer"


def device_of(request: Request) -> DeviceKey | None:
    """The device that asks, if it is one."""
    return request.auth if isinstance(request.auth, DeviceKey) else None


def _key_missing() -> NotAuthenticated:
    return NotAuthenticated("key_missing", "Send the key as “Authorization: Bearer <key>”.")


class IsActiveDevice(BasePermission):
    """A device whose camera is in use."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """True, or NotAuthenticated `key_missing`, or NotAllowed `camera_inactive`."""
        key = device_of(request)
        if key is None:
            raise _key_missing()
        if not key.camera.active:
            raise NotAllowed("camera_inactive", "This camera is switched off here.")
        return True


class IsDeviceOrPerson(BasePermission):
    """A device, or a person who is logged in; what each may see is for the selector to say."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """True, or NotAuthenticated `key_missing`."""
        if device_of(request) is None and not request.user.is_authenticated:
            raise _key_missing()
        return True
