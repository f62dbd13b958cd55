"""Reading CSV files of plates: from memory, row by row, with a report that never quotes a plate.

Files are read as UTF-8 (with or without byte order mark) with one of the separators `;` `,` tab or
`:`, found in the header line. Column names are compared without case, spaces and underscores.
"""

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO, TextIOWrapper
from typing import BinaryIO

from core.errors import BadInput, ProductError

SEPARATORS = (";", "\t", ",", ":")
MOST_REPORTED = 1000
"""Rows named in a report; the rest is only counted."""

_LONGEST_LINE = 100_000
_FOREIGN_MARKS = (b"\xff\xfe", b"\xfe\xff")
_UNDECODED = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True, slots=True)
class Row:
    """One data row: `number` counts lines of the table, the header being 1."""

    number: int
    cells: Mapping[str, str] = field(repr=False)

    def cell(self, name: str) -> str:
        """The stripped text of a column, "" where the file has no such column."""
        return self.cells.get(_folded(name), "")


@dataclass(frozen=True, slots=True)
class RowError:
    """Why a row was refused. Plate-free, like every error of ours."""

    row: int
    code: str
    sentence: str
    field: str | None = None

    @classmethod
    def of(cls, row: int, error: ProductError) -> "RowError":
        """The row's part of a report for an error."""
        return cls(row, error.code, error.sentence, error.field)


@dataclass(slots=True)
class Progress:
    """How far an import has come. The last one yielded is its report.

    `rows` were read: `stored` are new or changed, `repeated` were known already, `refused` have an
    error; the first `MOST_REPORTED` errors are kept. `applied` is False where all or nothing was
    asked and a row was refused: then nothing of the file was stored.
    """

    rows: int = 0
    stored: int = 0
    repeated: int = 0
    refused: int = 0
    errors: list[RowError] = field(default_factory=list)
    done: bool = False
    applied: bool = True
    told: Callable[[RowError], None] | None = None
    """Hears of every refused row, also beyond those kept."""

    def refuse(self, row: int, error: ProductError) -> None:
        """Count a refused row, tell of it, and keep its error while there is room."""
        self.refused += 1
        refused = RowError.of(row, error)
        if len(self.errors) < MOST_REPORTED:
            self.errors.append(refused)
        if self.told is not None:
            self.told(refused)


def _folded(name: str) -> str:
    return re.sub(r"[\s_]", "", name).lower()


def read_rows(
    source: bytes | BinaryIO, *, columns: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[Row | RowError]:
    """The rows of a table with a header that names all `columns`, and perhaps some `optional` ones.

    Yields a RowError in place of a row that can't be read: `not_utf8`, `wrong_columns`; and, as
    the last, `row_unreadable` where the rest of the file can't be told apart. Other columns of the
    file are ignored. BadInput for the file as a whole: `not_utf8`, `file_empty`,
    `columns_missing`, `column_twice`.
    """
    binary = BytesIO(source) if isinstance(source, bytes) else source
    # undecodable bytes become lone surrogates, so that they are reported at their row
    text = TextIOWrapper(binary, "utf-8-sig", errors="surrogateescape", newline="")
    try:
        yield from _rows(text, columns, optional)
    finally:
        text.detach()  # the caller's file stays the caller's to close


def _rows(
    text: TextIOWrapper, columns: Sequence[str], optional: Sequence[str]
) -> Iterator[Row | RowError]:
    first = text.readline(10_000)
    if first.encode("utf-8", "surrogateescape").startswith(_FOREIGN_MARKS):
        raise BadInput("not_utf8", "The file is UTF-16: save it as UTF-8.")
    if _UNDECODED.search(first):
        raise BadInput("not_utf8", "The header line is not UTF-8: save the file as UTF-8.")
    if not first.strip():
        raise BadInput("file_empty", "The file has no header line.")
    separator, header = _header(first, columns)
    if len(set(header) - {""}) != len([name for name in header if name]):
        raise BadInput("column_twice", "The header names a column twice.")
    wanted = {_folded(name) for name in (*columns, *optional)}
    lines = iter(partial(text.readline, _LONGEST_LINE + 1), "")
    reader = csv.reader(map(_bounded, lines), delimiter=separator, strict=True)
    number = 1
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield RowError(number, "row_unreadable", "From here on the file can't be read as CSV.")
            return
        if not any(cell.strip() for cell in cells):
            continue
        if any(_UNDECODED.search(cell) for cell in cells):
            yield RowError(number, "not_utf8", "The row is not UTF-8: save the file as UTF-8.")
        elif len(cells) != len(header):
            yield RowError(
                number,
                "wrong_columns",
                f"The row has {len(cells)} cells, the header {len(header)}.",
            )
        else:
            named = zip(header, cells, strict=True)
            yield Row(number, {name: cell.strip() for name, cell in named if name in wanted})


def _bounded(line: str) -> str:
    """A line of a table; csv.Error for one that no table has, before it fills the memory."""
    if len(line) > _LONGEST_LINE:
        raise csv.Error("a line without an end")
    return line


def _header(line: str, columns: Sequence[str]) -> tuple[str, list[str]]:
    """The separator of the file and its folded column names; BadInput `columns_missing`."""
    least: list[str] = list(columns)
    for separator in SEPARATORS:
        names = [_folded(name.strip().strip('"')) for name in line.strip("\r\n").split(separator)]
        missing = [name for name in columns if _folded(name) not in names]
        if not missing:
            return separator, names
        if len(missing) < len(least):
            least = missing
    raise BadInput(
        "columns_missing", f"The header line must name: {', '.join(least)}.", field=least[0]
    )
