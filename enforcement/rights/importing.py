"""Rights by CSV: permits, vignettes and payments, streamed from memory in batches.

Layouts (header line first; separator `;` `,` tab or `:`; UTF-8; see `tables`):

- permits: `Category;PlateState;PlateNumber;EffectiveDate;ExpiryDate;PermitID`, perhaps
  `MaxPresent`. Rows of one PermitID that follow each other are one shared permit, of which one
  vehicle may be present at a time unless `MaxPresent` says otherwise. Dates are days on the site's
  calendar, both included, or instants with offset; empty is open.
- vignettes: `VignetteID;Scheme;Product;PlateCountry;PlateNumber`, and `FirstDay` or `Year`, perhaps
  `Category`, `Scope`, `BoughtAt`.
- payments: `PaymentID;PlateNumber;From;To` (instants with offset), perhaps `PlateCountry`,
  `Version`.

A file carries no version (but payments may): what it says anew counts as the next one, what it
repeats changes nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, BinaryIO

from django.db import transaction

from audit.services import Actor, record
from cameras.models import Site
from core.errors import BadInput, ProductError
from enforcement.rights.calendars import day_start
from enforcement.rights.intake import (
    MOST_PLATES,
    MOST_VERSIONS,
    RightInput,
    checked,
    country_of,
    day_of,
    instant_of,
    number_of,
    plate_of,
    right_input,
    text_of,
)
from enforcement.rights.models import Provider, Right
from enforcement.rights.selectors import provider_sites
from enforcement.rights.services import Delivery, Registrar, import_lock, rights_store
from enforcement.rights.tables import Progress, Row, RowError, read_rows

BATCH = 1000


class Layout(StrEnum):
    """What a file holds."""

    PERMITS = "permits"
    VIGNETTES = "vignettes"
    PAYMENTS = "payments"


COLUMNS: dict[Layout, tuple[tuple[str, ...], tuple[str, ...]]] = {
    Layout.PERMITS: (
        ("PlateNumber", "PermitID"),
        ("Category", "PlateState", "EffectiveDate", "ExpiryDate", "MaxPresent"),
    ),
    Layout.VIGNETTES: (
        ("VignetteID", "Scheme", "Product", "PlateNumber"),
        ("PlateCountry", "Category", "Scope", "FirstDay", "Year", "BoughtAt"),
    ),
    Layout.PAYMENTS: (("PaymentID", "PlateNumber", "From", "To"), ("PlateCountry", "Version")),
}
"""Columns each layout must have, and those it may have."""


@dataclass(frozen=True, slots=True)
class _Item:
    """A right read off the rows from `first` to `last`."""

    first: int
    rows: int
    right: RightInput


def import_rights(
    source: bytes | BinaryIO,
    *,
    layout: Layout,
    site: Site | None,
    provider: Provider | None,
    actor: Actor,
    now: datetime,
    all_or_nothing: bool,
    state_of: str = "",
) -> Iterator[Progress]:
    """Import a file; yields the same growing `Progress` after every batch, `done` at last.

    `site` is where permits and payments count (permits: None for all of the provider's sites);
    the caller has checked that the person may. With `all_or_nothing` everything is one
    transaction, undone if any row is refused; otherwise each batch commits, and only refused rows
    are left out. `state_of`: the country whose states PlateState names; "" where it names
    countries. Raises BadInput for the file as a whole (`tables.read_rows`) and `site_missing`.
    """
    if site is None and layout is Layout.PAYMENTS:
        raise BadInput("site_missing", "Say for which site.", field="site")
    if layout is Layout.VIGNETTES:
        site = None
    columns, optional = COLUMNS[layout]
    rows = read_rows(source, columns=columns, optional=optional)
    items = _items(rows, layout, site, state_of)
    sites = provider_sites(provider) if provider else Site.objects.all()
    registrar = Registrar(provider=provider, sites=sites, now=now)
    batches = _Import(registrar, site, actor, all_or_nothing).run(items)
    if not all_or_nothing:
        yield from batches
        return
    with transaction.atomic():
        for progress in batches:
            if progress.done and progress.refused:
                transaction.set_rollback(True)
                progress.applied = False
                progress.stored = progress.repeated = 0
            if not progress.done:
                yield progress
    if progress.refused:
        _record(actor, [], first=2, last=progress.rows + 1, outcome="refused")
    yield progress


class _Import:
    """One import under way."""

    def __init__(
        self, registrar: Registrar, site: Site | None, actor: Actor, all_or_nothing: bool
    ) -> None:
        self.registrar = registrar
        self.site = site
        self.actor = actor
        self.all_or_nothing = all_or_nothing
        self.progress = Progress()
        self.batch: list[tuple[_Item, Delivery]] = []
        self.named: set[object] = set()

    def run(self, items: Iterator["_Item | RowError"]) -> Iterator[Progress]:
        """Store the items batch by batch."""
        for item in items:
            if isinstance(item, RowError):
                self._refuse(item.row, 1, BadInput(item.code, item.sentence, field=item.field))
                continue
            try:
                delivery = self.registrar.row(item.right)
            except ProductError as error:
                self._refuse(item.first, item.rows, error)
                continue
            # a batch holds a right once: its versions must meet in the table, one after the other
            name = delivery.names[0]
            if name in self.named or self._plates() + len(delivery.plates) > BATCH:
                yield self._flush()
            self.named.add(name)
            self.batch.append((item, delivery))
        self._flush()
        self.progress.done = True
        yield self.progress

    def _plates(self) -> int:
        return sum(len(delivery.plates) for _, delivery in self.batch)

    def _refuse(self, row: int, rows: int, error: ProductError) -> None:
        self.progress.rows += rows
        self.progress.refuse(row, error)
        self.progress.refused += rows - 1

    def _flush(self) -> Progress:
        batch, self.batch = self.batch, []
        self.named.clear()
        # once all is to be undone anyway, the rest is only read for its errors
        doomed = self.all_or_nothing and self.progress.refused
        if batch and not doomed:
            with transaction.atomic():
                import_lock(self.registrar.provider, self.site)
                deliveries = [delivery for _, delivery in batch]
                rights_store(deliveries, provider=self.registrar.provider, now=self.registrar.now)
                _record(
                    self.actor,
                    deliveries,
                    first=batch[0][0].first,
                    last=batch[-1][0].first + batch[-1][0].rows - 1,
                    outcome="done",
                )
        for item, delivery in batch:
            if delivery.refused is not None:
                self._refuse(item.first, item.rows, delivery.refused)
                continue
            self.progress.rows += item.rows
            if delivery.created:
                self.progress.stored += item.rows
            elif not doomed:
                self.progress.repeated += item.rows
        return self.progress


def _record(
    actor: Actor, deliveries: list[Delivery], *, first: int, last: int, outcome: str
) -> None:
    """One audit row for up to a thousand plates of a file, with the token of each.

    A file is one action of one person: who, when, why and which plates stand in its rows just as
    well, and a list of a million doesn't take the chain's lock a million times.
    """
    tokens = [plate.token_exact for delivery in deliveries for plate in delivery.plates]
    record(
        actor,
        "import",
        purpose="rights-admin" if actor.kind == "person" else "rights-intake",
        subject=Right._meta.label_lower,
        tokens=tokens,
        count=len(tokens),
        outcome=outcome,
        detail={"first_row": first, "last_row": last},
    )


# --- rows to rights -----------------------------------------------------------------------------


def _items(
    rows: Iterator[Row | RowError], layout: Layout, site: Site | None, state_of: str
) -> Iterator[_Item | RowError]:
    """The rights of the rows, in order; errors in their place."""
    read = _READERS[layout]
    items = _read(rows, lambda row: read(row, site, state_of))
    return _shared(items) if layout is Layout.PERMITS else items


def _read(
    rows: Iterator[Row | RowError], read: Callable[[Row], RightInput]
) -> Iterator[_Item | RowError]:
    for row in rows:
        if isinstance(row, RowError):
            yield row
            continue
        try:
            right = read(row)
        except ProductError as error:
            yield RowError.of(row.number, error)
        else:
            yield _Item(row.number, 1, right)


def _shared(items: Iterator[_Item | RowError]) -> Iterator[_Item | RowError]:
    """Rows of one permit that follow each other, joined into one shared permit.

    A permit that comes again further down would replace its first rows, and take their plates'
    permit away: that is refused (`permit_scattered`), as is a row that disagrees with the rows
    above it (`permit_differs`, `plate_twice`).
    """
    seen: set[str] = set()
    open_: _Item | None = None
    for item in items:
        if isinstance(item, RowError):
            yield item
            continue
        right = item.right
        if open_ is not None and open_.right.id == right.id:
            error = _misfit(open_.right, right)
            if error is not None:
                yield RowError.of(item.first, error)
            else:
                joined = replace(
                    open_.right,
                    plates=(*open_.right.plates, *right.plates),
                    max_present=open_.right.max_present or 1,
                )
                open_ = replace(open_, rows=open_.rows + 1, right=joined)
            continue
        if open_ is not None:
            yield open_
            open_ = None
        if right.id in seen:
            yield RowError(
                item.first, "permit_scattered", "Rows of one permit must follow each other."
            )
            continue
        seen.add(right.id)
        open_ = item
    if open_ is not None:
        yield open_


def _misfit(permit: RightInput, row: RightInput) -> BadInput | None:
    """Why a row can't belong to the permit of the rows above it."""
    if row.plates[0] in permit.plates:
        return BadInput("plate_twice", "A plate stands there twice.", field="PlateNumber")
    if len(permit.plates) >= MOST_PLATES:
        return BadInput("too_many_plates", f"At most {MOST_PLATES} plates.", field="PlateNumber")
    same = replace(row, plates=permit.plates, max_present=row.max_present or permit.max_present)
    if same != replace(permit, max_present=same.max_present):
        return BadInput("permit_differs", "Rows of one permit must say the same of it.")
    return None


def _whole(text: str, name: str, most: int) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 10):
        raise BadInput("not_a_number", "This must be a whole number.", field=name)
    return number_of(int(text), name, 0, most)


