"""Why this person looks at plates: said by them, kept in their session, and for a while only.

Two kinds: a purpose for the shift, with which plates open as they scroll into view, and a look at
one thing (a read, a case), said when it was opened. Neither has a default.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest

from audit.purposes import PURPOSES, checked

SHIFT = timedelta(hours=8)
LOOK = timedelta(minutes=30)
_LOOKS_KEPT = 40
_CASE_REF_LENGTH = 64


@dataclass(frozen=True)
class Chosen:
    """A purpose somebody stated: `code` of `audit.purposes`, its reference, until when."""

    code: str
    case_ref: str
    until: datetime

    @property
    def label(self) -> str:
        """The purpose in words."""
        return PURPOSES[self.code].label

    def as_list(self) -> list[str]:
        """The form kept in the session."""
        return [self.code, self.case_ref, self.until.isoformat()]


def _restored(kept: Any, now: datetime) -> Chosen | None:
    if not kept:
        return None
    chosen = Chosen(kept[0], kept[1], datetime.fromisoformat(kept[2]))
    return chosen if chosen.until > now and chosen.code in PURPOSES else None


def _stated(code: str, case_ref: str, until: datetime) -> Chosen:
    reference = case_ref.strip()[:_CASE_REF_LENGTH]
    return Chosen(checked(code, reference, person=True).code, reference, until)


def shift(request: HttpRequest, now: datetime) -> Chosen | None:
    """The purpose of this person's shift, if they set one and it still counts."""
    return _restored(request.session.get("purpose"), now)


def shift_begin(request: HttpRequest, *, code: str, case_ref: str, now: datetime) -> Chosen:
    """Set the purpose of the shift; BadInput when it isn't one of the list, or lacks its case."""
    chosen = _stated(code, case_ref, now + SHIFT)
    request.session["purpose"] = chosen.as_list()
    return chosen


def shift_end(request: HttpRequest) -> None:
    """From here on plates are masked again, those opened one by one too."""
    request.session.pop("purpose", None)
    request.session.pop("looks", None)


def look(request: HttpRequest, kind: str, row_id: uuid.UUID, now: datetime) -> Chosen | None:
    """With which purpose this person opened this row a moment ago, if they did."""
    return _restored(request.session.get("looks", {}).get(f"{kind}:{row_id}"), now)


def once(*, code: str, case_ref: str, now: datetime) -> Chosen:
    """A purpose stated for one look, not kept; BadInput as in `shift_begin`."""
    return _stated(code, case_ref, now)


def look_begin(
    request: HttpRequest, kind: str, row_id: uuid.UUID, *, code: str, case_ref: str, now: datetime
) -> Chosen:
    """Open one row (a read, a case, an entry) for a while; BadInput as in `shift_begin`."""
    chosen = _stated(code, case_ref, now + LOOK)
    looks = dict(request.session.get("looks", {}))
    looks.pop(f"{kind}:{row_id}", None)
    looks[f"{kind}:{row_id}"] = chosen.as_list()
    request.session["looks"] = dict(list(looks.items())[-_LOOKS_KEPT:])
    return chosen


def look_end(request: HttpRequest, kind: str, row_id: uuid.UUID) -> None:
    """Close a row that was opened."""
    looks = dict(request.session.get("looks", {}))
    if looks.pop(f"{kind}:{row_id}", None):
        request.session["looks"] = looks
