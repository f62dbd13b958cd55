"""`/api/v1/hotlist`: a device fetches the tokens of the watchlists that count at its camera."""

from base64 import b64encode
from typing import Any, cast

from django.http import HttpResponseBase
from django.utils import timezone
from django.utils.cache import get_conditional_response
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from cameras.api import DeviceView
from cameras.limits import owe, take
from cameras.models import DeviceKey
from enforcement.watchlist.hotlist import hotlist_make, hotlist_wanted

_A_TOKEN_OPENS = 100  # entries that cost a device as much of its rate as one request


class HotlistAnswer(serializers.Serializer[Any]):
    """A device's list. For the OpenAPI schema only."""

    key = serializers.CharField(help_text="Base64 of 32 bytes; of this device and this day.")
    expires_at = serializers.DateTimeField(help_text="Not to be gone by any longer.")
    exact = serializers.ListField(
        child=serializers.CharField(),
        help_text="First 16 bytes (hex) of HMAC-SHA256 of each canonical plate under the key.",
    )
    possible = serializers.ListField(
        child=serializers.CharField(),
        help_text="The same of each plate's look-alike class: 0OQD→0, 1IL→1, 2Z→2, 5S→5, 8B→8.",
    )
    left_off = serializers.IntegerField(help_text="Less urgent plates the list had no room for.")


class HotlistView(DeviceView):
    """GET: tokens of watchlists for this device."""

    @extend_schema(
        operation_id="hotlist_get",
        summary="Tokens of watchlists for a device",
        description="Only for cameras whose settings say `watch`. Ask with `If-None-Match`.",
        parameters=[
            OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER, description="ETag held")
        ],
        responses={
            200: HotlistAnswer,
            304: OpenApiResponse(description="What the device holds is still the list."),
            401: OpenApiResponse(OpenApiTypes.OBJECT, "`{error}`"),
            404: OpenApiResponse(OpenApiTypes.OBJECT, "`not_watched`: drop what you hold."),
            429: OpenApiResponse(OpenApiTypes.OBJECT, "`rate_limited`, with Retry-After."),
        },
        tags=["devices"],
    )
    def get(self, request: Request) -> HttpResponseBase:
        """200 with the list and its ETag, 304 where the device has it, 404 `not_watched`."""
        device = cast(DeviceKey, request.auth)
        take(f"hotlist:{device.pk}")
        now = timezone.now()
        wanted = hotlist_wanted(device=device, now=now)
        etag = f'"{wanted.etag}"'
        same = get_conditional_response(request._request, etag=etag)
        if same is not None:
            same["ETag"] = etag
            return same
        owe(f"hotlist:{device.pk}", len(wanted.entries) // _A_TOKEN_OPENS)
        place = str(request.META.get("REMOTE_ADDR") or "")
        made = hotlist_make(wanted=wanted, device=device, place=place, now=now)
        body = {
            "key": b64encode(made.key).decode(),
            "expires_at": made.expires_at,
            "exact": made.exact,
            "possible": made.possible,
            "left_off": wanted.left_off,
        }
        return Response(body, headers={"ETag": etag, "Cache-Control": "private, no-cache"})