def _bound(text: str, name: str, site: Site | None, *, days_later: int) -> datetime | None:
    """An instant; of a bare day its first one at the site, `days_later`."""
    if not text:
        return None
    if "T" in text or ":" in text:
        return instant_of(text, name)
    day = day_of(text, name)
    if day is None or site is None:
        raise BadInput("site_missing", "Without a site a date must be an instant.", field=name)
    return day_start(day + timedelta(days=days_later), site.zone_info)


def _permit(row: Row, site: Site | None, state_of: str) -> RightInput:
    permit_id = text_of(row.cell("PermitID"), "PermitID", 200)
    if not permit_id:
        raise BadInput("id_missing", "A permit needs its id.", field="PermitID")
    state = row.cell("PlateState")
    right = RightInput(
        kind=Right.Kind.PERMIT,
        id=permit_id,
        plates=(plate_of(row.cell("PlateNumber"), "PlateNumber"),),
        version=None,
        country=country_of(state_of if state_of and state else state, "PlateState"),
        site=site.slug if site else "",
        start=_bound(row.cell("EffectiveDate"), "EffectiveDate", site, days_later=0),
        end=_bound(row.cell("ExpiryDate"), "ExpiryDate", site, days_later=1),
        product=text_of(row.cell("Category"), "Category", 20),
        max_present=_whole(row.cell("MaxPresent"), "MaxPresent", 32_000) or None,
    )
    return _checked(right, {"to": "ExpiryDate"})


