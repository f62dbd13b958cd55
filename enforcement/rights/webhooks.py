"""Events that providers send, signed: nobody else can have sent them, and none counts twice.

As standardwebhooks.com has it: `webhook-id`, `webhook-timestamp` (Unix seconds) and
`webhook-signature`, a list of `v1,<base64>` with spaces between; signed is
`<id>.<timestamp>.<body>` with HMAC-SHA256 under the secret (`whsec_<base64>`). A signature holds
for five minutes either way. A provider rotates by having two secrets for a while.

What an event may say:

    {"type": "right.delivered", "data": {right as for POST /api/v1/rights}}
    {"type": "right.withdrawn", "data": {"kind", "id"}}
    {"type": "ping"}

with `items` (a list) instead of `data` for several.
"""

import base64
import hashlib
import hmac
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from audit.services import Actor, record
from cameras.bodies import batch_items, strict_json
from core.errors import BadInput, Conflict, NotAuthenticated, NotFound, ProductError
from core.ids import uuid7
from enforcement.rights.channels import WebhookEvent, WebhookSecret
from enforcement.rights.intake import right_input, text_of
from enforcement.rights.models import Provider, Right
from enforcement.rights.services import right_name, right_receive, right_withdraw
from vault import blind

TOLERANCE = timedelta(minutes=5)
MOST_ITEMS = 500
MOST_SECRETS = 5
LONGEST_ID = 200

_DIGITS = re.compile(r"[0-9]{1,11}", re.ASCII)  # up to a year that a clock can show


# --- secrets -------------------------------------------------------------------------------------


def _key(secret: WebhookSecret) -> bytes | None:
    """The secret's bytes; None where the index key it came from has left the ring."""
    try:
        return blind.webhook_key(secret.pk, number=secret.index_key)[1]
    except KeyError:
        return None


def webhook_secret_create(
    *, provider: Provider, actor: Actor, now: datetime
) -> tuple[WebhookSecret, str]:
    """A new secret of `provider`, and its text to show once. Older ones stay valid until revoked.

    Conflict `too_many_secrets` beside `MOST_SECRETS` live ones.
    """
    secret = WebhookSecret(provider=provider, created_at=now)
    secret.index_key, key = blind.webhook_key(secret.pk)
    with transaction.atomic():
        live = provider.webhook_secrets.filter(revoked_at__isnull=True)
        if live.count() >= MOST_SECRETS:
            raise Conflict("too_many_secrets", "Revoke an older secret first.")
        secret.save(force_insert=True)
        _record(actor, "key-create", secret)
    return secret, f"whsec_{base64.b64encode(key).decode()}"


def webhook_secret_revoke(*, secret_id: uuid.UUID, actor: Actor, now: datetime) -> WebhookSecret:
    """Refuse a secret from now on; a repeat changes nothing. NotFound where there is none."""
    with transaction.atomic():
        revoked = WebhookSecret.objects.filter(pk=secret_id, revoked_at__isnull=True).update(
            revoked_at=now
        )
        secret = WebhookSecret.objects.filter(pk=secret_id).select_related("provider").first()
        if secret is None:
            raise NotFound("not_found", "There is no such secret.")
        if revoked:
            _record(actor, "key-revoke", secret)
    return secret


def _record(actor: Actor, action: str, secret: WebhookSecret) -> None:
    record(
        actor,
        action,
        purpose="administration",
        subject=WebhookSecret._meta.label_lower,
        subject_id=secret.pk,
        detail={"provider": str(secret.provider_id)},
    )


# --- signatures ----------------------------------------------------------------------------------


def signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """`v1,<base64>` of a message."""
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"


def signed_headers(provider: Provider, message_id: str, body: bytes) -> dict[str, str]:
    """The headers of what we send to `provider`; none where it has no secret to check them with."""
    live = provider.webhook_secrets.filter(revoked_at__isnull=True)
    keys = [key for secret in live if (key := _key(secret)) is not None]
    if not keys:
        return {}
    timestamp = str(int(time.time()))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signature(key, message_id, timestamp, body) for key in keys),
    }


@dataclass(frozen=True, slots=True)
class Signed:
    """A message whose signature holds: `id` is the sender's own."""

    provider: Provider
    id: str = field(repr=False)
    at: datetime
    body: bytes = field(repr=False)


