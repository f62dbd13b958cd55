"""What of a case is attested in its site's chain, in the form that is hashed.

Each record is plain JSON whose digest stands in the chain from the transaction that wrote the row
on; a manifest carries the records themselves. A record that holds a plate holds a salt as well,
which is sealed and dies with the case: so its digest tells nobody the plate (domain-rules §7).
"""

import secrets
from datetime import UTC, datetime
from typing import Any

from enforcement.cases.chain import Entry, digest_of
from enforcement.cases.models import Case, CaseEvent, ChainEntry, Correction, Evidence
from enforcement.visits.models import VerdictVersion

Record = dict[str, Any]


def salt_new() -> str:
    """128 random bits, in hex."""
    return secrets.token_hex(16)


def evidence_record(case: Case, evidence: Evidence, *, text: str, salt: str) -> Record:
    """A read as it was kept: the raw text, whatever it was corrected to since."""
    return {
        "id": str(evidence.pk),
        "case": case.number,
        "capture": str(evidence.capture_id),
        "camera": evidence.camera_name,
        "role": evidence.role,
        "captured_at": instant(evidence.captured_at),
        "received_at": instant(evidence.received_at),
        "text": text,
        "score": evidence.score,
        "char_scores": evidence.char_scores,
        "quad": evidence.quad,
        "models": evidence.models_used,
        "picture_sha256": _hex(evidence.picture_sha256),
        "crop_sha256": _hex(evidence.crop_sha256),
        "salt": salt,
    }


def evidence_entry(case: Case, evidence: Evidence, *, text: str, salt: str) -> Entry:
    """The chain's entry of a read that was kept."""
    record = evidence_record(case, evidence, text=text, salt=salt)
    return ChainEntry.Kind.EVIDENCE, digest_of(record)


def verdict_record(case: Case, verdict: VerdictVersion) -> Record:
    """What the judge found, why, and by which versions of the rules: `verdict` is the case's own.

    The case's explanation is the verdict's, with what came of asking the providers.
    """
    return {
        "id": str(verdict.pk),
        "case": case.number,
        "version": verdict.version,
        "seen_at": instant(verdict.seen_at),
        "decided_at": instant(verdict.decided_at),
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "right": str(verdict.right_id) if verdict.right_id is not None else None,
        "overstay_minutes": verdict.overstay_minutes,
        "explanation": case.explanation,
        "rules": verdict.rules,
    }


def verdict_entry(case: Case, verdict: VerdictVersion) -> Entry:
    """The chain's entry of the verdict that a case rests on."""
    return ChainEntry.Kind.VERDICT, digest_of(verdict_record(case, verdict))


def event_record(case: Case, event: CaseEvent) -> Record:
    """A line of a case's history: who, when, why."""
    return {
        "id": str(event.pk),
        "case": case.number,
        "at": instant(event.at),
        "from": event.from_state,
        "to": event.to_state,
        "actor": event.actor,
        "reason": event.reason,
        "note": event.note,
    }


def event_entry(case: Case, event: CaseEvent) -> Entry:
    """The chain's entry of a line of history."""
    return ChainEntry.Kind.DECISION, digest_of(event_record(case, event))


def correction_record(case: Case, correction: Correction, *, text: str, salt: str) -> Record:
    """What a person says a read really was."""
    return {
        "id": str(correction.pk),
        "case": case.number,
        "evidence": str(correction.evidence_id),
        "at": instant(correction.at),
        "actor": correction.user.get_username(),
        "text": text,
        "country": correction.country,
        "reason": correction.reason,
        "note": correction.note,
        "salt": salt,
    }


def correction_entry(case: Case, correction: Correction, *, text: str, salt: str) -> Entry:
    """The chain's entry of a correction."""
    record = correction_record(case, correction, text=text, salt=salt)
    return ChainEntry.Kind.CORRECTION, digest_of(record)


def instant(at: datetime) -> str:
    """An instant in UTC, to the microsecond."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _hex(digest: bytes | memoryview | None) -> str | None:
    return bytes(digest).hex() if digest is not None else None
