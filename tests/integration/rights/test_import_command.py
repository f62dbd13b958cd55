"""`manage rights_import` and `hotlist_import`: the report, the exit code, nothing by half."""

from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from audit.models import AuditRow
from cameras.models import Site
from core.models import User
from enforcement.rights.models import Right, RightPlate
from enforcement.watchlist.models import Entry, Watchlist
from tests.integration.rights.rightsmaker import Seller

pytestmark = pytest.mark.django_db(databases=["default", "keys"])

HEADER = "Category;PlateState;PlateNumber;EffectiveDate;ExpiryDate;PermitID"


class Told:
    """What a command said, and how it ended."""

    def __init__(self, name: str, *arguments: str, **more: Any) -> None:
        self.out, self.err = StringIO(), StringIO()
        self.code = 0
        try:
            call_command(name, *arguments, stdout=self.out, stderr=self.err, **more)
        except SystemExit as end:
            self.code = int(end.code or 0)

    @property
    def summary(self) -> str:
        return self.out.getvalue().strip()


@pytest.fixture
def permits(tmp_path: Path) -> Path:
    path = tmp_path / "permits.csv"
    path.write_text(
        "\n".join(
            [
                HEADER,
                "resident;CZ;1AB2345;2026-01-01;2026-12-31;R1",
                "resident;CZ;   ;2026-01-01;2026-12-31;R2",
                "resident;CZ;3CD4567;2026-12-31;2026-01-01;R3",
                "resident;CZ;4EF5678;2026-01-01;2026-12-31;R4",
            ]
        )
    )
    return path


def test_good_rows_are_stored_and_each_bad_one_reported(
    site: Site, permits: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.csv"
    told = Told(
        "rights_import", "--layout=permits", "--site=north", f"--report={report}", str(permits)
    )
    assert told.code == 3
    assert told.summary == "4 rows: 2 stored, 0 known already, 2 refused"
    lines = report.read_text().splitlines()
    assert [line.split(";")[:3] for line in lines] == [
        ["row", "code", "column"],
        ["3", "plate_empty", "PlateNumber"],
        ["4", "ends_before_start", "ExpiryDate"],
    ]
    everything = report.read_text() + told.out.getvalue() + told.err.getvalue()
    assert "3CD4567" not in everything
    assert "1AB2345" not in everything
    assert Right.objects.count() == 2
    again = Told("rights_import", "--layout=permits", "--site=north", str(permits))
    assert again.summary == "4 rows: 0 stored, 2 known already, 2 refused"
    assert "row 3: " in again.err.getvalue()


def test_all_or_nothing_stores_nothing(site: Site, permits: Path) -> None:
    told = Told(
        "rights_import", "--layout=permits", "--site=north", "--all-or-nothing", str(permits)
    )
    assert told.code == 3
    assert "Nothing was stored" in told.err.getvalue()
    assert not Right.objects.exists()
    permits.write_text("\n".join(permits.read_text().splitlines()[:2]))
    told = Told(
        "rights_import", "--layout=permits", "--site=north", "--all-or-nothing", str(permits)
    )
    assert (told.code, told.summary) == (0, "1 rows: 1 stored, 0 known already, 0 refused")


def test_a_provider_s_file_is_its_own(site: Site, other_site: Site, seller: Seller) -> None:
    file = TextIOWrapper(BytesIO(f"{HEADER}\nresident;CZ;1AB2345;;;R1".encode()))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("sys.stdin", file)
        told = Told(
            "rights_import",
            "--layout=permits",
            "--site=north",
            f"--provider={seller.provider.slug}",
            "-",
        )
    assert told.code == 0
    assert Right.objects.get().provider == seller.provider
    with pytest.raises(CommandError, match="no such site"):
        call_command(
            "rights_import",
            "--layout=permits",
            "--site=south",
            f"--provider={seller.provider}",
            "-",
        )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--site=nowhere",), "no such site"),
        (("--provider=nobody",), "no such provider"),
        (("--site=north", "--report=/nowhere/at/all"), "report cannot be written"),
    ],
)
def test_what_is_missing_is_a_sentence(
    site: Site, permits: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(CommandError, match=sentence):
        call_command("rights_import", "--layout=permits", *arguments, str(permits))
    assert not Right.objects.exists()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "file_empty"),
        (b"a;b;c\n1;2;3", "columns_missing"),
        ((HEADER + "\nresident;CZ;1AB2345;;;R1").encode("utf-16"), "not_utf8"),
        (b"\x00" * 100, "columns_missing"),
    ],
)
def test_a_file_that_is_none_is_refused_as_a_whole(
    site: Site, tmp_path: Path, data: bytes, code: str
) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(data)
    with pytest.raises(CommandError, match=rf"\[{code}\]"):
        call_command("rights_import", "--layout=permits", "--site=north", str(path))
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("rights_import", "--layout=permits", "--site=north", str(tmp_path / "none"))


def test_a_line_without_an_end_is_reported_where_it_begins(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_text(f"{HEADER}\nresident;CZ;1AB2345;;;R1\n" + "x" * 5_000_000)
    told = Told("rights_import", "--layout=permits", "--site=north", str(path))
    assert told.code == 3
    assert "row 3: From here on the file can't be read as CSV. [row_unreadable]" in (
        told.err.getvalue()
    )
    assert Right.objects.count() == 1


def test_a_permit_that_comes_again_further_down_is_refused_however_far(
    site: Site, tmp_path: Path
) -> None:
    path = tmp_path / "file.csv"
    rows = [f"resident;CZ;1AB{number:04};;;R{number}" for number in range(2500)]
    path.write_text("\n".join([HEADER, *rows, "resident;CZ;9ZZ9999;;;R0"]))
    told = Told("rights_import", "--layout=permits", "--site=north", str(path))
    assert "row 2502: " in told.err.getvalue()
    assert "1 × permit_scattered" in told.err.getvalue()
    assert RightPlate.objects.count() == 2500


def test_a_hotlist_goes_onto_its_list_in_somebody_s_name(site: Site, tmp_path: Path) -> None:
    watchlist = Watchlist.objects.create(
        organisation=site.organisation, name="stolen", purpose="police", needs_approval=True
    )
    User.objects.create_user("olga", "olga@example.org", "a long enough password")
    path = tmp_path / "hotlist.csv"
    path.write_text("PlateNumber,Priority\nST0LEN1,90\n ,5\nST0LEN2,101\nST0LEN3,10")
    arguments = ("--list=stolen", "--user=olga", "--days=30", str(path))
    told = Told("hotlist_import", *arguments)
    assert (told.code, told.summary) == (3, "4 rows: 2 stored, 0 known already, 2 refused")
    assert Entry.objects.filter(watchlist=watchlist, approved_at=None).count() == 2
    assert AuditRow.objects.filter(action="import", actor="olga").exists()
    for wrong in ("--list=lost", "--user=nobody", "--days=0"):
        with pytest.raises(CommandError):
            call_command("hotlist_import", *arguments, wrong)
