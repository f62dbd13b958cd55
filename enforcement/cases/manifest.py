"""The manifest of a case: all that it rests on, each with its place in the site's chain.

It is made from the rows alone, so that it comes out the same to the byte for as long as they stand
as they did. Everything the chain attests is compared with it here: what was changed since is not
signed.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from audit.access import Access
from core.errors import Conflict
from enforcement.cases import records
from enforcement.cases.chain import chain_find, digest_of
from enforcement.cases.models import Case, ChainEntry, Evidence
from enforcement.cases.verifying import FORMAT
from enforcement.visits.models import VerdictVersion

PRESENCE = (
    "A camera measures presence, not parking: the times are those at which it saw the vehicle."
)

_ENDINGS = ((b"\xff\xd8\xff", "jpg"), (b"\x89PNG", "png"), (b"RIFF", "webp"))


class EvidenceChanged(Conflict):
    """Something is not what the chain says, so it isn't signed."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document that went out for a case: its name in the pack, and its bytes."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Attested:
    """One thing that the chain speaks of. `record` is what is hashed; of a document its bytes are.
    `files` names the pack's files by what they are of it."""

    kind: str
    name: str
    content: bytes
    record: records.Record | None = None
    files: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A manifest, the files it names, and the numbers of its chain entries."""

    manifest: dict[str, Any]
    files: dict[str, bytes]
    seqs: list[int]


def manifest_of(
    case: Case,
    documents: Iterable[Document],
    others: Mapping[str, bytes],
    *,
    access: Access,
    made_at: datetime,
) -> Drawn:
    """The manifest of `case`, made at `made_at`, naming its pictures, the documents and the
    `others` (name → bytes). EvidenceChanged where something is not what the chain says.

    The case's site must be loaded, with its organisation.
    """
    files = dict(others)
    things = []
    for number, evidence in enumerate(_evidence(case), start=1):
        named = _pictures(evidence, number, access)
        files |= dict(named.values())
        of = {what: name for what, (name, _) in named.items()}
        things.append(_read(case, evidence, number, of, access))
    things += rest_of(case, access)
    for document in documents:
        name = f"notices/{document.name}"
        files[name] = document.data
        content = sha256(document.data).digest()
        things.append(Attested("notice", document.name, content, files={"document": name}))
    places = _places(case, things)
    manifest = {
        "format": FORMAT,
        "made_at": records.instant(made_at),
        "case": _facts(case, access),
        "note": PRESENCE,
        "attested": [_told(thing, places) for thing in things],
        "files": {
            name: {"sha256": sha256(data).hexdigest(), "bytes": len(data)}
            for name, data in files.items()
        },
    }
    return Drawn(manifest, files, [seq for seq in places.values() if seq is not None])


def attested_of(case: Case, access: Access) -> list[Attested]:
    """All of a case that the chain attests, but for documents: without their files."""
    reads = [
        _read(case, evidence, number, {}, access)
        for number, evidence in enumerate(_evidence(case), start=1)
    ]
    return reads + rest_of(case, access)


def rest_of(case: Case, access: Access) -> list[Attested]:
    """The verdict, the corrections and the history."""
    return [*_verdict(case), *_corrections(case, access), *_history(case)]


def _evidence(case: Case) -> list[Evidence]:
    return list(case.evidence.shown().order_by("captured_at", "pk"))


def _read(
    case: Case, evidence: Evidence, number: int, files: dict[str, str], access: Access
) -> Attested:
    salt = access.text(evidence, "salt") if evidence.salt is not None else ""
    record = records.evidence_record(case, evidence, text=access.text(evidence), salt=salt)
    name = f"{number} ({evidence.role}, {record['captured_at']})"
    return Attested("evidence", name, digest_of(record), record, files)


def _pictures(evidence: Evidence, number: int, access: Access) -> dict[str, tuple[str, bytes]]:
    """What it is → (its name in the pack, its bytes as they came in)."""
    found = {}
    for what, digest in (("picture", evidence.picture_sha256), ("crop", evidence.crop_sha256)):
        if not getattr(evidence, what):
            continue
        data = access.file(evidence, what)
        if digest is not None and sha256(data).digest() != bytes(digest):
            raise EvidenceChanged(
                "evidence_changed", f"The {what} of read {number} is not the one that came in."
            )
        ending = next((end for magic, end in _ENDINGS if data.startswith(magic)), "bin")
        found[what] = (f"pictures/{number:02d}-{evidence.role}-{what}.{ending}", data)
    return found


def _verdict(case: Case) -> Iterator[Attested]:
    verdict = VerdictVersion.objects.filter(pk=case.verdict_id).first()
    if verdict is not None:
        record = records.verdict_record(case, verdict)
        yield Attested("verdict", str(record["verdict"]), digest_of(record), record)


def _corrections(case: Case, access: Access) -> Iterator[Attested]:
    for number, one in enumerate(case.corrections.select_related("user"), start=1):
        record = records.correction_record(
            case, one, text=access.text(one), salt=access.text(one, "salt")
        )
        yield Attested("correction", str(number), digest_of(record), record)


def _history(case: Case) -> Iterator[Attested]:
    for number, event in enumerate(case.events.all(), start=1):
        record = records.event_record(case, event)
        yield Attested("decision", f"{number} ({event.to_state})", digest_of(record), record)


def _facts(case: Case, access: Access) -> dict[str, Any]:
    site = case.site
    return {
        "number": case.number,
        "site": {
            "name": site.name,
            "organisation": site.organisation.name,
            "kind": site.kind,
            "timezone": site.timezone,
        },
        "plate": access.text(case),
        "country": case.country or None,
        "state": case.state,
        "opened_at": records.instant(case.opened_at),
        "seen_from": records.instant(case.seen_from),
        "seen_to": records.instant(case.seen_to),
    }


def _places(case: Case, things: list[Attested]) -> dict[bytes, int | None]:
    """Where each lies in the chain; None for what was there before the site had one."""
    found = chain_find(case.site_id, [thing.content for thing in things])
    first = ChainEntry.objects.filter(site_id=case.site_id, seq=1).first()
    places: dict[bytes, int | None] = {}
    for thing in things:
        entry = found.get(thing.content)
        if entry is not None and entry.kind == thing.kind:
            places[thing.content] = entry.seq
        elif first is None or case.opened_at < first.at:
            places[thing.content] = None
        else:
            raise EvidenceChanged(
                "evidence_changed",
                f"{thing.kind} {thing.name} of this case is not what the site's chain says.",
            )
    return places


def _told(thing: Attested, places: Mapping[bytes, int | None]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "kind": thing.kind,
        "name": thing.name,
        "seq": places[thing.content],
        "files": thing.files,
    }
    if thing.record is not None:
        return told | {"record": thing.record}
    return told | {"sha256": thing.content.hex()}
