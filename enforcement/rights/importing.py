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

import uuid
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Any, BinaryIO

from audit.services import Actor
from cameras.models import Site
from core.errors import BadInput, ProductError
from enforcement.rights.batches import Item, run_import
from enforcement.rights.intake import (
    MOST_PLATES,
    MOST_VERSIONS,
    RightInput,
    bound_of,
    checked,
    country_of,
    plate_of,
    right_input,
    text_of,
    whole_of,
)
from enforcement.rights.models import Provider, Right
from enforcement.rights.seen import Seen
from enforcement.rights.selectors import provider_sites
from enforcement.rights.services import (
    Delivery,
    Registrar,
    import_lock,
    intake_purpose,
    rights_store,
)
from enforcement.rights.tables import Progress, Row, RowError, read_rows


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
    told: Callable[[RowError], None] | None = None,
) -> Iterator[Progress]:
    """Import a file; yields the same growing `Progress` after every batch, `done` at last.

    `site` is where permits and payments count (permits: None for all of the provider's sites);
    the caller has checked that the person may. With `all_or_nothing` everything is one
    transaction, undone if any row is refused; otherwise each batch commits, and only refused rows
    are left out. `state_of`: the country whose states PlateState names; "" where it names
    countries. `told` hears of every refused row. Raises BadInput for the file as a whole
    (`tables.read_rows`) and `site_missing`.
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
    desk = _RightsDesk(registrar, site, intake_purpose(actor))
    return run_import(items, desk, actor=actor, all_or_nothing=all_or_nothing, told=told)


class _RightsDesk:
    """Rights of one deliverer, by way of the same rows as a single delivery."""

    subject = Right._meta.label_lower

    def __init__(self, registrar: Registrar, site: Site | None, purpose: str) -> None:
        self.registrar = registrar
        self.site = site
        self.purpose = purpose

    def prepare(self, value: RightInput) -> Delivery:
        return self.registrar.row(value)

    def name(self, prepared: Delivery) -> Hashable:
        return prepared.names[0]

    def tokens(self, prepared: Delivery) -> Sequence[uuid.UUID]:
        return [plate.token_exact for plate in prepared.plates]

    def store(self, batch: Sequence[Delivery]) -> list[bool | ProductError]:
        provider, now = self.registrar.provider, self.registrar.now
        import_lock(provider, self.site)
        rights_store(batch, provider=provider, now=now)
        return [delivery.refused or delivery.created for delivery in batch]


# --- rows to rights -----------------------------------------------------------------------------


def _items(
    rows: Iterator[Row | RowError], layout: Layout, site: Site | None, state_of: str
) -> Iterator[Item[RightInput] | RowError]:
    """The rights of the rows, in order; errors in their place."""
    read = _READERS[layout]
    items = _read(rows, lambda row: read(row, site, state_of))
    return _shared(items) if layout is Layout.PERMITS else items


def _read(
    rows: Iterator[Row | RowError], read: Callable[[Row], RightInput]
) -> Iterator[Item[RightInput] | RowError]:
    for row in rows:
        if isinstance(row, RowError):
            yield row
            continue
        try:
            right = read(row)
        except ProductError as error:
            yield RowError.of(row.number, error)
        else:
            yield Item(row.number, 1, right)


def _shared(items: Iterator[Item[RightInput] | RowError]) -> Iterator[Item[RightInput] | RowError]:
    """Rows of one permit that follow each other, joined into one shared permit.

    A permit that comes again further down would replace its first rows, and take their plates'
    permit away: that is refused (`permit_scattered`), as is a row that disagrees with the rows
    above it (`permit_differs`, `plate_twice`).
    """
    seen = Seen()
    open_: Item[RightInput] | None = None
    for item in items:
        if isinstance(item, RowError):
            yield item
            continue
        right = item.value
        if open_ is not None and open_.value.id == right.id:
            error = _misfit(open_.value, right)
            if error is not None:
                yield RowError.of(item.first, error)
            else:
                joined = replace(
                    open_.value,
                    plates=(*open_.value.plates, *right.plates),
                    max_present=open_.value.max_present or 1,
                )
                open_ = replace(open_, rows=open_.rows + 1, value=joined)
            continue
        if open_ is not None:
            yield open_
            open_ = None
        if not seen.add(right.id):
            yield RowError(
                item.first, "permit_scattered", "Rows of one permit must follow each other."
            )
            continue
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


def _permit(row: Row, site: Site | None, state_of: str) -> RightInput:
    permit_id = text_of(row.cell("PermitID"), "PermitID", 200)
    if not permit_id:
        raise BadInput("id_missing", "A permit needs its id.", field="PermitID")
    state = row.cell("PlateState")
    zone = site.zone_info if site else None
    right = RightInput(
        kind=Right.Kind.PERMIT,
        id=permit_id,
        plates=(plate_of(row.cell("PlateNumber"), "PlateNumber"),),
        version=None,
        country=country_of(state_of if state_of and state else state, "PlateState"),
        site=site.slug if site else "",
        start=bound_of(row.cell("EffectiveDate"), "EffectiveDate", zone),
        end=bound_of(row.cell("ExpiryDate"), "ExpiryDate", zone, days_later=1),
        product=text_of(row.cell("Category"), "Category", 20),
        max_present=whole_of(row.cell("MaxPresent"), "MaxPresent", 32_000) or None,
    )
    if right.start is not None and right.end is not None and right.end <= right.start:
        raise BadInput("ends_before_start", "It ends before it starts.", field="ExpiryDate")
    return checked(right)


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
        {"kind": "vignette", "year": whole_of(row.cell("Year"), "Year", 9999)},
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
    version = whole_of(row.cell("Version"), "Version", MOST_VERSIONS)
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
