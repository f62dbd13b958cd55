"""The REST endpoints of devices, and the page that describes the API."""

from typing import Any, cast

from django.urls import reverse
from django.utils import timezone
from django.views.generic import RedirectView, TemplateView
from drf_spectacular.views import SpectacularAPIView
from rest_framework import status
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cameras import schema
from cameras.authentication import (
    DeviceKeyAuthentication,
    IsActiveDevice,
    IsDeviceOrPerson,
    device_of,
)
from cameras.bodies import CaptureForm, CaptureJSON, Submission
from cameras.intake import Sent, sent
from cameras.limits import owe, take
from cameras.models import Camera, Capture, DeviceKey
from cameras.selectors import capture_or_404
from cameras.services import (
    capture_receive,
    captures_arrived,
    captures_store,
    intake_limits,
)
from core.errors import BadInput, ProductError

_LIGHT = 0.1


class DeviceView(APIView):
    """What devices ask. A 401 names the scheme to use (RFC 9110, 11.6.1)."""

    authentication_classes = [DeviceKeyAuthentication]
    permission_classes = [IsActiveDevice]

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        """The response, with its challenge where it is a 401."""
        response = super().finalize_response(request, response, *args, **kwargs)
        if response.status_code == status.HTTP_401_UNAUTHORIZED:
            response["WWW-Authenticate"] = "Bearer"
        return cast(Response, response)


class CapturesView(DeviceView):
    """POST: captures in."""

    parser_classes = [CaptureJSON, CaptureForm]

    @schema.captures_post
    def post(self, request: Request) -> Response:
        """202 when stored; the batch's own answer for a batch."""
        key = cast(DeviceKey, request.auth)
        take(f"capture:{key.pk}")  # before the body is read: a flood of rubbish counts too
        submission: Any = request.data
        if not isinstance(submission, Submission):
            raise BadInput("not_an_object", "The request has no body.")
        if submission.batch:
            owe(f"capture:{key.pk}", _weight(submission.items) - 1)
            return self._batch(key.camera, submission.items)
        now = timezone.now()
        one = sent(submission.items[0], camera=key.camera.slug, now=now, limits=intake_limits())
        capture = capture_receive(camera=key.camera, sent=one, now=now)
        return Response(_received(capture), status=status.HTTP_202_ACCEPTED)

    def _batch(self, camera: Camera, items: list[Any]) -> Response:
        now, limits = timezone.now(), intake_limits()
        results: list[dict[str, Any]] = []
        good: list[tuple[dict[str, Any], Sent]] = []
        for index, item in enumerate(items):
            result: dict[str, Any] = {"index": index}
            results.append(result)
            try:
                good.append((result, sent(item, camera=camera.slug, now=now, limits=limits)))
            except ProductError as error:
                result["error"] = error.as_dict()
        rows = captures_store(camera=camera, sent=[one for _, one in good], now=now)
        stored: list[Sent] = []
        unstored: OSError | None = None
        for (result, one), row in zip(good, rows, strict=True):
            if isinstance(row, OSError):
                unstored = row
            elif isinstance(row, ProductError):
                result["error"] = row.as_dict()
            else:
                stored.append(one)
                result |= _received(row)
        body = {"results": results, "accepted": len(stored), "rejected": len(items) - len(stored)}
        if stored:
            captures_arrived(camera=camera, sent=stored, now=now)
        if unstored is not None:
            # the device keeps the whole batch and sends it again; what is stored is then a repeat
            raise unstored
        if stored:
            return Response(body, status=status.HTTP_202_ACCEPTED)
        refusal = BadInput("nothing_accepted", "No item was accepted.", field="items")
        return Response({**body, "error": refusal.as_dict()}, status=refusal.status)


def _weight(items: list[Any]) -> float:
    """What a batch counts for against the rate: a finished read without a picture is a few
    kilobytes and costs no recognition, so ten of them count as one capture."""
    light = [
        item
        for item in items
        if isinstance(item, dict) and item.get("kind") == "read" and item.get("picture") is None
    ]
    return len(items) - len(light) * (1 - _LIGHT)


def _received(capture: Capture) -> dict[str, str]:
    """The answer of an accepted capture. It says `received` however far the capture has come since:
    a repeat answers the same."""
    return {
        "id": str(capture.pk),
        "status": Capture.Status.RECEIVED.value,
        "url": reverse("capture", args=[capture.pk]),
    }


class CaptureView(DeviceView):
    """GET: what became of a capture."""

    authentication_classes = [DeviceKeyAuthentication, SessionAuthentication]
    permission_classes = [IsDeviceOrPerson]

    @schema.capture_get
    def get(self, request: Request, capture_id: str) -> Response:
        """200 with its plate-free outcome, 404 for anybody else's."""
        key = device_of(request)
        if key is not None:
            take(f"ask:{key.pk}")
        capture = capture_or_404(
            capture_id=capture_id, camera=key.camera if key else None, user=request.user
        )
        failed = capture.status == Capture.Status.FAILED
        return Response(
            {
                "id": str(capture.pk),
                "status": capture.status,
                "kind": capture.kind,
                "captured_at": capture.captured_at,
                "received_at": capture.received_at,
                "quarantined": capture.quarantined,
                "failure": {"code": capture.failure, "sentence": capture.failure_sentence}
                if failed
                else None,
                "outcome": capture.outcome,
                "judged_at": capture.judged_at,
            }
        )


class SchemaView(SpectacularAPIView):
    """The OpenAPI schema. Open to all: it says how to ask, and knows nothing of anybody."""

    authentication_classes = []
    permission_classes = [AllowAny]


class DocsView(TemplateView):
    """The schema as a page. Open to all, like the schema."""

    template_name = "api_docs.html"


class IndexView(RedirectView):
    """The API's front door leads to its page. Open to all, like the page."""

    pattern_name = "api-docs"
