"""`/api/v1/rights`: a provider delivers its rights, looks at them, withdraws them."""

import uuid
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiResponse,
    PolymorphicProxySerializer,
    extend_schema,
)
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audit.services import Actor
from cameras.bodies import JSONBody, batch_items
from core.errors import ProductError
from enforcement.rights.intake import right_input
from enforcement.rights.keys import provider_key_check
from enforcement.rights.models import Provider, ProviderKey, Right
from enforcement.rights.selectors import right_of_provider
from enforcement.rights.services import right_receive, right_withdraw

MOST_ITEMS = 500


class ProviderKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer pwp_…`; the key is `request.auth`, and nobody is `request.user`."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ProviderKey]:
        """The key, or one of our 401s and 403s."""
        scheme, _, text = get_authorization_header(request).decode("latin-1").partition(" ")
        key = provider_key_check(
            text=text if scheme.lower() == "bearer" else "", now=timezone.now()
        )
        return AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:
        """Of a 401's WWW-Authenticate."""
        return "Bearer"


class ProviderKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The key in the OpenAPI schema."""

    target_class = ProviderKeyAuthentication
    name = "providerKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """A bearer token."""
        return {"type": "http", "scheme": "bearer", "description": "A provider's key, pwp_…"}


class IsProvider(BasePermission):
    """The gate: whoever holds a live provider key."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """True with a key."""
        return isinstance(request.auth, ProviderKey)


class DeliveredRight(serializers.Serializer[Any]):
    """One version of a right. Which fields are needed depends on its kind."""

    # for the OpenAPI schema only: `intake.right_input` is what reads a body

    kind = serializers.ChoiceField(choices=Right.Kind.values)
    id = serializers.CharField(max_length=200, help_text="Yours.")
    version = serializers.IntegerField(min_value=0, default=1)
    plate = serializers.CharField(required=False)
    plates = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Of a permit or an exemption."
    )
    country = serializers.CharField(required=False, help_text="ISO 3166 alpha-2; none fits any.")
    site = serializers.SlugField(required=False, help_text="Needed for payments.")
    product = serializers.CharField(required=False, help_text="Of a vignette, as in its scheme.")
    scheme = serializers.CharField(required=False, help_text="Of a vignette: CZ, SK, AT, HU, …")
    category = serializers.CharField(required=False, default="car", help_text="Of a vignette.")
    scope = serializers.CharField(required=False, help_text="Of a vignette for a part only.")
    first_day = serializers.DateField(required=False, help_text="Of a vignette.")
    year = serializers.IntegerField(required=False, help_text="Of an annual vignette (AT, HU).")
    bought_at = serializers.DateTimeField(required=False, help_text="Of a vignette; default now.")
    max_present = serializers.IntegerField(required=False, help_text="Of a shared permit.")
    reason = serializers.CharField(required=False, help_text="Of an exemption.")
    day = serializers.DateField(required=False, help_text="Of a zone payment.")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """`from` and `to` can't be attributes: one is a keyword."""
        fields = super().get_fields()
        for name in ("from", "to"):
            fields[name] = serializers.DateTimeField(required=False, help_text="With its offset.")
        return fields


class DeliveredRights(serializers.Serializer[Any]):
    """A batch of rights, each stored or refused by itself."""

    items = DeliveredRight(many=True)


_ERROR = OpenApiResponse(OpenApiTypes.OBJECT, '`{"error": {"code", "sentence", "field"}}`')
_STATUS = OpenApiResponse(OpenApiTypes.OBJECT, "The right without its plates.")
_EXAMPLES = [
    OpenApiExample(
        "payment",
        {
            "kind": "payment",
            "id": "p1",
            "version": 1,
            "site": "north",
            "plate": "AB12CDE",
            "country": "GB",
            "from": "2026-03-01T09:00:00+00:00",
            "to": "2026-03-01T11:00:00+00:00",
        },
        request_only=True,
    ),
    OpenApiExample(
        "vignette",
        {
            "kind": "vignette",
            "id": "v1",
            "scheme": "CZ",
            "product": "10-day",
            "plate": "1AB2345",
            "country": "CZ",
            "category": "car",
            "first_day": "2026-03-01",
            "bought_at": "2026-02-27T18:00:00+01:00",
        },
        request_only=True,
    ),
    OpenApiExample(
        "shared permit, in a batch",
        {
            "items": [
                {
                    "kind": "permit",
                    "id": "staff",
                    "site": "north",
                    "plates": ["AA11AAA", "BB22BBB"],
                    "max_present": 1,
                }
            ]
        },
        request_only=True,
    ),
]


class RightsGate(APIView):
    """What every address of the rights API shares."""

    authentication_classes = [ProviderKeyAuthentication]
    permission_classes = [IsProvider]
    parser_classes = [JSONBody]

    def provider(self) -> Provider:
        """Who asks."""
        key = self.request.auth
        assert isinstance(key, ProviderKey)
        return key.provider

    def actor(self) -> Actor:
        """Who asks, for the audit log."""
        provider = self.provider()
        address = str(self.request.META.get("REMOTE_ADDR", ""))
        return Actor("provider", provider.name, provider.organisation.name, address)


class RightsView(RightsGate):
    """Delivering rights."""

    @extend_schema(
        operation_id="rights_deliver",
        summary="Deliver one right, or a batch",
        description="A right has your own `id` and a `version` (default 1): deliver it again with "
        "a higher version to change it. A repeat is answered like the first. A batch is "
        f'`{{"items": […]}}` of at most {MOST_ITEMS}; each item is stored or refused by itself.',
        request=PolymorphicProxySerializer(
            "RightOrRights", [DeliveredRight, DeliveredRights], resource_type_field_name=None
        ),
        examples=_EXAMPLES,
        responses={
            200: OpenApiResponse(OpenApiTypes.OBJECT, "Known already: `{id, status, url}`."),
            201: OpenApiResponse(
                OpenApiTypes.OBJECT,
                "New: `{id, status, url}`, of a batch `{results, accepted, rejected}`.",
            ),
            400: _ERROR,
            401: _ERROR,
            403: _ERROR,
            409: _ERROR,
        },
    )
    def post(self, request: Request) -> Response:
        """One right or a batch of them."""
        body = request.data
        if isinstance(body, dict) and "items" in body:
            return self._batch(body["items"])
        result, created = self._receive(body)
        return Response(result, status=201 if created else 200)

    def _receive(self, item: Any) -> tuple[dict[str, Any], bool]:
        right, created = right_receive(
            provider=self.provider(),
            data=right_input(item),
            actor=self.actor(),
            now=timezone.now(),
        )
        return {
            "id": str(right.pk),
            "status": "new" if created else "repeat",
            "url": f"/api/v1/rights/{right.pk}",
        }, created

    def _batch(self, items: Any) -> Response:
        items = batch_items(items, most=MOST_ITEMS)
        results: list[dict[str, Any]] = []
        first_error: ProductError | None = None
        new = accepted = 0
        for index, item in enumerate(items):
            try:
                result, created = self._receive(item)
            except ProductError as error:
                first_error = first_error or error
                results.append({"index": index, "error": error.as_dict()})
            else:
                accepted += 1
                new += created
                results.append({"index": index, **result})
        answer = {"results": results, "accepted": accepted, "rejected": len(items) - accepted}
        if first_error is not None and not accepted:
            return Response({**answer, "error": first_error.as_dict()}, status=400)
        return Response(answer, status=201 if new else 200)


class RightView(RightsGate):
    """One right of the provider's own."""

    @extend_schema(
        operation_id="rights_status",
        summary="What became of a right",
        responses={200: _STATUS, 401: _ERROR, 403: _ERROR, 404: _ERROR},
    )
    def get(self, request: Request, right_id: uuid.UUID) -> Response:
        """Its status, without a plate."""
        return Response(right_status(right_of_provider(self.provider(), right_id)))

    @extend_schema(
        operation_id="rights_withdraw",
        summary="Withdraw a right",
        description="It ends now for good; what it covered until now stays covered.",
        responses={200: _STATUS, 401: _ERROR, 403: _ERROR, 404: _ERROR, 409: _ERROR},
    )
    def delete(self, request: Request, right_id: uuid.UUID) -> Response:
        """Its status afterwards."""
        right = right_withdraw(
            right_id=right_id, actor=self.actor(), now=timezone.now(), provider=self.provider()
        )
        return Response(right_status(right))


def right_status(right: Right) -> dict[str, Any]:
    """A right as its provider may see it: no plate, no external id."""

    def instant(at: Any) -> str | None:
        return None if at is None else at.isoformat()

    return {
        "id": str(right.pk),
        "kind": right.kind,
        "version": right.version,
        "current": right.current,
        "site": right.site.slug if right.site else None,
        "scheme": right.scheme or None,
        "product": right.product or None,
        "from": instant(right.starts_at),
        "to": instant(right.ends_at),
        "known_at": instant(right.known_at),
        "withdrawn_at": instant(right.withdrawn_at),
    }
