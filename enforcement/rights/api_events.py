"""`/api/v1/providers/<slug>/events`: a provider's events, signed."""

from typing import Any

from django.conf import settings
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audit.services import Actor
from cameras.bodies import PictureBody
from core.errors import TooLarge
from enforcement.rights.webhooks import event_receive, event_verify

LARGEST_EVENT = 1024 * 1024
_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
_ERROR = OpenApiResponse(OpenApiTypes.OBJECT, '`{"error": {"code", "sentence", "field"}}`')


class EventsView(APIView):
    """Events of one provider. Whoever signs with its secret is it; there is no key beside that."""

    authentication_classes = []
    permission_classes = []
    parser_classes = [PictureBody]  # the bytes as they came: they are what was signed

    @extend_schema(
        operation_id="provider_event",
        summary="Send an event, signed",
        description="Headers and signature as standardwebhooks.com has them; docs/rights-in.md. "
        "A repeat, signed anew, is answered like the first; the very same message is refused.",
        parameters=[
            OpenApiParameter(name, str, OpenApiParameter.HEADER, required=True) for name in _HEADERS
        ],
        request={"application/json": OpenApiTypes.OBJECT},
        examples=[
            OpenApiExample(
                "a payment",
                {
                    "type": "right.delivered",
                    "data": {
                        "kind": "payment",
                        "id": "p1",
                        "site": "north",
                        "plate": "AB12CDE",
                        "from": "2026-03-01T09:00:00+00:00",
                        "to": "2026-03-01T11:00:00+00:00",
                    },
                },
                request_only=True,
            ),
        ],
        responses={
            200: OpenApiResponse(OpenApiTypes.OBJECT, "`{results, accepted, rejected, status}`"),
            400: _ERROR,
            401: _ERROR,
            409: _ERROR,
            413: _ERROR,
        },
        auth=[],
    )
    def post(self, request: Request, slug: str) -> Response:
        """Verify first, then do."""
        limit = min(LARGEST_EVENT, settings.UPLOAD_MAX_BYTES)
        length = str(request.META.get("CONTENT_LENGTH") or "0")
        if not length.isdecimal() or int(length) > limit:
            raise TooLarge("body_too_large", f"An event may have {limit} bytes at most.")
        # an empty body never reaches a parser
        body: Any = request.data if int(length) else b""
        now = timezone.now()
        signed = event_verify(slug=slug, headers=request.headers, body=body, now=now)
        provider = signed.provider
        address = str(request.META.get("REMOTE_ADDR", ""))
        actor = Actor("provider", provider.name, provider.organisation.name, address)
        answer, new = event_receive(signed, actor=actor, now=now)
        return Response({**answer, "status": "new" if new else "repeat"})
