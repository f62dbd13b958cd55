"""The evidence of a case as a document for appeal bodies and courts: everything that is known."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cameras.access import person_actor
from core.models import User
from enforcement.cases import reasons
from enforcement.cases.chain import chain_find, digest_of
from enforcement.cases.models import Case, CaseEvent, ChainEntry, Correction
from enforcement.cases.records import event_record, evidence_record, verdict_record
from enforcement.notices.content import (
    PAGE_MM,
    Sighting,
    case_facts,
    case_verdict,
    explained,
    picture_width,
    pictures_of,
    presence,
    role_of,
    sightings_shown,
)
from enforcement.notices.document import Document, document_make
from enforcement.notices.languages import Language, language
from enforcement.notices.models import Notice, NoticeDelivery
from enforcement.notices.opening import Opened
from enforcement.visits.models import VerdictVersion

_HIGHEST_MM = 85.0
_OUT = (NoticeDelivery.State.SENT, NoticeDelivery.State.PRINTED, NoticeDelivery.State.RETURNED)


def pack_make(*, case: Case, user: User, language_code: str) -> Document:
    """The evidence of `case` in one PDF, the same bytes for as long as the case stays as it is.

    The caller has checked that `user` may see the case; each plate, picture and letter opened
    leaves its audit row. `case.site.organisation` must be loaded. NotFound `forgotten`.
    """
    words = language(language_code)
    opened = Opened(case, person_actor(user), action="export")
    corrections = list(case.corrections.select_related("user").order_by("at", "pk"))
    shown = case.evidence.shown().order_by("captured_at")
    sightings = [opened.sighting(one, corrections) for one in shown]
    events = list(case.events.order_by("at"))
    notice = Notice.objects.filter(case=case).first()
    plate = opened.text(case)
    reads, attested = _reads(case, sightings, corrections, opened, words)
    verdict = VerdictVersion.objects.filter(pk=case.verdict_id).first()
    if verdict is not None:
        attested.append((words.say("pack.verdict"), digest_of(verdict_record(case, verdict))))
    attested += [
        (words.say(f"states.{event.to_state}"), digest_of(event_record(case, event)))
        for event in events
    ]
    if notice is not None:
        attested.append((words.say("pack.notice"), bytes(notice.pdf_sha256)))
    data = {
        "lang": words.code,
        "title": words.say("pack.title", number=case.number),
        "reference": words.say("pack.title", number=case.number),
        "issuer": [case.site.organisation.name],
        "contents": words.say("pack.contents"),
        "t": _labels(words),
        "plate": plate,
        "facts": [
            [words.say("pack.state"), words.say(f"states.{case.state}")],
            [words.say("pack.opened"), words.moment(case.opened_at, case.site.zone_info)],
            *case_facts(case, words),
        ],
        "presence": presence(case, words),
        "verdict": case_verdict(case, words),
        "explanation": explained(case.explanation, words),
        "rules": f"{words.say('pack.rules')}: {', '.join(verdict.rules)}" if verdict else "",
        "reads": reads,
        "events": _events(case, events, words),
        "notice": _notice(case, notice, words),
        "notice_digests": [[words.say("pack.notice_digest"), bytes(notice.pdf_sha256).hex()]]
        if notice is not None
        else [],
        "appeals": [
            {
                "when": words.moment(appeal.received_at, case.site.zone_info),
                "lines": opened.text(appeal).splitlines(),
            }
            for appeal in case.appeals.all()
        ],
        "chain": _chain(case, attested, words),
    }
    return document_make("pack", data, pictures_of(sightings), at=_as_of(case, events))


def _as_of(case: Case, events: Sequence[CaseEvent]) -> datetime:
    """When the case became what it is: the document's time of creation."""
    return max([case.opened_at, *(event.at for event in events)])


def _labels(words: Language) -> dict[str, str]:
    named = ("case", "reads", "events", "notice", "chain", "chain_text", "appeals", "verdict")
    return {name: words.say(f"pack.{name}") for name in named} | {
        "vehicle": words.say("facts.vehicle"),
        "missing": words.say("pictures.missing"),
        "page": words.say("letter.page"),
    }


def _reads(
    case: Case,
    sightings: Sequence[Sighting],
    corrections: Sequence[Correction],
    opened: Opened,
    words: Language,
) -> tuple[list[dict[str, Any]], list[tuple[str, bytes]]]:
    """What is said of each read, and the digests by which the chain attests them."""
    shown = sightings_shown(sightings, case.site, words)
    attested = []
    zone = case.site.zone_info
    for line, one in zip(shown, sightings, strict=True):
        evidence = one.evidence
        raw = opened.text(evidence)
        if evidence.salt is not None:
            record = evidence_record(case, evidence, text=raw, salt=opened.text(evidence, "salt"))
            attested.append((f"{role_of(evidence, words)}, {line['time']}", digest_of(record)))
        rows = [
            [words.say("pack.captured"), words.moment(evidence.captured_at, zone)],
            [words.say("pack.received"), words.moment(evidence.received_at, zone)],
            [words.say("pack.read"), raw],
            [words.say("pack.score"), f"{evidence.score:.3f}"],
            [words.say("pack.models"), _models(evidence.models_used)],
        ]
        rows[3:3] = [
            [words.say("pack.corrected"), opened.text(correction)]
            for correction in corrections
            if correction.evidence_id == evidence.pk
        ]
        digests = (
            ("pack.picture_digest", evidence.picture_sha256),
            ("pack.crop_digest", evidence.crop_sha256),
        )
        line["width"] = picture_width(one.picture, PAGE_MM, _HIGHEST_MM)
        line["facts"] = rows
        line["digests"] = [
            [words.say(name), bytes(digest).hex()] for name, digest in digests if digest is not None
        ]
    return shown, attested


def _models(used: dict[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(used.items())) or "–"


def _events(case: Case, events: Sequence[CaseEvent], words: Language) -> list[list[str]]:
    head = [words.say(f"pack.{name}") for name in ("when", "what", "who", "why")]
    return [head] + [
        [
            words.moment(event.at, case.site.zone_info),
            words.say(f"states.{event.to_state}"),
            event.actor,
            " – ".join(part for part in (reasons.words(event.reason), event.note) if part),
        ]
        for event in events
    ]


def _notice(case: Case, notice: Notice | None, words: Language) -> list[list[str]]:
    if notice is None:
        return []
    zone = case.site.zone_info
    rows = [
        [words.say("letter.number"), notice.number],
        [words.say("letter.issued"), words.moment(notice.issued_at, zone)],
        [words.say("money.amount"), words.money(notice.amount, notice.currency)],
    ]
    for delivery in notice.deliveries.filter(state__in=_OUT, done_at__isnull=False):
        how = words.say(f"channels.{delivery.channel}")
        when = words.moment(delivery.done_at or notice.issued_at, zone)
        rows.append([words.say("pack.delivered"), f"{how}, {when}"])
    return rows


def _chain(case: Case, attested: Sequence[tuple[str, bytes]], words: Language) -> list[list[str]]:
    found: dict[bytes, ChainEntry] = chain_find(case.site_id, [digest for _, digest in attested])
    return [
        [name, f"{words.say('pack.position')} {found[digest].seq}", digest.hex()]
        for name, digest in attested
        if digest in found
    ]
