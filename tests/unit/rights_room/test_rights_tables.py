"""CSV tables: separators, encodings, and errors at the row they belong to."""

from io import BytesIO

import pytest

from core.errors import BadInput
from enforcement.rights.tables import MOST_REPORTED, Progress, Row, RowError, read_rows

PERMIT = ("PlateNumber", "PermitID")


def read(data: bytes, columns: tuple[str, ...] = PERMIT) -> list[Row | RowError]:
    return list(read_rows(data, columns=columns, optional=("Category",)))


@pytest.mark.parametrize("separator", [";", ",", "\t", ":"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_separator_line_ending_and_byte_order_mark(separator: str, ending: str, mark: str) -> None:
    lines = [["Category", "PlateNumber", "PermitID"], ["Staff", "ÄB 12", "p1"], ["", "CD34", "p2"]]
    text = mark + ending.join(separator.join(line) for line in lines)
    first, second = read(text.encode())
    assert isinstance(first, Row)
    assert isinstance(second, Row)
    assert (first.number, first.cell("Category"), first.cell("PlateNumber")) == (
        2,
        "Staff",
        "ÄB 12",
    )
    assert (second.number, second.cell("Category"), second.cell("PermitID")) == (3, "", "p2")


def test_names_of_columns_are_compared_loosely_and_others_ignored() -> None:
    (row,) = read(b"plate_number;Permit Id;Colour\nAB12;p1;red\n")
    assert isinstance(row, Row)
    assert row.cell("PlateNumber") == "AB12"
    assert row.cell("Colour") == ""


def test_quoted_cells_may_hold_separators_and_lines() -> None:
    first, second = read(b'PlateNumber;PermitID\n"AB;12";"p\n1"\nCD34;p2\n')
    assert isinstance(first, Row)
    assert (first.cell("PlateNumber"), first.cell("PermitID")) == ("AB;12", "p\n1")
    assert isinstance(second, Row)


def test_a_row_in_another_encoding_is_refused_alone() -> None:
    found = read(b"PlateNumber;PermitID\nAB12;p1\n" + b"\xc4B12;p2\n" + b"CD34;p3\n")
    assert [type(one).__name__ for one in found] == ["Row", "RowError", "Row"]
    assert found[1] == RowError(
        3, "not_utf8", "The row is not UTF-8: save the file as UTF-8.", None
    )


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "file_empty"),
        (b"\n\n", "file_empty"),
        ("PlateNumber;PermitID\n".encode("utf-16"), "not_utf8"),
        ("PlateNumber;PermitID;Straße\n".encode("latin-1"), "not_utf8"),
        (b"Plate;Permit\nAB12;p1\n", "columns_missing"),
        (b"PlateNumber;PermitID;platenumber\n", "column_twice"),
        (b"AB12;p1\n", "columns_missing"),
    ],
)
def test_files_that_are_refused_as_a_whole(data: bytes, code: str) -> None:
    with pytest.raises(BadInput) as caught:
        read(data)
    assert caught.value.code == code
    assert "AB12" not in str(caught.value)


def test_rows_of_another_width_are_refused_alone() -> None:
    found = read(b"PlateNumber;PermitID\nAB12\nCD34;p2;x\nEF56;p3\n\n;\n")
    assert [getattr(one, "code", None) for one in found] == ["wrong_columns"] * 2 + [None]


def test_an_open_quote_is_reported_where_it_opens_and_ends_the_file() -> None:
    found = read(b'PlateNumber;PermitID\nAB12;p1\n"CD34;p2\nEF56;p3\n')
    assert [getattr(one, "code", None) for one in found] == [None, "row_unreadable"]
    assert isinstance(found[1], RowError)
    assert found[1].row == 3


def test_the_callers_file_stays_open_and_nothing_else_is_made_of_it() -> None:
    source = BytesIO(b"PlateNumber;PermitID\nAB12;p1\n")
    assert len(list(read_rows(source, columns=PERMIT))) == 1
    assert not source.closed


def test_a_report_counts_everything_and_names_the_first() -> None:
    progress = Progress()
    for row in range(MOST_REPORTED + 5):
        progress.refuse(row, BadInput("plate_empty", "The plate is empty.", field="PlateNumber"))
    assert progress.refused == MOST_REPORTED + 5
    assert len(progress.errors) == MOST_REPORTED


def test_a_row_does_not_show_its_cells() -> None:
    (row,) = read(b"PlateNumber;PermitID\nAB12CDE;p1\n")
    assert "AB12CDE" not in repr(row)
