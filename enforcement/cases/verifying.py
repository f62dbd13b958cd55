"""Verifies an evidence pack: no database, no network, nothing of this product.

This one file is the whole verifier. It needs Python 3.11 and the library `cryptography`, so a court
or an appeal body can run a copy of it by itself: `python verifying.py PACK…`. What a pack consists
of is told in docs/evidence.md.

It says that the pack is as it was signed, to the byte. *Who* signed it only the key tells: compare
its fingerprint with the one the operator has published, or name that one with `--key`.
"""

import argparse
import base64
import hashlib
import io
import json
import struct
import sys
import uuid
import zipfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MANIFEST, SIGNATURE, CHAIN = "manifest.json", "signature.json", "chain.json"
FORMAT = "platewarden-evidence/1"
GENESIS = bytes(32)
"""What the first entry of a chain follows."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_BYTES = 1 << 30
_LOCAL_HEADER = 30


@dataclass
class Report:
    """What verifying a pack found. It is sound when there are no `problems`; `notes` are what the
    reader should know all the same."""

    case: str = ""
    key: str = ""  # fingerprint
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


# --- forms ---------------------------------------------------------------------------------------


def canonical(record: Mapping[str, Any]) -> bytes:
    """JSON in the one form that is hashed and signed: sorted keys, no space, UTF-8.

    A number is the same whether it came from Python or back from a jsonb column: whole ones are
    written as integers. ValueError for a number that is none.
    """
    return json.dumps(
        _plain(record), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def readable(record: Mapping[str, Any]) -> bytes:
    """JSON as it lies in a pack: sorted, indented, one form only."""
    text = json.dumps(_plain(record), sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def pack_bytes(files: Mapping[str, bytes]) -> bytes:
    """The one way a pack is written: names in order, nothing compressed, no times."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as pack:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system = 3
            info.external_attr = 0o600 << 16
            pack.writestr(info, files[name])
    return out.getvalue()


def fingerprint_of(public: bytes) -> str:
    """SHA-256 of an Ed25519 public key (32 bytes), in hex."""
    return hashlib.sha256(public).hexdigest()


# --- the chain -----------------------------------------------------------------------------------


def link_digest(
    site_id: uuid.UUID,
    seq: int,
    previous: bytes,
    skip: bytes,
    at: datetime,
    content: bytes,
    kind: str,
) -> bytes:
    """The digest of a chain's entry: SHA-256 over site (16 bytes), number (8, big-endian), digest
    before (32), digest further back (32), microseconds since 1970 (8), content (32) and kind."""
    micros = (at - _EPOCH) // timedelta(microseconds=1)
    packed = site_id.bytes + struct.pack(">q", seq) + previous + skip + struct.pack(">q", micros)
    return hashlib.sha256(packed + content + kind.encode()).digest()


def before(seq: int, target: int) -> int:
    """The entry that `seq` (> `target`) leads to on the way back to `target`: as far as its longer
    link goes without passing it, else the one before."""
    far = seq - (seq & -seq)
    return far if far >= target else seq - 1


@dataclass(frozen=True)
class _Entry:
    kind: str
    content: bytes
    previous: bytes
    skip: bytes
    digest: bytes


def _entries(chain: Any) -> dict[int, _Entry]:
    site = uuid.UUID(chain["site"])
    found = {}
    for row in chain["entries"]:
        content, previous, skip = (bytes.fromhex(row[n]) for n in ("content", "previous", "skip"))
        at = datetime.fromisoformat(row["at"])
        seq, kind = int(row["seq"]), str(row["kind"])
        digest = link_digest(site, seq, previous, skip, at, content, kind)
        if digest.hex() != row["digest"]:
            raise ValueError(f"entry {seq} was changed")
        found[seq] = _Entry(kind, content, previous, skip, digest)
    return found


