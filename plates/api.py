"""`GET /api/v1/reads`: a capture's plates for a person with a role, a purpose, and an audit row."""

import uuid
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audit.access import reveal_text
from audit.purposes import checked
from cameras.access import OPERATE, person_actor, sites_of
from core.errors import BadInput
from core.models import User
from plates.selectors import reads_of_capture
from vault.keys import KeyDestroyed


class ReadsView(APIView):
    """Plates in clear: never without a purpose."""

    @extend_schema(
        summary="The plates read off a capture",
        description="For people with the operator role at the site. Says why in `X-Purpose` (and "
        "`X-Case-Ref` where the purpose demands one); every plate leaves an audit row.",
        parameters=[
            OpenApiParameter("capture", OpenApiTypes.UUID, required=True),
            OpenApiParameter("X-Purpose", str, OpenApiParameter.HEADER, required=True),
            OpenApiParameter("X-Case-Ref", str, OpenApiParameter.HEADER),
        ],
        responses={200: OpenApiResponse(OpenApiTypes.OBJECT, '`{"reads": […]}`, best first.')},
    )
    def get(self, request: Request) -> Response:
        """The reads of one capture."""
        try:
            capture_id = uuid.UUID(request.query_params.get("capture", ""))
        except ValueError as error:
            raise BadInput("capture_invalid", "Name a capture's id.", field="capture") from error
        assert isinstance(request.user, User)
        actor = person_actor(request.user, request._request)
        purpose = request.headers.get("X-Purpose", "")
        case_ref = request.headers.get("X-Case-Ref", "")
        checked(purpose, case_ref, person=True)  # before it tells whether there is anything to see
        reads: list[dict[str, Any]] = []
        for read in reads_of_capture(capture_id, sites_of(request.user, *OPERATE)):
            try:
                text = reveal_text(read, "text", actor=actor, purpose=purpose, case_ref=case_ref)
            except KeyDestroyed:
                continue  # forgotten just now
            reads.append(
                {
                    "id": str(read.pk),
                    "index": read.index,
                    "text": text,
                    "country": read.country or None,
                    "score": read.score,
                    "detector_score": read.detector_score,
                    "char_scores": read.char_scores,
                    "quad": read.quad,
                    "camera": read.camera.slug,
                    "captured_at": read.captured_at.isoformat(),
                }
            )
        return Response({"reads": reads})
