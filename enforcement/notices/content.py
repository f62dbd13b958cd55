"""What a notice says: a case, the site's policy and the pictures as words in one language.

The result is plain data. It is what the document is made from, and what is kept sealed with it, so
that the very same document can be made again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from cameras.models import Site
from enforcement.cases.issuing import NoticeTerms
from enforcement.cases.models import Case, Evidence
from enforcement.notices.document import Picture
from enforcement.notices.languages import Language
from enforcement.rights.outcomes import Verdict

PAGE_MM = 165.0
GAP_MM = 5.0
_HIGHEST_MM = 46.0
_CROP_MM = (34.0, 11.0)  # width and height at most
_MOST_SIGHTINGS = 3


@dataclass(frozen=True, slots=True)
class Sighting:
    """A read of the case as the notice shows it; a picture is None where none is kept."""

    evidence: Evidence
    picture: Picture | None = None
    crop: Picture | None = None
    corrected: bool = False


@dataclass(frozen=True, slots=True)
class Letter:
    """What a notice says besides the case itself.

    `address` is whom it goes to, line by line; `plate` the text a person stands for; `rules` the
    versions it was judged by; `link` the address of its page ("" in a draft).
    """

    plate: str
    address: tuple[str, ...]
    rules: tuple[str, ...]
    issued_at: datetime
    link: str = ""

    @property
    def draft(self) -> bool:
        """Whether it is only looked at, not issued."""
        return not self.link


def evidence_chosen(case: Case, kept: Iterable[Evidence]) -> list[Evidence]:
    """Which reads a notice shows: of a stay the surest of the entry and of the exit, else the
    surest three; those with a picture before others. In the order they were taken."""
    ranked = sorted(kept, key=lambda one: (not one.picture, -one.score, one.captured_at))
    if case.visit_id is not None:
        of_role: dict[str, Evidence] = {}
        for one in ranked:
            of_role.setdefault(one.role, one)
        ranked = list(of_role.values())
    return sorted(ranked[:_MOST_SIGHTINGS], key=lambda one: one.captured_at)


def notice_content(
    case: Case, terms: NoticeTerms, letter: Letter, sightings: Sequence[Sighting], words: Language
) -> dict[str, Any]:
    """The data of the template `notice`. `case.site` must be loaded."""
    say = words.say
    payee = [line.strip() for line in terms.policy.payee.splitlines() if line.strip()]
    amounts = _amounts(terms, words)
    return {
        "lang": words.code,
        "draft": say("letter.preview") if letter.draft else "",
        "title": say(f"titles.{case.site.kind}"),
        "number": case.number,
        "issuer": payee or [case.site.organisation.name],
        "address": list(letter.address),
        "issued": words.day(terms.dates.issued_on),
        "plate": letter.plate,
        "t": _labels(words),
        "verdict": case_verdict(case, words),
        "facts": case_facts(case, words),
        "presence": presence(case, words),
        "money": [[name, value, index == 0] for index, (name, value) in enumerate(amounts)],
        "table": [[say("money.if"), say("money.amount")], *amounts, *_of_which(terms, words)],
        "sightings": sightings_shown(sightings, case.site, words),
        "confirmed": _confirmed(case, words),
        "explanation": explained(case.explanation, words),
        "rules": say("why.rules", rules=", ".join(letter.rules)) if letter.rules else "",
        "pay": own_text(terms.policy.pay_texts, words.code),
        "reference": say("pay.reference", number=case.number),
        "link": letter.link,
        "appeal_by": say("appeal.by", date=words.day(terms.dates.appeal_until)),
        "appeal": [
            *(own_text(terms.policy.appeal_texts, words.code) or [say("appeal.how")]),
            say("appeal.standard"),
        ],
        "privacy": say("privacy.text"),
        "digests": [
            [f"{role_of(one.evidence, words)}, {one.evidence.camera_name}", digest.hex()]
            for one in sightings
            if one.picture is not None and (digest := bytes(one.evidence.picture_sha256 or b""))
        ],
    }


def _labels(words: Language) -> dict[str, str]:
    say = words.say
    return {
        "to": say("letter.to"),
        "number": say("letter.number"),
        "issued": say("letter.issued"),
        "page": say("letter.page"),
        "vehicle": say("facts.vehicle"),
        "happened": say("facts.heading"),
        "to_pay": say("money.heading"),
        "overleaf": say("money.overleaf"),
        "pictures": say("pictures.heading"),
        "missing": say("pictures.missing"),
        "why": say("why.heading"),
        "looked": say("why.looked"),
        "pay": say("pay.heading"),
        "link": say("pay.link"),
        "qr": say("pay.qr"),
        "appeal": say("appeal.heading"),
        "digest": say("privacy.digest"),
    }


def case_verdict(case: Case, words: Language) -> str:
    """What the judge found, in a sentence or two."""
    beyond = words.duration(case.overstay_minutes)
    known = case.verdict if words.has(f"verdicts.{case.verdict}") else Verdict.UNPAID.value
    parts = [words.say(f"verdicts.{known}", minutes=beyond)]
    if words.has(f"reasons.{case.reason}"):
        parts.append(words.say(f"reasons.{case.reason}"))
    return " ".join(parts)


def case_facts(case: Case, words: Language) -> list[list[str]]:
    """Where and when: names and what they are."""
    say, zone = words.say, case.site.zone_info
    rows = [[say("facts.place"), case.site.name]]
    if case.visit_id is not None:
        minutes = int((case.seen_to - case.seen_from).total_seconds()) // 60
        rows += [
            [say("facts.entry"), words.moment(case.seen_from, zone)],
            [say("facts.exit"), words.moment(case.seen_to, zone)],
            [say("facts.duration"), words.duration(minutes)],
        ]
    else:
        rows.append([say("facts.passing"), words.moment(case.seen_from, zone)])
        if case.seen_to != case.seen_from:
            rows.append([say("facts.passing"), words.moment(case.seen_to, zone)])
    if case.overstay_minutes:
        rows.append([say("facts.beyond"), words.duration(case.overstay_minutes)])
    if case.country:
        rows.append([say("facts.country"), case.country])
    return rows


def presence(case: Case, words: Language) -> str:
    """What a camera can tell and what it can't, and whose clock the times are of."""
    seen = words.say("facts.passage" if case.visit_id is None else "facts.presence")
    return f"{seen} {words.say('facts.timezone', zone=case.site.timezone)}"


