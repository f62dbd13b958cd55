"""What the OpenAPI schema says of this room's endpoints. Documentation only: nothing parses by it.

The parsing itself is `bodies`, `intake` and `reads`; a test holds the two together.
"""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    PolymorphicProxySerializer,
    extend_schema,
)
from rest_framework import serializers

from cameras import values
from cameras.bodies import MOST_ITEMS
from cameras.codes import CAPTURE_CODES
from cameras.intake import CLOCKS
from cameras.models import Capture

Schema = dict[str, Any]


class DeviceKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How a device proves who it is."""

    target_class = "cameras.authentication.DeviceKeyAuthentication"
    name = "deviceKey"

    def get_security_definition(self, auto_schema: Any) -> Schema:
        """An HTTP bearer scheme."""
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A camera's device key, `pwd_…`; shown once when it is made.",
        }


# --- answers --------------------------------------------------------------------------------------
class ErrorSerializer(serializers.Serializer[Any]):
    """One refusal: a code for machines, a sentence for people, the field to blame."""

    code = serializers.CharField()
    sentence = serializers.CharField()
    field = serializers.CharField(allow_null=True)


class ErrorBodySerializer(serializers.Serializer[Any]):
    """The body of every 4xx."""

    error = ErrorSerializer()


class ReceivedSerializer(serializers.Serializer[Any]):
    """A capture that is durably stored."""

    id = serializers.UUIDField()
    status = serializers.CharField(help_text="`received`, however far it has come since.")
    url = serializers.CharField(help_text="Where to ask what became of it.")


class ResultSerializer(serializers.Serializer[Any]):
    """What came of one item: `id`, `status` and `url`, or `error`."""

    index = serializers.IntegerField(min_value=0)
    id = serializers.UUIDField(required=False)
    status = serializers.CharField(required=False, help_text="`received`.")
    url = serializers.CharField(required=False)
    error = ErrorSerializer(required=False)


class ResultsSerializer(serializers.Serializer[Any]):
    """What came of a batch, item by item."""

    results = ResultSerializer(many=True)
    accepted = serializers.IntegerField(min_value=0)
    rejected = serializers.IntegerField(min_value=0)


class NothingAcceptedSerializer(ResultsSerializer):
    """A batch of which nothing was accepted."""

    error = ErrorSerializer()


class FailureSerializer(serializers.Serializer[Any]):
    """Why a capture could not be processed."""

    code = serializers.CharField()
    sentence = serializers.CharField()


class CaptureSerializer(serializers.Serializer[Any]):
    """What became of a capture. Never a plate."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=Capture.Status.choices)
    kind = serializers.ChoiceField(choices=Capture.Kind.choices)
    captured_at = serializers.DateTimeField()
    received_at = serializers.DateTimeField()
    quarantined = serializers.BooleanField(
        help_text="The device's clock was off or not known: visible, not enforceable."
    )
    failure = FailureSerializer(allow_null=True)
    outcome = serializers.DictField(
        help_text="`reads`, `rejected`, `alerts`, and `verdicts` by index of the read."
    )
    judged_at = serializers.DateTimeField(allow_null=True)


# --- requests -------------------------------------------------------------------------------------
MOMENT: Schema = {
    "type": "string",
    "format": "date-time",
    "example": "2026-03-01T09:00:00.25+01:00",
}
_UNIT: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_NAMES = sorted(values.WORDS)


def facts_schema(allowed: frozenset[str]) -> Schema:
    """An object of plate-free facts."""
    fact: Schema = {
        "oneOf": [{"type": "number"}, {"type": "boolean"}, {"type": "string", "enum": _NAMES}]
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": dict.fromkeys(sorted(allowed), fact),
    }


_READ: Schema = {
    "type": "object",
    "additionalProperties": False,
    "required": ["text", "score"],
    "properties": {
        "text": {"type": "string", "description": "The plate; 1 to 16 characters that count."},
        "score": _UNIT,
        "char_scores": {"type": "array", "items": _UNIT, "description": "One per character."},
        "candidates": {
            "type": "array",
            "maxItems": 20,
            "items": {"type": "array", "minItems": 2, "maxItems": 2, "items": {}},
            "description": "Other readings: [text, score].",
        },
        "country": {"type": "string", "description": "ISO 3166 alpha-2."},
        "category": {"type": "string", "enum": sorted(values.CATEGORIES)},
        "quad": {
            "type": "array",
            "minItems": 4,
            "maxItems": 4,
            "items": {
                "type": "array",
                "minItems": 2,
                "maxItems": 2,
                "items": {"type": "number"},
            },
            "description": "Corners in pixels, clockwise from top left.",
        },
        "box": {
            "type": "array",
            "minItems": 4,
            "maxItems": 4,
            "items": {"type": "number"},
            "description": "x1, y1, x2, y2 in pixels.",
        },
    },
}