def _checked(right: RightInput, columns: dict[str, str]) -> RightInput:
    """The right, if it fits its kind; errors name the column."""
    try:
        return checked(right)
    except BadInput as error:
        raise _in_column(error, columns) from None


def _in_column(error: BadInput, columns: dict[str, str]) -> BadInput:
    return BadInput(error.code, error.sentence, field=columns.get(error.field or "", error.field))


def _as_json(row: Row, values: dict[str, Any], columns: dict[str, str]) -> RightInput:
    """A row by way of the JSON shape; errors name the column instead of the field."""
    said = {name: row.cell(column) or None for name, column in columns.items()}
    try:
        return right_input(said | values)
    except BadInput as error:
        raise _in_column(error, columns) from None


def _vignette(row: Row, site: Site | None, state_of: str) -> RightInput:
    right = _as_json(
        row,
        {"kind": "vignette", "year": _whole(row.cell("Year"), "Year", 9999)},
        {
            "id": "VignetteID",
            "scheme": "Scheme",
            "product": "Product",
            "country": "PlateCountry",
            "plate": "PlateNumber",
            "category": "Category",
            "scope": "Scope",
            "first_day": "FirstDay",
            "bought_at": "BoughtAt",
        },
    )
    return replace(right, version=None)


def _payment(row: Row, site: Site | None, state_of: str) -> RightInput:
    version = _whole(row.cell("Version"), "Version", MOST_VERSIONS)
    right = _as_json(
        row,
        {"kind": "payment", "site": site.slug if site else None},
        {
            "id": "PaymentID",
            "plate": "PlateNumber",
            "country": "PlateCountry",
            "from": "From",
            "to": "To",
        },
    )
    return replace(right, version=version)


_READERS: dict[Layout, Callable[[Row, Site | None, str], RightInput]] = {
    Layout.PERMITS: _permit,
    Layout.VIGNETTES: _vignette,
    Layout.PAYMENTS: _payment,
}