def _linked(entries: Mapping[int, _Entry], head: int, target: int) -> bool:
    """Whether entry `head` commits to entry `target` through entries that are here."""
    seq = head
    while seq > target:
        back = before(seq, target)
        entry, further = entries.get(seq), entries.get(back)
        if entry is None or further is None:
            return False
        link = entry.skip if back == seq - (seq & -seq) else entry.previous
        if link != further.digest:
            return False
        seq = back
    return seq == target and target in entries


# --- a pack --------------------------------------------------------------------------------------


def verify(path: Path, keys: Collection[str] = ()) -> Report:
    """Verify the pack at `path`; `keys` are the fingerprints its signer must be one of (any, when
    empty). OSError where it can't be read."""
    return verify_bytes(path.read_bytes(), keys)


def verify_bytes(raw: bytes, keys: Collection[str] = ()) -> Report:
    """`verify` for a pack's bytes. Whatever they are, the answer is a report."""
    report = Report()
    try:
        files = _files(raw)
    except Exception as error:  # the library raises a dozen sorts, all of them mean this
        report.problems.append(f"the file is no evidence pack, or damaged: {_said(error)}")
        return report
    missing = [name for name in (MANIFEST, SIGNATURE, CHAIN) if name not in files]
    if missing:
        report.problems += [f"{name} is missing" for name in missing]
        return report
    statement = _signature(files, keys, report)
    try:
        _manifest(files, statement, report)
    except Exception as error:
        report.problems.append(f"{MANIFEST} is not of the form {FORMAT}: {_said(error)}")
    if not report.problems and pack_bytes(files) != raw:
        # everything inside is right, so it is the container that was changed
        report.problems.append("the zip container itself was changed")
    return report


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]


def _files(raw: bytes) -> dict[str, bytes]:
    if len(raw) > _MOST_BYTES:
        raise ValueError("larger than 1 GiB")
    files: dict[str, bytes] = {}
    with zipfile.ZipFile(io.BytesIO(raw)) as pack:
        for info in pack.infolist():
            if info.compress_type != zipfile.ZIP_STORED or info.filename in files:
                raise ValueError("packs are not compressed, and hold each name once")
            # not through the library: it would stop at a wrong checksum without a word on the rest
            start = info.header_offset + _LOCAL_HEADER + len(info.filename.encode())
            files[info.filename] = raw[start : start + info.file_size]
    return files


def _signature(files: Mapping[str, bytes], keys: Collection[str], report: Report) -> Any:
    """The signed statement, None where it is not signed; says what is wrong."""
    try:
        found = json.loads(files[SIGNATURE])
        statement = found["statement"]
        public = base64.b64decode(found["public_key"], validate=True)
        signature = base64.b64decode(found["signature"], validate=True)
        signed = canonical(statement)
        if readable(found) != files[SIGNATURE]:
            raise ValueError("not in its one form")
        if found["algorithm"] != "Ed25519" or statement["format"] != FORMAT:
            raise ValueError("of an unknown format")
        report.key = fingerprint_of(public)
        if found["key"] != report.key:
            raise ValueError("the key does not have the fingerprint it says")
        Ed25519PublicKey.from_public_bytes(public).verify(signature, signed)
    except InvalidSignature:
        report.problems.append(
            f"{SIGNATURE}: the signature does not fit: it, its key or what it signs was changed"
        )
        return None
    except Exception as error:
        report.problems.append(f"{SIGNATURE} was changed: {_said(error)}")
        return None
    if keys and report.key not in keys:
        report.problems.append(f"signed with the key {report.key}, which is none of those named")
    elif not keys:
        report.notes.append("the key was not compared with one that you trust")
    if hashlib.sha256(files[MANIFEST]).hexdigest() != statement["manifest_sha256"]:
        report.problems.append(f"{MANIFEST} was changed after it was signed")
    return statement


