"""Signing manifests with Ed25519. The private key never is in a database (vault.keyring).

Rotation: a new line on top of the key's file. Public halves stay listed for as long as there are
manifests, so that a pack signed years ago can still be told from a forged one.
"""

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from enforcement.cases.models import Case, Manifest, SigningKey
from enforcement.cases.records import instant
from enforcement.cases.verifying import FORMAT, canonical, fingerprint_of
from vault import keyring


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that packs are, or were, signed with. `fingerprint` is what the operator publishes."""

    fingerprint: str
    public: bytes
    active: bool
    here: bool  # its private half is in the key's file
    first_used_at: datetime | None


def sign(statement: dict[str, Any], *, now: datetime) -> tuple[SigningKey, bytes]:
    """The active key and its signature (64 bytes) of a statement. KeyringError without a key."""
    ring = keyring.signing()
    private = Ed25519PrivateKey.from_private_bytes(ring.keys[ring.active])
    public = private.public_key().public_bytes_raw()
    key, _ = SigningKey.objects.get_or_create(
        fingerprint=fingerprint_of(public), defaults={"public": public, "first_used_at": now}
    )
    return key, private.sign(canonical(statement))


def statement_of(case: Case, manifest: Manifest, seq: int, digest: bytes) -> dict[str, Any]:
    """What is signed of a manifest: its SHA-256, and number and digest of its chain entry."""
    return {
        "format": FORMAT,
        "case": case.number,
        "made_at": instant(manifest.made_at),
        "manifest_sha256": bytes(manifest.sha256).hex(),
        "chain": {"site": str(case.site_id), "seq": seq, "digest": digest.hex()},
    }


def signature_fits(statement: dict[str, Any], manifest: Manifest) -> bool:
    """Whether a manifest's signature is its key's, of this statement."""
    public = bytes(manifest.key.public)
    if fingerprint_of(public) != manifest.key.fingerprint:
        return False
    try:
        key = Ed25519PublicKey.from_public_bytes(public)
        key.verify(bytes(manifest.signature), canonical(statement))
    except InvalidSignature:
        return False
    return True


def signature_file(statement: dict[str, Any], manifest: Manifest) -> dict[str, Any]:
    """What a pack says about its signature."""
    return {
        "algorithm": "Ed25519",
        "key": manifest.key.fingerprint,
        "public_key": base64.b64encode(bytes(manifest.key.public)).decode(),
        "signature": base64.b64encode(bytes(manifest.signature)).decode(),
        "statement": statement,
    }


def public_keys() -> list[PublicKey]:
    """Every key that may sign or has signed, the active one first, then the latest first."""
    used = {key.fingerprint: key for key in SigningKey.objects.order_by("-first_used_at")}
    ring = keyring.signing()
    seeds = [ring.keys[ring.active], *(raw for n, raw in ring.keys.items() if n != ring.active)]
    here = {
        fingerprint_of(public): public
        for public in (
            Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
            for seed in seeds
        )
    }
    publics = here | {name: bytes(key.public) for name, key in used.items() if name not in here}
    return [
        PublicKey(
            fingerprint=name,
            public=public,
            active=place == 0,
            here=name in here,
            first_used_at=used[name].first_used_at if name in used else None,
        )
        for place, (name, public) in enumerate(publics.items())
    ]