def _amounts(terms: NoticeTerms, words: Language) -> list[list[str]]:
    def row(name: str, until: date, amount: int) -> list[str]:
        return [
            words.say(f"money.{name}", date=words.day(until)),
            words.money(amount, terms.currency),
        ]

    if terms.discount_amount is None or terms.dates.discount_until is None:
        return [row("due", terms.dates.due_on, terms.amount)]
    return [
        row("discounted", terms.dates.discount_until, terms.discount_amount),
        row("full", terms.dates.due_on, terms.amount),
    ]


def _of_which(terms: NoticeTerms, words: Language) -> list[list[str]]:
    if not terms.tariff_amount:
        return []
    return [[words.say("money.tariff"), words.money(terms.tariff_amount, terms.currency)]]


def _confirmed(case: Case, words: Language) -> str:
    """That a person looked, where one did and it is decided."""
    if case.decided_at is None or case.decided_by_id is None:
        return ""
    day = case.decided_at.astimezone(case.site.zone_info).date()
    return words.say("why.confirmed", date=words.day(day))


def explained(lines: Iterable[Mapping[str, Any]], words: Language) -> list[str]:
    """A verdict's explanation in sentences; what is said of several rights alike is said once."""
    counted: dict[str, int] = {}
    for line in lines:
        kind = str(line["kind"])
        name = words.say(f"kinds.{kind if words.has(f'kinds.{kind}') else 'other'}")
        text = f"{name}: {words.explained(line)}"
        counted[text] = counted.get(text, 0) + 1
    return [text if count == 1 else f"{text} ({count}×)" for text, count in counted.items()]


def role_of(evidence: Evidence, words: Language) -> str:
    """What a camera watches, in words."""
    return words.say(f"roles.{evidence.role}")


def sightings_shown(
    sightings: Sequence[Sighting], site: Site, words: Language
) -> list[dict[str, Any]]:
    """What the pictures' part of a document says; its pictures are named `p0`, `c0`, `p1`, …"""
    columns = max(2, len(sightings))
    widest = (PAGE_MM - GAP_MM * (columns - 1)) / columns
    shown = []
    for index, one in enumerate(sightings):
        role = role_of(one.evidence, words)
        camera = one.evidence.camera_name
        time = words.moment(one.evidence.captured_at, site.zone_info)
        shown.append(
            {
                "role": role,
                "camera": camera,
                "time": time,
                "picture": f"p{index}" if one.picture else "",
                "picture_alt": words.say(
                    "pictures.alt_vehicle", role=role, camera=camera, time=time
                ),
                "width": picture_width(one.picture, widest, _HIGHEST_MM),
                "crop": f"c{index}" if one.crop else "",
                "crop_alt": words.say("pictures.alt_plate", role=role, camera=camera),
                "crop_width": picture_width(one.crop, *_CROP_MM),
                "note": words.say("pictures.corrected") if one.corrected else "",
            }
        )
    return shown


def pictures_of(sightings: Sequence[Sighting]) -> dict[str, bytes]:
    """The pictures by the names `sightings_shown` gives them."""
    named = {}
    for index, one in enumerate(sightings):
        for letter, picture in (("p", one.picture), ("c", one.crop)):
            if picture is not None:
                named[f"{letter}{index}"] = picture.data
    return named


def picture_width(picture: Picture | None, widest: float, highest: float) -> float:
    """Millimetres a picture may be wide, so that it is no higher than `highest`."""
    if picture is None:
        return 0.0
    return round(min(widest, highest * picture.width / picture.height), 2)


def own_text(texts: Mapping[str, str], code: str) -> list[str]:
    """What the site itself says in a language, line by line; in its first one if it has not got
    this one."""
    text = texts.get(code) or next(iter(texts.values()), "")
    return [line.strip() for line in text.splitlines() if line.strip()]
