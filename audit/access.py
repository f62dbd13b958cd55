"""The gates: the only way to open a sealed plate or picture.

A person's or client's look leaves one row per plate, written before the clear text is handed out. A
stage of the pipeline opens many and leaves one row per batch, written in the batch's own
transaction; if the batch fails after something was opened, that is written too.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import structlog
from django.db import Error, transaction
from django.db.models import Model

from audit.freetext import reference
from audit.purposes import checked
from audit.services import Actor, record, stage_actor
from vault import sealing
from vault.models import SealedRow

_MOST_TOKENS = 1000

log = structlog.get_logger(__name__)


class Access:
    """An open batch: opens sealed values and counts them."""

    def __init__(self) -> None:
        self.count = 0
        self.tokens: dict[uuid.UUID, None] = {}

    def text(self, row: SealedRow, field: str = "text") -> str:
        """The text of a sealed field."""
        clear = sealing.open_text(row, field)
        self._note(row)
        return clear

    def file(self, row: SealedRow, field: str) -> bytes:
        """The bytes of a sealed file."""
        clear = sealing.open_file(row, field)
        self._note(row)
        return clear

    def _note(self, row: SealedRow) -> None:
        self.count += 1
        found = getattr(row, "token_exact", None)
        if found is not None and len(self.tokens) < _MOST_TOKENS:
            self.tokens[found] = None


@contextmanager
def stage_batch(
    stage: str, *, purpose: str = "pipeline", action: str = "process", actor: Actor | None = None
) -> Iterator[Access]:
    """A stage's batch: a transaction that ends with one audit row if anything was opened.

    `actor` is whom it is done for, where that is somebody else than the stage itself.
    """
    access = Access()

    def write(outcome: str) -> None:
        if access.count:
            record(
                actor or stage_actor(stage),
                action,
                purpose=purpose,
                tokens=access.tokens,
                count=access.count,
                outcome=outcome,
            )

    try:
        with transaction.atomic():
            yield access
            write("done")
    except BaseException:
        try:
            write("failed")
        except Error as lost:  # why the batch failed must not be hidden by why this did
            log.error(
                "access_unwritten", stage=stage, count=access.count, error=type(lost).__name__
            )
        raise


def reveal_text(
    row: SealedRow,
    field: str,
    *,
    actor: Actor,
    purpose: str,
    case_ref: str = "",
    action: str = "view",
) -> str:
    """One plate for one person or client: the row is written first, then the text is opened.

    BadInput without a purpose of the list, or with a reference that names the plate itself.
    """
    _write(row, actor, action, purpose, case_ref)
    return sealing.open_text(row, field)


def reveal_file(
    row: SealedRow,
    field: str,
    *,
    actor: Actor,
    purpose: str,
    case_ref: str = "",
    action: str = "picture",
    shows: Sequence[SealedRow] = (),
) -> bytes:
    """One picture for one person or client; see `reveal_text`.

    `shows` are the rows whose plates are in the picture, where `row` itself names none: so that
    "who looked at this plate" finds the look.
    """
    _write(row, actor, action, purpose, case_ref, shows=shows, detail={"field": field})
    return sealing.open_file(row, field)


def reveal_all(
    rows: Sequence[SealedRow],
    *,
    subject: Model,
    actor: Actor,
    purpose: str,
    case_ref: str = "",
    action: str = "export",
) -> Access:
    """All that is sealed in `rows`, of one `subject`, for one person or client: a row for each of
    their plates is written first. Call it outside a transaction, open with what it returns.

    BadInput as for `reveal_text`.
    """
    checked(purpose, case_ref, person=actor.kind == "person")
    found = (getattr(row, "token_exact", None) for row in rows)
    tokens = list(dict.fromkeys(token for token in found if token is not None))
    case_ref = reference(case_ref, tokens)
    with transaction.atomic():
        for token in tokens:
            record(
                actor,
                action,
                purpose=purpose,
                case_ref=case_ref,
                subject=subject._meta.label_lower,
                subject_id=subject.pk,
                tokens=[token],
            )
    return Access()


def _write(
    row: SealedRow,
    actor: Actor,
    action: str,
    purpose: str,
    case_ref: str,
    shows: Sequence[SealedRow] = (),
    detail: Mapping[str, str] | None = None,
) -> None:
    checked(purpose, case_ref, person=actor.kind == "person")
    found = (getattr(one, "token_exact", None) for one in (row, *shows))
    tokens = [token for token in found if token is not None]
    record(
        actor,
        action,
        purpose=purpose,
        case_ref=reference(case_ref, tokens),
        subject=row._meta.label_lower,
        subject_id=row.pk,
        tokens=tokens,
        detail=detail,
    )
