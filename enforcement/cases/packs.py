"""Evidence packs: a case as a court or an appeal body gets it, to be verified without us.

A pack is a plain zip (docs/evidence.md): pictures as they came in, notices as they went out, the
manifest, its signature, and the piece of the site's chain that binds them. The same case gives the
same bytes again.
"""

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.db import transaction

from audit.access import Access, reveal_all
from audit.services import Actor
from core.errors import NotFound
from enforcement.cases.chain import chain_append, chain_proof
from enforcement.cases.manifest import Document, Drawn, EvidenceChanged, manifest_of
from enforcement.cases.models import Case, ChainEntry, Manifest
from enforcement.cases.records import instant
from enforcement.cases.signing import sign, signature_file, statement_of
from enforcement.cases.verifying import (
    CHAIN,
    MANIFEST,
    SIGNATURE,
    pack_bytes,
    readable,
    verify_bytes,
)
from vault.models import SealedRow

DocumentSource = Callable[[Case, Access], Iterable[Document]]
DOCUMENT_SOURCES: list[DocumentSource] = []
"""Who knows of documents that went out for a case: a room further up the road adds itself here."""

README = """\
This is the evidence of one case, as it was kept.

manifest.json   what the case rests on: reads, verdict, corrections, history; and the SHA-256 of
                every file here
pictures/       the pictures, byte for byte as they came in from the camera
notices/        the notices, byte for byte as they went out, if any did
chain.json      the entries of the site's evidence chain that these belong to
signature.json  the operator's signature (Ed25519) of the manifest and of its place in the chain

A camera measures presence, not parking: the times are those at which it saw the vehicle.

To verify it without the operator's help: python verifying.py THIS.zip
The program is one file, published with the product's source as enforcement/cases/verifying.py; it
needs Python 3.11 and the library "cryptography". Compare the key it names with the one that the
operator has published.
"""


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack to hand out: `name` holds the case's number only."""

    name: str
    data: bytes
    key: str  # fingerprint of the key it is signed with


def pack_make(
    *, case_id: uuid.UUID, actor: Actor, purpose: str, case_ref: str = "", now: datetime
) -> Pack:
    """The pack of a case for `actor`, who may see it (the caller has checked): signed anew only
    where the case has changed since the last time. Call it outside a transaction.

    NotFound, BadInput (no purpose), KeyringError (no key to sign with), EvidenceChanged where
    something isn't what it was: then nothing is signed.
    """
    case = Case.objects.filter(pk=case_id).first()
    if case is None:
        raise NotFound("not_found", "There is no such case here.")
    rows: list[SealedRow] = [case, *case.evidence.shown(), *case.corrections.all()]
    access = reveal_all(
        rows, subject=case, actor=actor, purpose=purpose, case_ref=case_ref or case.number
    )
    with transaction.atomic():
        case = (
            Case.objects.select_for_update(of=("self",))
            .select_related("site__organisation")
            .get(pk=case_id)
        )
        documents = [one for source in DOCUMENT_SOURCES for one in source(case, access)]
        manifest, drawn, text = _manifest(case, documents, access, now)
        entry = ChainEntry.objects.get(site_id=case.site_id, seq=manifest.chain_seq)
        proof = chain_proof(case.site_id, drawn.seqs, entry.seq)
    statement = statement_of(case, manifest, entry.seq, bytes(entry.digest))
    data = pack_bytes(
        {
            **drawn.files,
            MANIFEST: text,
            SIGNATURE: readable(signature_file(statement, manifest)),
            CHAIN: readable(_segment(case.site_id, proof)),
        }
    )
    report = verify_bytes(data)
    if report.problems:  # a row of the chain or of the keys was tampered with
        raise EvidenceChanged("evidence_changed", "; ".join(report.problems))
    return Pack(f"evidence-{case.number}.zip", data, manifest.key.fingerprint)


def _manifest(
    case: Case, documents: list[Document], access: Access, now: datetime
) -> tuple[Manifest, Drawn, bytes]:
    """The manifest that was signed last, if the case still is as it was then; else a new one."""
    last = case.manifests.select_related("key").last()
    for made_at in ([last.made_at] if last is not None else []) + [now]:
        drawn = manifest_of(
            case, documents, {"README.txt": README.encode()}, access=access, made_at=made_at
        )
        text = readable(drawn.manifest)
        digest = sha256(text).digest()
        if last is not None and bytes(last.sha256) == digest:
            return last, drawn, text
    manifest = Manifest(case=case, made_at=now, sha256=digest)
    link = chain_append(case.site, ChainEntry.Kind.MANIFEST, digest, now=now)
    manifest.chain_seq = link.seq
    statement = statement_of(case, manifest, link.seq, link.digest)
    manifest.key, manifest.signature = sign(statement, now=now)
    manifest.save(force_insert=True)
    return manifest, drawn, text


def _segment(site_id: uuid.UUID, entries: Iterable[ChainEntry]) -> dict[str, Any]:
    return {
        "site": str(site_id),
        "entries": [
            {
                "seq": entry.seq,
                "kind": entry.kind,
                "at": instant(entry.at),
                "content": bytes(entry.content).hex(),
                "previous": bytes(entry.previous).hex(),
                "skip": bytes(entry.skip).hex(),
                "digest": bytes(entry.digest).hex(),
            }
            for entry in entries
        ],
    }
