"""What the OpenAPI schema says of setting up devices, heartbeats, and pictures on demand.

Documentation only, like `schema`: the parsing is `heartbeats` and `api_devices`.
"""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers

from cameras import values
from cameras.codes import ENROL_CODES, HEARTBEAT_CODES, PICTURE_CODES
from cameras.schema import MOMENT, Schema, facts_schema, refusals


class HeartbeatAnswerSerializer(serializers.Serializer[Any]):
    """The server's time, to set a clock by, and what the device is to do."""

    received_at = serializers.DateTimeField()
    settings = serializers.DictField(
        help_text="Every setting and its `version`; empty where nobody has set anything."
    )
    wanted = serializers.ListField(
        child=serializers.UUIDField(),
        help_text="Captures whose larger picture is to be sent: `PUT …/captures/<id>/picture`.",
    )
    hotlist = serializers.BooleanField(help_text="Whether to keep tokens of watchlists.")


class EnrolledSerializer(serializers.Serializer[Any]):
    """The device's key, shown here once, and which camera it is now."""

    key = serializers.CharField()
    camera = serializers.CharField(help_text="Slug; unique at its site.")
    name = serializers.CharField()
    site = serializers.CharField(help_text="Slug.")
    site_name = serializers.CharField()
    regions = serializers.ListField(child=serializers.CharField())
    regions_strict = serializers.BooleanField()


class PictureSerializer(serializers.Serializer[Any]):
    """The capture that has its picture now."""

    id = serializers.UUIDField()


_HEARTBEAT: Mapping[str, Schema] = {
    "application/json": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "queue_depth": {"type": "integer", "minimum": 0, "description": "Captures waiting."},
            "through": {**MOMENT, "description": "Everything seen until then has been delivered."},
            "sent_at": {**MOMENT, "description": "The device's clock when sending."},
            "detail": facts_schema(values.DETAIL),
            "settings_version": {
                "type": "integer",
                "minimum": 0,
                "description": "The settings it has in force.",
            },
            "settings_refused": {
                "type": "object",
                "additionalProperties": False,
                "required": ["version"],
                "properties": {
                    "version": {"type": "integer"},
                    "field": {"type": "string"},
                    "sentence": {"type": "string", "description": "Not kept."},
                },
                "description": "The settings it could not take.",
            },
            "thumbnail": {
                "type": "string",
                "format": "byte",
                "description": "What it sees: a JPEG of 60 kB and a million pixels at most.",
            },
        },
    }
}
_ENROL: Mapping[str, Schema] = {
    "application/json": {
        "type": "object",
        "additionalProperties": False,
        "required": ["token"],
        "properties": {"token": {"type": "string", "description": "The set-up token, `pws_…`."}},
    }
}
_PICTURE: Mapping[str, Schema] = {"image/*": {"type": "string", "format": "binary"}}


heartbeats_post = extend_schema(
    operation_id="heartbeats_create",
    summary="Say that the device lives, and how",
    request=dict(_HEARTBEAT),
    responses={200: HeartbeatAnswerSerializer, **refusals(HEARTBEAT_CODES)},
)
enrol_post = extend_schema(
    operation_id="enrol_create",
    summary="Turn a set-up token into a device key",
    description=(
        "A token stands on the camera's page, as text and as QR code: "
        "`PLATEWARDEN:<server>#<token>`. It is good for an hour, and once."
    ),
    request=dict(_ENROL),
    responses={201: EnrolledSerializer, **refusals(ENROL_CODES)},
)
picture_put = extend_schema(
    operation_id="captures_picture_update",
    summary="Send the larger picture that somebody asked for",
    description=(
        "Of a finished read whose id stood under `wanted` in a heartbeat's answer. A repeat of "
        "the same picture answers 200."
    ),
    parameters=[OpenApiParameter("capture_id", str, OpenApiParameter.PATH)],
    request=dict(_PICTURE),
    responses={200: PictureSerializer, 201: PictureSerializer, **refusals(PICTURE_CODES)},
)
