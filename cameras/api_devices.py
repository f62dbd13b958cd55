"""What devices ask besides handing in captures: to be set up, to be heard, to send more."""

from dataclasses import replace
from typing import Any, cast

from django.conf import settings
from django.utils import timezone
from rest_framework import status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cameras import schema_devices as schema
from cameras import values
from cameras.api import DeviceView
from cameras.bodies import JSONBody, PictureBody, StrangersJSON
from cameras.device_settings import device_settings_heard, for_device
from cameras.enrolment import device_enrol
from cameras.heartbeats import THUMBNAIL_BYTES, THUMBNAIL_PIXELS, beat
from cameras.limits import take
from cameras.models import DeviceKey, DeviceSettings
from cameras.selectors import as_capture_id
from cameras.services import heartbeat_receive, intake_limits
from cameras.thumbnails import thumbnail_store
from cameras.wanted import picture_receive, pictures_wanted
from core.errors import BadInput

_TOKEN = frozenset({"token"})


class EnrolView(APIView):
    """POST: a set-up token in, a device key out. Open: who asks has no key yet."""

    authentication_classes = []
    permission_classes = [AllowAny]
    parser_classes = [StrangersJSON]

    @schema.enrol_post
    def post(self, request: Request) -> Response:
        """201 with the key, which is shown here once."""
        place = str(request.META.get("REMOTE_ADDR", ""))
        take(f"enrol:{place}")
        raw = request.data
        if not isinstance(raw, dict):
            raise BadInput("not_an_object", "Send a JSON object.")
        values.known_only(raw, _TOKEN)
        text = raw.get("token")
        if not isinstance(text, str) or not text.strip():
            raise BadInput("token_missing", "Send the set-up token as token.", field="token")
        made = device_enrol(text=text, place=place, now=timezone.now())
        camera = made.camera
        return Response(
            {
                "key": made.shown,
                "camera": camera.slug,
                "name": camera.name,
                "site": camera.site.slug,
                "site_name": camera.site.name,
                "regions": camera.site.regions,
                "regions_strict": camera.site.regions_strict,
            },
            status=status.HTTP_201_CREATED,
            headers={"Cache-Control": "no-store"},
        )


class HeartbeatsView(DeviceView):
    """POST: how a device is; the answer says what it is to do."""

    parser_classes = [JSONBody]

    @schema.heartbeats_post
    def post(self, request: Request) -> Response:
        """200 with the server's time, settings, and the pictures that are wanted."""
        key = cast(DeviceKey, request.auth)
        take(f"heartbeat:{key.pk}")
        camera, now = key.camera, timezone.now()
        limits = replace(intake_limits(), max_bytes=THUMBNAIL_BYTES, max_pixels=THUMBNAIL_PIXELS)
        said = beat(request.data, limits)
        heartbeat = heartbeat_receive(
            camera=camera,
            queue_depth=said.queue_depth,
            through=said.through,
            sent_at=said.sent_at,
            detail=said.detail,
            now=now,
        )
        if said.thumbnail is not None:
            thumbnail_store(camera=camera, data=said.thumbnail, now=now)
        row = DeviceSettings.objects.filter(camera=camera).first()
        if row is not None:
            device_settings_heard(
                row=row,
                applied=said.settings_version,
                refused=said.refused_version,
                field=said.refused_field,
            )
        return Response(
            {
                "received_at": heartbeat.received_at,
                "settings": for_device(row),
                "wanted": pictures_wanted(camera, now),
                "hotlist": row is not None and row.values.get("watch") is True,
            }
        )


class CapturePictureView(DeviceView):
    """PUT: the larger picture of a read, after somebody asked for it."""

    parser_classes = [PictureBody]

    @schema.picture_put
    def put(self, request: Request, capture_id: str) -> Response:
        """201 when it is stored, 200 for a repeat."""
        key = cast(DeviceKey, request.auth)
        take(f"picture:{key.pk}")
        wanted = as_capture_id(capture_id)
        data: Any = request.data
        if not isinstance(data, bytes):
            raise BadInput("picture_empty", "The picture has no bytes.", field="picture")
        new = picture_receive(
            camera=key.camera,
            capture_id=wanted,
            data=data,
            max_bytes=settings.PICTURE_MAX_BYTES,
            max_pixels=settings.PICTURE_MAX_PIXELS,
            now=timezone.now(),
        )
        done = status.HTTP_201_CREATED if new else status.HTTP_200_OK
        return Response({"id": str(wanted)}, status=done)