def event_verify(*, slug: str, headers: Mapping[str, str], body: bytes, now: datetime) -> Signed:
    """The message, if a live secret of the provider `slug` signed it within the tolerance.

    NotAuthenticated `signature_missing`, `signature_expired`, `signature_wrong`; the last also
    where there is no such provider, or it is switched off.
    """
    said = {name: headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")}
    if not all(said.values()):
        raise NotAuthenticated(
            "signature_missing",
            "Send webhook-id, webhook-timestamp and webhook-signature.",
        )
    secrets = WebhookSecret.objects.filter(
        provider__slug=slug, provider__active=True, revoked_at__isnull=True
    ).select_related("provider__organisation")
    sent = [part for part in said["signature"].split()[: 2 * MOST_SECRETS] if part.isascii()]
    found = None
    for secret in secrets:
        key = _key(secret)
        if key is None or not said["id"].isprintable():
            continue
        expected = signature(key, said["id"], said["timestamp"], body)
        if any(hmac.compare_digest(expected, part) for part in sent):
            found = secret
    if found is None:
        raise NotAuthenticated("signature_wrong", "No secret known here made this signature.")
    if not _DIGITS.fullmatch(said["timestamp"]):
        raise _expired()
    at = datetime.fromtimestamp(int(said["timestamp"]), UTC)
    if abs(at - now) > TOLERANCE:
        raise _expired()
    if len(said["id"]) > LONGEST_ID:
        raise BadInput("too_long", f"webhook-id has at most {LONGEST_ID} characters.")
    WebhookSecret.objects.filter(pk=found.pk).update(last_used_at=now)
    return Signed(found.provider, said["id"], at, body)


def _expired() -> NotAuthenticated:
    return NotAuthenticated(
        "signature_expired", "A signature holds for five minutes: sign the event anew to repeat it."
    )


# --- events --------------------------------------------------------------------------------------


def event_receive(signed: Signed, *, actor: Actor, now: datetime) -> tuple[dict[str, Any], bool]:
    """Do what an event says; the answer, and whether it is new (False for a repeat).

    Each item is done or refused by itself. A repeat, signed anew, is answered like the first time
    and does nothing; the very same message again is refused (`event_replayed`), as is another
    content under a known id (`event_conflict`). An event nothing of which could be done is not
    remembered, so that it can be mended and sent again: that is its first item's error.

    A worker that dies on the way has done the items before; they are repeats when it comes again.
    """
    known = _known(signed)
    if known is not None:
        return known, False
    results: list[dict[str, Any]] = []
    first: ProductError | None = None
    for index, (kind, item) in enumerate(_items(signed.body)):
        try:
            results.append({"index": index, **_do(kind, item, signed.provider, actor, now)})
        except ProductError as error:
            first = first or error
            results.append({"index": index, "error": error.as_dict()})
    refused = sum("error" in result for result in results)
    if first is not None and refused == len(results):
        raise first
    answer = {"results": results, "accepted": len(results) - refused, "rejected": refused}
    try:
        with transaction.atomic():
            WebhookEvent.objects.create(
                id=uuid7(now),
                provider=signed.provider,
                event_token=blind.token(blind.Kind.EVENT, signed.id),
                content_token=_content(signed, blind.token),
                signed_at=signed.at,
                received_at=now,
                answer=answer,
            )
    except IntegrityError:  # the same event came twice at once
        return _known(signed) or answer, False
    return answer, True


def _content(signed: Signed, token: Any) -> Any:
    # a digest, since tokens are over text and a body is bytes; keyed all the same: it holds plates
    return token(blind.Kind.EVENT, f"event {hashlib.sha256(signed.body).hexdigest()}")


def _known(signed: Signed) -> dict[str, Any] | None:
    """The answer to an event that was taken before; Conflict where this one may not come again."""
    event = WebhookEvent.objects.filter(
        provider=signed.provider, event_token__in=blind.tokens(blind.Kind.EVENT, signed.id)
    ).first()
    if event is None:
        return None
    if event.content_token not in _content(signed, blind.tokens):
        raise Conflict("event_conflict", "This event's id is known with another content.")
    if event.signed_at == signed.at:
        raise Conflict("event_replayed", "This very message was taken before.")
    return dict(event.answer)


def _items(body: bytes) -> list[tuple[str, Any]]:
    """(type, item) of an event. BadInput `json_malformed`, `not_an_object`, `unknown_event`, …"""
    try:
        event = strict_json(body)
    except ValueError:
        raise BadInput("json_malformed", "The body is not JSON in UTF-8.") from None
    if not isinstance(event, dict):
        raise BadInput("not_an_object", "An event is a JSON object.")
    kind = event.get("type")
    if kind == "ping":
        return []
    if kind not in ("right.delivered", "right.withdrawn"):
        raise BadInput(
            "unknown_event", "Types are right.delivered, right.withdrawn and ping.", field="type"
        )
    if "items" in event:
        return [(kind, item) for item in batch_items(event["items"], most=MOST_ITEMS)]
    return [(kind, event.get("data"))]


def _do(kind: str, item: Any, provider: Provider, actor: Actor, now: datetime) -> dict[str, Any]:
    if kind == "right.delivered":
        right, created = right_receive(
            provider=provider, data=right_input(item), actor=actor, now=now
        )
        return {"id": str(right.pk), "status": "new" if created else "repeat"}
    if not isinstance(item, Mapping):
        raise BadInput("not_an_object", "Name the right by kind and id.")
    kind_of, right_id = item.get("kind"), text_of(item.get("id"), "id", LONGEST_ID)
    if kind_of not in Right.Kind.values:
        raise BadInput("unknown_kind", "There is no such kind of right.", field="kind")
    tokens = blind.tokens(blind.Kind.EVENT, right_name(provider, None, kind_of, right_id))
    found = Right.objects.filter(provider=provider, external_token__in=tokens, current=True).first()
    if found is None:
        raise NotFound("not_found", "You have delivered no such right.")
    right_withdraw(right_id=found.pk, actor=actor, now=now, provider=provider)
    return {"id": str(found.pk), "status": "withdrawn"}