def _manifest(files: Mapping[str, bytes], statement: Any, report: Report) -> None:
    manifest = json.loads(files[MANIFEST])
    report.case = str(manifest["case"]["number"])
    report.problems += _files_differ(files, manifest["files"])
    try:
        entries = _chain(files[CHAIN], statement)
    except Exception as error:
        report.problems.append(f"{CHAIN} was changed: {_said(error)}")
        return
    if statement is None:
        return
    head = statement["chain"]["seq"]
    if entries[head].content.hex() != statement["manifest_sha256"]:
        report.problems.append(f"{CHAIN}: entry {head} is not that of this manifest")
    for attested in manifest["attested"]:
        name = f"{attested['kind']} {attested['name']}"
        report.problems += [f"{name}: {what}" for what in _attested(attested, manifest["files"])]
        if attested["seq"] is None:
            report.notes.append(f"{name} was kept before the chain began: it has no entry in it")
        elif not _in_chain(attested, entries, head):
            report.problems.append(f"{name} is not what entry {attested['seq']} of the chain says")


def _files_differ(files: Mapping[str, bytes], named: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted({*files, *named} - {MANIFEST, SIGNATURE, CHAIN}):
        if name not in files:
            yield f"{name} is missing"
        elif name not in named:
            yield f"{name} is not named in the manifest"
        elif hashlib.sha256(files[name]).hexdigest() != named[name]["sha256"]:
            yield f"{name} was changed: it is not what the manifest names"


def _chain(data: bytes, statement: Any) -> dict[int, _Entry]:
    chain = json.loads(data)
    if readable(chain) != data:
        raise ValueError("not in its one form")
    entries = _entries(chain)
    if statement is not None:
        said = statement["chain"]
        head = entries.get(said["seq"])
        if chain["site"] != said["site"] or head is None or head.digest.hex() != said["digest"]:
            raise ValueError(f"entry {said['seq']} is not the one that was signed")
        unlinked = [seq for seq in entries if not _linked(entries, said["seq"], seq)]
        if unlinked:
            raise ValueError(f"entry {unlinked[0]} is not linked to entry {said['seq']}")
    return entries


def _in_chain(attested: Any, entries: Mapping[int, _Entry], head: int) -> bool:
    entry = entries.get(attested["seq"])
    if entry is None or attested["seq"] >= head or entry.kind != attested["kind"]:
        return False
    if "record" in attested:
        return entry.content == hashlib.sha256(canonical(attested["record"])).digest()
    return entry.content.hex() == str(attested["sha256"])


def _attested(attested: Any, named: Mapping[str, Any]) -> Iterator[str]:
    """Where the pack's files are not those that the record speaks of."""
    for what, name in attested["files"].items():
        digest = attested["record"][f"{what}_sha256"] if "record" in attested else None
        digest = digest or attested.get("sha256")
        if digest is None and attested["seq"] is None and name in named:
            continue  # older than the chain: no digest was kept with it
        if name not in named or named[name]["sha256"] != digest:
            yield f"{name} is not the {what} that was kept"


# --- by hand -------------------------------------------------------------------------------------


def said(path: Path, report: Report) -> Iterator[str]:
    """What to tell about a report, line by line."""
    if report.problems:
        yield f"{path}: NOT SOUND"
        yield from (f"  wrong: {problem}" for problem in report.problems)
        return
    yield f"{path}: sound: case {report.case}, as it was signed with the key"
    yield f"  {report.key}"
    yield from (f"  note: {note}" for note in report.notes)


def main(arguments: list[str] | None = None) -> int:
    """0 when every pack is sound, 1 when one is not, 2 when one can't be read."""
    parser = argparse.ArgumentParser(description="Verify evidence packs.")
    parser.add_argument("packs", nargs="+", type=Path, metavar="PACK")
    parser.add_argument(
        "--key", action="append", default=[], metavar="FINGERPRINT", help="a key you trust"
    )
    given = parser.parse_args(arguments)
    worst = 0
    for path in given.packs:
        try:
            report = verify(path, {key.lower() for key in given.key})
        except OSError as error:
            print(f"{path}: cannot be read: {error.strerror or type(error).__name__}")
            worst = 2
            continue
        print("\n".join(said(path, report)))
        worst = max(worst, 1 if report.problems else 0)
    return worst


if __name__ == "__main__":
    sys.exit(main())