def _item(picture: Schema) -> Schema:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["captured_at"],
        "properties": {
            "kind": {"type": "string", "enum": Capture.Kind.values, "default": "frame"},
            "picture": {**picture, "description": "The frame or crop: JPEG, PNG or WebP."},
            "crop": {**picture, "description": "The plate, beside a frame or a read."},
            "captured_at": {**MOMENT, "description": "When it was seen, with offset."},
            "clock": {
                "type": "string",
                "enum": list(CLOCKS),
                "default": "known",
                "description": "`unknown`: the device did not know the time when it captured, and "
                "never learnt it. Such a capture is quarantined.",
            },
            "event_id": {
                "type": "string",
                "minLength": 1,
                "maxLength": 200,
                "description": "The device's own id of the event. A repeat with the same id is "
                "stored once. Without event_id and sequence the content identifies it.",
            },
            "sequence": {"type": "integer", "minimum": 0, "description": "Instead of event_id."},
            "sent_at": {**MOMENT, "description": "The device's clock when sending."},
            "through": {**MOMENT, "description": "Everything seen until then has been delivered."},
            "latitude": {"type": "number", "minimum": -90, "maximum": 90},
            "longitude": {"type": "number", "minimum": -180, "maximum": 180},
            "heading": {"type": "number", "minimum": 0, "maximum": 360},
            "exposure": facts_schema(values.EXPOSURE),
            "read": {**_READ, "description": "For kind read."},
            "camera": {"type": "string", "description": "Slug; must be the key's own camera."},
        },
    }


def _batch(item: Schema) -> Schema:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["items"],
        "properties": {
            "items": {"type": "array", "minItems": 1, "maxItems": MOST_ITEMS, "items": item}
        },
    }


_IN_BASE64 = _item({"type": "string", "format": "byte"})
_AS_FILE = _item({"type": "string", "format": "binary"})
_FORM_BATCH: Schema = {
    "type": "object",
    "required": ["items"],
    "properties": {
        "items": {
            "type": "string",
            "description": "JSON text: an array of items whose `picture` and `crop` name file "
            "parts of this form.",
        }
    },
    "additionalProperties": {"type": "string", "format": "binary"},
}
_CAPTURES: Mapping[str, Schema] = {
    "application/json": {"oneOf": [_IN_BASE64, _batch(_IN_BASE64)]},
    "multipart/form-data": {"oneOf": [_AS_FILE, _FORM_BATCH]},
}


# --- refusals -------------------------------------------------------------------------------------
def plain_paths(endpoints: list[tuple[Any, ...]], **kwargs: Any) -> list[tuple[Any, ...]]:
    """Preprocessing hook: the schema shows addresses without the slash that may end them."""
    return [(path.rstrip("/"), *rest) for path, *rest in endpoints]


def refusals(
    codes: Mapping[int, tuple[str, ...]], body: Any = ErrorBodySerializer
) -> dict[int, Any]:
    """Responses of a schema: status → the error body, with its codes in words."""
    return {
        status: OpenApiResponse(
            response=body, description="One of: " + ", ".join(f"`{name}`" for name in names)
        )
        for status, names in codes.items()
    }


_EXAMPLES = [
    OpenApiExample(
        "A finished read",
        request_only=True,
        media_type="application/json",
        value={
            "kind": "read",
            "captured_at": "2026-03-01T09:00:00.250+01:00",
            "event_id": "gantry-1-000123",
            "read": {"text": "1AB 2345", "score": 0.97, "country": "CZ"},
        },
    ),
    OpenApiExample(
        "Stored",
        response_only=True,
        status_codes=["202"],
        value={
            "id": "019caa11-5e7a-7c3e-9d0e-0a1b2c3d4e5f",
            "status": "received",
            "url": "/api/v1/captures/019caa11-5e7a-7c3e-9d0e-0a1b2c3d4e5f",
        },
    ),
    OpenApiExample(
        "Refused",
        response_only=True,
        status_codes=["400"],
        value={
            "error": {
                "code": "captured_at_naive",
                "sentence": "captured_at has no offset from UTC.",
                "field": "captured_at",
            }
        },
    ),
]

captures_post = extend_schema(
    operation_id="captures_create",
    summary="Hand in one capture or a batch",
    description=(
        "A frame, a crop or a finished read, as JSON with pictures in base64 or as a form with "
        "files. 202 means durably stored. A repeat of the same event answers the same and is "
        "stored once. In a batch each item stands alone: `results` has one entry per item, and "
        "400 means that none was accepted."
    ),
    request=dict(_CAPTURES),
    responses={
        202: PolymorphicProxySerializer(
            component_name="CapturesReceived",
            serializers=[ReceivedSerializer, ResultsSerializer],
            resource_type_field_name=None,
        ),
        **refusals(CAPTURE_CODES),
        400: OpenApiResponse(
            response=PolymorphicProxySerializer(
                component_name="CapturesRefused",
                serializers=[ErrorBodySerializer, NothingAcceptedSerializer],
                resource_type_field_name=None,
            ),
            description="One of: " + ", ".join(f"`{name}`" for name in CAPTURE_CODES[400]),
        ),
    },
    examples=_EXAMPLES,
)
capture_get = extend_schema(
    operation_id="captures_retrieve",
    summary="What became of a capture",
    description="For a device of the same camera, or a person with a role at its site.",
    parameters=[OpenApiParameter("capture_id", str, OpenApiParameter.PATH)],
    responses={
        200: CaptureSerializer,
        **refusals(
            {
                401: CAPTURE_CODES[401],
                403: ("key_revoked", "key_expired"),
                404: ("not_found",),
                429: CAPTURE_CODES[429],
            }
        ),
    },
)
