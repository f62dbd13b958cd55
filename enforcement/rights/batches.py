"""Carrying out an import: batches, their transactions, their report and their audit rows.

What is imported is a *desk*'s business (rights here, watchlist entries next door); how a file is
worked through is the same for all.
"""

import uuid
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from django.db import transaction

from audit.services import Actor, record
from core.errors import BadInput, ProductError
from enforcement.rights.tables import Progress, RowError

BATCH = 1000
"""Plates that are stored together and share an audit row."""

V = TypeVar("V")
P = TypeVar("P")
V_contra = TypeVar("V_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Item(Generic[V]):
    """Something read off `rows` rows from `first` on."""

    first: int
    rows: int
    value: V = field(repr=False)


class Desk(Protocol[V_contra, P]):
    """What an import does with one kind of thing; errors are ProductErrors naming a column."""

    subject: str
    purpose: str

    def prepare(self, value: V_contra) -> P:
        """The thing as unsaved rows, or the error that keeps it out."""

    def name(self, prepared: P) -> Hashable:
        """What it is called; a batch never holds two of one name."""

    def tokens(self, prepared: P) -> Sequence[uuid.UUID]:
        """The exact tokens of its plates."""

    def store(self, batch: Sequence[P]) -> list[bool | ProductError]:
        """Store a batch in the caller's transaction. For each: True where it is new or changes
        something, False where it was known, or why it was refused."""


@dataclass(slots=True)
class _Done:
    """A stored batch, for its audit row; tokens as bytes, since there may be millions."""

    first: int
    last: int
    tokens: bytes


def run_import(
    items: Iterator[Item[V] | RowError],
    desk: Desk[V, P],
    *,
    actor: Actor,
    all_or_nothing: bool,
    told: Callable[[RowError], None] | None = None,
) -> Iterator[Progress]:
    """Work through `items`; yields the same growing `Progress` after each batch, `done` at last.

    Each batch commits by itself, and refused rows are left out. With `all_or_nothing` everything
    is one transaction, undone when any row is refused. `told` hears of every refused row.
    """
    work = _Import(desk, actor, all_or_nothing, told)
    if not all_or_nothing:
        yield from work.run(items)
        return
    with transaction.atomic():
        for progress in work.run(items):
            if not progress.done:
                yield progress
        if work.progress.refused:
            transaction.set_rollback(True)
        else:
            # last of all: whoever appends to the audit chain holds it until the commit
            for done in work.journal:
                work.record(done)
    if work.progress.refused:
        work.progress.applied = False
        work.progress.stored = work.progress.repeated = 0
        work.record(_Done(2, work.progress.rows + 1, b""), outcome="refused")
    yield work.progress


class _Import(Generic[V, P]):
    """One import under way."""

    def __init__(
        self,
        desk: Desk[V, P],
        actor: Actor,
        all_or_nothing: bool,
        told: Callable[[RowError], None] | None,
    ) -> None:
        self.desk = desk
        self.actor = actor
        self.all_or_nothing = all_or_nothing
        self.progress = Progress(told=told)
        self.journal: list[_Done] = []
        self.batch: list[tuple[Item[V], P]] = []
        self.names: set[Hashable] = set()
        self.plates = 0

    def run(self, items: Iterator[Item[V] | RowError]) -> Iterator[Progress]:
        shown = 0
        for item in items:
            if self.progress.refused >= shown + BATCH:  # a file of nothing but errors moves too
                shown = self.progress.refused
                yield self.progress
            if isinstance(item, RowError):
                self._refuse(item.row, 1, BadInput(item.code, item.sentence, field=item.field))
                continue
            try:
                prepared = self.desk.prepare(item.value)
            except ProductError as error:
                self._refuse(item.first, item.rows, error)
                continue
            name, plates = self.desk.name(prepared), len(self.desk.tokens(prepared))
            # two of one name must meet in the table, one after the other
            if name in self.names or self.plates + plates > BATCH:
                self._flush()
                yield self.progress
            self.names.add(name)
            self.plates += plates
            self.batch.append((item, prepared))
        self._flush()
        self.progress.done = True
        yield self.progress

    def _refuse(self, row: int, rows: int, error: ProductError) -> None:
        self.progress.rows += rows
        self.progress.refuse(row, error)
        self.progress.refused += rows - 1

    def _flush(self) -> None:
        batch, self.batch, self.plates = self.batch, [], 0
        self.names.clear()
        if not batch:
            return
        if self.all_or_nothing and self.progress.refused:
            # all will be undone: the rest is only read for its errors
            self.progress.rows += sum(item.rows for item, _ in batch)
            return
        with nullcontext() if self.all_or_nothing else transaction.atomic():
            outcomes = self.desk.store([prepared for _, prepared in batch])
            tokens = [token for _, prepared in batch for token in self.desk.tokens(prepared)]
            last = batch[-1][0]
            done = _Done(
                batch[0][0].first,
                last.first + last.rows - 1,
                b"".join(token.bytes for token in tokens),
            )
            if self.all_or_nothing:
                self.journal.append(done)
            else:
                self.record(done)
        for (item, _), outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, ProductError):
                self._refuse(item.first, item.rows, outcome)
                continue
            self.progress.rows += item.rows
            if outcome:
                self.progress.stored += item.rows
            else:
                self.progress.repeated += item.rows

    def record(self, done: _Done, outcome: str = "done") -> None:
        """One audit row for up to a thousand plates of a file, with the token of each.

        A file is one action of one person: who, when, why and which plates stand in its rows just
        as well, and a list of a million doesn't take the chain's lock a million times.
        """
        tokens = [
            uuid.UUID(bytes=done.tokens[start : start + 16])
            for start in range(0, len(done.tokens), 16)
        ]
        record(
            self.actor,
            "import",
            purpose=self.desk.purpose,
            subject=self.desk.subject,
            tokens=tokens,
            count=len(tokens),
            outcome=outcome,
            detail={"first_row": done.first, "last_row": done.last},
        )
