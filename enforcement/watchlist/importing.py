"""Entries by CSV: hotlists of up to millions of rows, streamed from memory in batches.

Columns: `PlateNumber`, perhaps `PlateState` or `PlateCountry`, `Priority` (0–100), `Reason`,
`ExpiryDate` (an instant with offset, or a day that counts to its end in UTC). Format and report as
for rights (`enforcement.rights.tables`).
"""

import uuid
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO
from zoneinfo import ZoneInfo

from audit.services import Actor
from cameras.access import person_actor
from core.errors import BadInput, Conflict, ProductError
from core.models import User
from enforcement.rights.batches import Item, run_import
from enforcement.rights.intake import bound_of, country_of, plate_of, whole_of
from enforcement.rights.tables import Progress, Row, RowError, read_rows
from enforcement.watchlist.models import Entry, Watchlist
from enforcement.watchlist.services import PURPOSE, entry_build, list_lock
from vault import blind

OPTIONAL = ("PlateState", "PlateCountry", "Priority", "Reason", "ExpiryDate")
_COLUMNS = {
    "plate": "PlateNumber",
    "reason": "Reason",
    "priority": "Priority",
    "expires_at": "ExpiryDate",
}
_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class _Prepared:
    """An unsaved entry, and its exact tokens under every index key."""

    entry: Entry
    tokens: tuple[uuid.UUID, ...]


def import_entries(
    source: bytes | BinaryIO,
    *,
    watchlist: Watchlist,
    user: User,
    now: datetime,
    all_or_nothing: bool,
    expires_at: datetime | None = None,
    state_of: str = "",
    actor: Actor | None = None,
    told: Callable[[RowError], None] | None = None,
) -> Iterator[Progress]:
    """Put a file's plates on a list; yields the growing `Progress`, see `run_import`.

    `expires_at` is for rows that name none; `state_of` the country whose states PlateState names.
    A plate that stands on the list already is a repeat if the file says the same of it. If it says
    something else, the entry is changed, but on a list that asks for approval the row is refused
    (`entry_exists`): a second person approved what stands there. BadInput as for `read_rows`.
    """
    rows = read_rows(source, columns=("PlateNumber",), optional=OPTIONAL)
    items = (row if isinstance(row, RowError) else Item(row.number, 1, row) for row in rows)
    desk = _EntriesDesk(watchlist, user, now, expires_at, state_of)
    return run_import(
        items,
        desk,
        actor=actor or person_actor(user),
        all_or_nothing=all_or_nothing,
        told=told,
    )


class _EntriesDesk:
    """Entries of one list."""

    subject = Entry._meta.label_lower
    purpose = PURPOSE

    def __init__(
        self,
        watchlist: Watchlist,
        user: User,
        now: datetime,
        expires_at: datetime | None,
        state_of: str,
    ) -> None:
        self.watchlist = watchlist
        self.user = user
        self.now = now
        self.expires_at = expires_at
        self.state_of = state_of

    def prepare(self, value: Row) -> _Prepared:
        state = value.cell("PlateState")
        try:
            plate = plate_of(value.cell("PlateNumber"))
            expires_at = bound_of(value.cell("ExpiryDate"), "expires_at", _UTC, days_later=1)
            entry = entry_build(
                watchlist=self.watchlist,
                plate=plate,
                country=country_of(
                    value.cell("PlateCountry") or (state and (self.state_of or state)),
                    "PlateCountry" if value.cell("PlateCountry") else "PlateState",
                ),
                reason=value.cell("Reason"),
                priority=whole_of(value.cell("Priority"), "priority", 100),
                expires_at=expires_at or self.expires_at,
                user=self.user,
                now=self.now,
            )
        except BadInput as error:
            column = _COLUMNS.get(error.field or "", error.field)
            raise BadInput(error.code, error.sentence, field=column) from None
        return _Prepared(entry, tuple(blind.exact_lookup(plate)))

    def name(self, prepared: _Prepared) -> Hashable:
        return prepared.tokens[0], prepared.entry.country

    def tokens(self, prepared: _Prepared) -> Sequence[uuid.UUID]:
        return [prepared.entry.token_exact]

    def store(self, batch: Sequence[_Prepared]) -> list[bool | ProductError]:
        self.watchlist = list_lock(self.watchlist.pk)
        looked_up = [token for prepared in batch for token in prepared.tokens]
        standing = {
            (entry.token_exact, entry.country): entry
            for entry in Entry.objects.filter(
                watchlist=self.watchlist, token_exact__in=looked_up, removed_at__isnull=True
            )
        }
        outcomes: list[bool | ProductError] = []
        new: list[Entry] = []
        changed: list[Entry] = []
        expired: list[uuid.UUID] = []
        for prepared in batch:
            entry = prepared.entry
            found = [standing.get((token, entry.country)) for token in prepared.tokens]
            old = next((one for one in found if one is not None), None)
            if old is None or old.expires_at <= self.now:
                expired += [old.pk] if old else []
                new.append(entry)
                outcomes.append(True)
            else:
                outcomes.append(self._change(old, entry, changed))
        Entry.objects.filter(pk__in=expired).update(removed_at=self.now)
        Entry.objects.bulk_create(new)
        Entry.objects.bulk_update(changed, ["expires_at", "priority", "reason"])
        return outcomes

    def _change(self, old: Entry, entry: Entry, changed: list[Entry]) -> bool | ProductError:
        """Have a standing entry say what the file says, where that needs nobody's approval."""
        said = (entry.expires_at, entry.priority, entry.reason)
        if (old.expires_at, old.priority, old.reason) == said:
            return False
        if self.watchlist.needs_approval:
            return Conflict(
                "entry_exists", "This plate stands on the list already.", field="PlateNumber"
            )
        old.expires_at, old.priority, old.reason = said
        changed.append(old)
        return True
