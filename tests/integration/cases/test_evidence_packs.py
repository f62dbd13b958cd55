"""Evidence packs: made to the byte, verified without us, and any flipped byte is caught."""

import hashlib
import json
import shutil
import stat
import subprocess
import sys
import zipfile
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.access import stage_batch
from audit.models import AuditRow
from audit.services import Actor
from core.errors import BadInput, NotFound
from core.models import User
from enforcement.cases import packs
from enforcement.cases.chain import chain_append, chain_extend, chain_verify, digest_of
from enforcement.cases.checking import records_differ
from enforcement.cases.decisions import case_confirm, case_dismiss
from enforcement.cases.manifest import Document, EvidenceChanged
from enforcement.cases.models import Case, ChainEntry, Evidence, Manifest, SigningKey
from enforcement.cases.packs import pack_make
from enforcement.cases.pictures import pictures_join
from enforcement.cases.records import evidence_record
from enforcement.cases.services import cases_act
from enforcement.cases.verifying import pack_bytes, verify_bytes
from enforcement.retention.services import forget
from tests.integration.cameras.conftest import picture
from tests.integration.cases.test_case_pictures import LARGE, arrive, ask, unpaid_stay
from tests.integration.notices import issued as issuing
from tests.integration.visits.world import World, at, car_park
from vault import keyring

pytestmark = pytest.mark.django_db(databases=["default", "keys"])

PLATE = "1AB2345"
ANNA = Actor("command", "anna")
PICTURES = [picture(number, size=(320, 180)) for number in (1, 2)]
OTHER_KEY = "k2:" + "QUJD" * 10 + "QUI="


@pytest.fixture(autouse=True)
def signing_key(monkeypatch: pytest.MonkeyPatch) -> Any:
    def use(*lines: str) -> None:
        monkeypatch.setenv("PLATEWARDEN_SIGNING_KEY", "\n".join(lines))
        keyring.signing.cache_clear()

    use("k1:" + "AAAA" * 10 + "AAA=")
    yield use
    keyring.signing.cache_clear()


@pytest.fixture
def park() -> World:
    world = car_park()
    # another case first, so that this one's entries don't begin the chain
    for hour, plate, pictures in ((9, "2CD6789", (b"", b"")), (11, PLATE, PICTURES)):
        world.read("in", plate, at(f"{hour}:00"), picture=pictures[0])
        world.read("out", plate, at(f"{hour + 1}:00"), picture=pictures[1])
        world.settle(at(f"{hour + 1}:05"))
        cases_act(now=world.now)
    return world


def the_case() -> Case:
    return Case.objects.order_by("number").last()  # type: ignore[return-value]


def make(world: World, **changes: Any) -> packs.Pack:
    given = {"case_id": the_case().pk, "actor": ANNA, "purpose": "case-review", "now": world.now}
    return pack_make(**(given | changes))


def content(pack: packs.Pack) -> dict[str, bytes]:
    with zipfile.ZipFile(BytesIO(pack.data)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def test_a_pack_holds_what_the_case_rests_on(park: World) -> None:
    files = content(make(park))
    manifest = json.loads(files["manifest.json"])
    assert manifest["case"]["plate"] == PLATE
    assert manifest["case"]["site"]["timezone"] == park.site.timezone
    assert [one["kind"] for one in manifest["attested"]] == [
        "evidence",
        "evidence",
        "verdict",
        "decision",
    ]
    first = manifest["attested"][0]["record"]
    read = Evidence.objects.filter(case=the_case()).order_by("captured_at").first()
    assert read is not None
    assert first["text"] == PLATE
    assert first["camera"] == read.camera_name
    assert first["models"] == read.models_used
    assert first["captured_at"] == read.captured_at.isoformat(timespec="microseconds")
    assert first["picture_sha256"] == hashlib.sha256(PICTURES[0]).hexdigest()
    verdict = manifest["attested"][2]["record"]
    assert verdict["reason"] == "no-right"
    assert verdict["explanation"] == the_case().explanation
    assert verdict["rules"]
    assert [data for name, data in sorted(files.items()) if "picture." in name] == PICTURES
    assert set(manifest["files"]) == set(files) - {"manifest.json", "signature.json", "chain.json"}


def test_the_same_case_gives_the_same_bytes_until_something_happens(
    park: World, signing_key: Any
) -> None:
    first = make(park)
    count = ChainEntry.objects.count()
    signing_key(OTHER_KEY, "k1:" + "AAAA" * 10 + "AAA=")
    again = make(park, now=park.now + timedelta(days=1), purpose="authority-request", case_ref="A7")
    assert again.data == first.data
    assert ChainEntry.objects.count() == count
    olga = User.objects.create_user("olga", "olga@example.org", "a long enough password")
    case_confirm(case_id=the_case().pk, user=olga, reason="evidence-complete", now=park.now)
    later = make(park)
    assert later.data != first.data
    assert later.key != first.key  # the new key signs what is new
    assert not verify_bytes(later.data).problems
    assert not verify_bytes(first.data).problems
    assert Manifest.objects.count() == 2
    assert {key.fingerprint for key in SigningKey.objects.all()} == {first.key, later.key}


def test_a_pack_verifies_on_a_machine_that_has_only_the_verifier(
    park: World, tmp_path: Path
) -> None:
    pack = make(park)
    (tmp_path / "pack.zip").write_bytes(pack.data)
    here = Path(__file__).parents[3]
    shutil.copy(here / "enforcement/cases/verifying.py", tmp_path / "verifying.py")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "verifying.py", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env={}, capture_output=True, text=True, check=False
        )

    sound = run("pack.zip")
    assert sound.returncode == 0, sound.stdout + sound.stderr
    assert pack.key in sound.stdout
    assert the_case().number in sound.stdout
    assert "not compared" in sound.stdout
    trusted = run("pack.zip", "--key", pack.key)
    assert (trusted.returncode, "not compared" in trusted.stdout) == (0, False)
    other = run("pack.zip", "--key", "0" * 64)
    assert other.returncode == 1
    assert "none of those named" in other.stdout
    assert run("nothing.zip").returncode == 2


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("pictures/01-entry-picture.jpg", "pictures/01-entry-picture.jpg was changed"),
        ("manifest.json", "manifest.json was changed after it was signed"),
        ("signature.json", "signature.json"),
        ("chain.json", "chain.json was changed"),
        ("README.txt", "README.txt was changed"),
    ],
)
def test_the_verifier_names_what_was_changed(park: World, name: str, told: str) -> None:
    files = content(make(park))
    data = bytearray(files[name])
    # where a digit is: still JSON, still a picture
    place = next(at for at in range(len(data) // 2, len(data)) if chr(data[at]) in "12345678")
    data[place] ^= 1
    report = verify_bytes(pack_bytes(files | {name: bytes(data)}))
    assert any(told in problem for problem in report.problems), report.problems


def test_the_verifier_names_what_is_missing_or_too_many(park: World) -> None:
    files = content(make(park))
    less = {name: data for name, data in files.items() if name != "pictures/01-entry-picture.jpg"}
    assert verify_bytes(pack_bytes(less)).problems == ["pictures/01-entry-picture.jpg is missing"]
    more = pack_bytes(files | {"pictures/99.jpg": b"x"})
    assert verify_bytes(more).problems == ["pictures/99.jpg is not named in the manifest"]
    bare = pack_bytes({name: data for name, data in files.items() if name != "chain.json"})
    assert verify_bytes(bare).problems == ["chain.json is missing"]


@pytest.mark.parametrize("raw", [b"", b"PK", b"x" * 5000, pack_bytes({"a": b"b"})])
def test_what_is_no_pack_is_told_so(raw: bytes) -> None:
    assert verify_bytes(raw).problems


def test_any_flipped_byte_is_caught(park: World) -> None:
    raw = make(park).data
    assert verify_bytes(raw).problems == []

    @settings(
        max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(st.integers(0, len(raw) - 1), st.integers(1, 255))
    def flip(place: int, by: int) -> None:
        changed = bytearray(raw)
        changed[place] ^= by
        assert verify_bytes(bytes(changed)).problems

    flip()
    # every byte of what is not a picture, once: container, manifest, signature, chain
    with zipfile.ZipFile(BytesIO(raw)) as opened:
        spans = [
            range(info.header_offset + 40, info.header_offset + info.file_size)
            for info in opened.infolist()
            if info.filename.startswith("pictures")
        ]
    skipped = {place for span in spans for place in span}
    missed = []
    for place in (place for place in range(0, len(raw), 7) if place not in skipped):
        changed = bytearray(raw)
        changed[place] ^= 1 << place % 8
        if not verify_bytes(bytes(changed)).problems:
            missed.append(place)
    assert missed == []


def test_cutting_and_appending_are_caught(park: World) -> None:
    raw = make(park).data
    assert verify_bytes(raw[:-1]).problems
    assert verify_bytes(raw + b"x").problems
    assert verify_bytes(b"x" + raw).problems


def test_a_pack_signed_anew_by_somebody_else_is_not_ours(park: World, signing_key: Any) -> None:
    ours = make(park).key
    signing_key(OTHER_KEY)
    forged = make(park, case_id=Case.objects.order_by("number")[0].pk)
    assert not verify_bytes(forged.data).problems
    assert verify_bytes(forged.data, {ours}).problems == [
        f"signed with the key {forged.key}, which is none of those named"
    ]


def tamper(sql: str, trigger: str, table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
        cursor.execute(sql)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER {trigger}")


@pytest.mark.parametrize(
    ("sql", "trigger", "table", "told"),
    [
        (
            "UPDATE cases_evidence SET received_at = received_at - interval '1 hour'",
            "cases_evidence_no_change",
            "cases_evidence",
            "evidence 1",
        ),
        ("UPDATE cases_evidence SET score = 0.5", "USER", "cases_evidence", "evidence 1"),
        ("UPDATE cases_caseevent SET actor = 'olga'", "USER", "cases_caseevent", "decision 1"),
        ("UPDATE cases_case SET explanation = '[]'", "USER", "cases_case", "verdict unpaid"),
    ],
)
def test_what_was_changed_behind_our_back_is_not_signed(
    park: World, sql: str, trigger: str, table: str, told: str
) -> None:
    assert list(records_differ(park.site, ANNA)) == []
    tamper(sql, trigger, table)
    with pytest.raises(EvidenceChanged, match=told):
        make(park)
    assert Manifest.objects.count() == 0
    found = list(records_differ(park.site, ANNA))
    assert any(told in problem for problem in found)
    with pytest.raises(CommandError, match="not what it was"):
        call_command("evidence", "verify-chain", park.site.slug, "--records")


def test_the_database_keeps_a_read_as_it_was_kept(park: World) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Evidence.objects.update(camera_name="elsewhere")
    Evidence.objects.update(quad=None)  # a picture that comes later may bring another


def test_every_export_says_who_asked_for_which_plate_and_why(park: World) -> None:
    before = AuditRow.objects.count()
    make(park, actor=Actor("person", "olga"), purpose="authority-request", case_ref="Az 7/26")
    (row,) = AuditRow.objects.order_by("id")[before:]
    assert (row.actor, row.action, row.purpose, row.case_ref) == (
        "olga",
        "export",
        "authority-request",
        "Az 7/26",
    )
    assert row.tokens == [the_case().token_exact]
    assert row.subject_id == str(the_case().pk)
    with pytest.raises(BadInput):
        make(park, actor=Actor("person", "olga"), purpose="")
    with pytest.raises(NotFound):
        make(park, case_id=park.site.pk)


def test_a_picture_that_came_later_is_attested_and_in_the_pack() -> None:
    later = car_park()
    read = unpaid_stay(later)
    cases_act(now=later.now)
    bare = make(later)
    ask(later, read)
    arrive(later, read)
    assert pictures_join(now=later.now) == 1
    assert list(records_differ(later.site, ANNA)) == []
    pack = make(later)
    assert verify_bytes(pack.data).problems == []
    assert verify_bytes(bare.data).problems == []  # still what it was then
    assert content(pack)["pictures/01-entry-picture.jpg"] == LARGE


def test_a_notice_is_in_the_pack_as_it_went_out(
    park: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, pdf = the_case(), b"%PDF-1.7 the notice"
    monkeypatch.setattr(
        packs, "DOCUMENT_SOURCES", [lambda case, access: [Document("notice.pdf", pdf)]]
    )
    with pytest.raises(EvidenceChanged, match=r"notice notice\.pdf"):
        make(park)
    chain_append(case.site, "notice", hashlib.sha256(pdf).digest(), now=park.now)
    files = content(make(park))
    assert files["notices/notice.pdf"] == pdf
    report = verify_bytes(pack_bytes(files | {"notices/notice.pdf": pdf + b" "}))
    assert report.problems == [
        "notices/notice.pdf was changed: it is not what the manifest names",
    ]


def test_the_notice_that_was_issued_is_in_the_pack() -> None:
    park, clerk = issuing.site_with_policy(), issuing.clerk()
    notice = issuing.issued(park, clerk)
    with stage_batch("test") as access:
        pdf = access.file(notice, "pdf")
    pack = make(park)
    assert verify_bytes(pack.data).problems == []
    assert content(pack)[f"notices/{notice.number}.pdf"] == pdf
    assert pack.data == make(park).data


def test_a_case_older_than_its_sites_chain_is_exported_and_says_so(park: World) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE cases_chainentry DISABLE TRIGGER cases_chain_no_change")
        cursor.execute("DELETE FROM cases_chainentry")
        cursor.execute("ALTER TABLE cases_chainentry ENABLE TRIGGER cases_chain_no_change")
    report = verify_bytes(make(park).data)
    assert report.problems == []
    assert any("before the chain began" in note for note in report.notes)


def test_a_kept_picture_without_its_digest_is_not_signed(park: World) -> None:
    tamper("UPDATE cases_evidence SET crop_sha256 = NULL", "USER", "cases_evidence")
    with pytest.raises(EvidenceChanged):
        make(park)


def test_deleting_a_case_leaves_the_chain_whole(park: World) -> None:
    olga = User.objects.create_user("olga", "olga@example.org", "a long enough password")
    make(park)
    for case in Case.objects.all():
        case_dismiss(case_id=case.pk, user=olga, reason="misread", now=park.now)
    entries = ChainEntry.objects.count()
    kept = Manifest.objects.count()
    forget(now=park.now + timedelta(days=400))
    assert (Case.objects.count(), Manifest.objects.count(), kept) == (0, 0, 1)
    assert ChainEntry.objects.count() == entries
    assert chain_verify(park.site.pk).broken_at is None
    call_command("evidence", "verify-chain", "--records")


def test_a_chain_that_was_written_anew_is_not_what_was_signed(park: World) -> None:
    """With triggers and digests all in order: but the key is in no database."""
    make(park)
    assert list(records_differ(park.site, ANNA)) == []
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE kept AS SELECT * FROM cases_chainentry;"
            "ALTER TABLE cases_chainentry DISABLE TRIGGER cases_chain_no_change;"
            "DELETE FROM cases_chainentry;"
            "ALTER TABLE cases_chainentry ENABLE TRIGGER cases_chain_no_change;"
            "INSERT INTO cases_chainentry (site_id, kind, content, at)"
            " SELECT site_id, kind, content, at + interval '1 s' * (seq = 2)::int"
            " FROM kept ORDER BY seq"
        )
    assert chain_verify(park.site.pk).broken_at is None
    assert list(records_differ(park.site, ANNA)) == [
        f"case {the_case().number}: entry 9 of the chain is not what was signed"
    ]
    with pytest.raises(EvidenceChanged, match=r"signature\.json"):
        make(park)


def test_an_entry_says_nothing_about_the_plate(park: World) -> None:
    """Who has the database and guesses the plate still lacks the salt, which is sealed."""
    evidence = Evidence.objects.filter(case=the_case()).first()
    assert evidence is not None
    guess = evidence_record(the_case(), evidence, text=PLATE, salt="")
    assert not ChainEntry.objects.filter(content=digest_of(guess)).exists()


def test_the_command_exports_and_verifies(
    park: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    number, folder = the_case().number, tmp_path / "packs"
    folder.mkdir()
    export = ("evidence", "export", "--purpose", "case-review", "--to", str(folder))
    call_command(*export, number)
    (path,) = folder.iterdir()
    assert path.name == f"evidence-{number}.zip"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    call_command("evidence", "verify", str(path))
    assert "sound" in capsys.readouterr().out
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CommandError):
        call_command("evidence", "verify", str(path))
    with pytest.raises(CommandError, match="1 not exported"):
        call_command(*export, "2020-1")
    with pytest.raises(CommandError, match="purpose"):
        call_command("evidence", "export", number, "--to", str(folder))
    with pytest.raises(CommandError, match="no site"):
        call_command("evidence", "verify-chain", "nowhere")
    call_command("evidence", "keys")
    assert "active" in capsys.readouterr().out


def test_a_broken_chain_is_told(park: World, capsys: pytest.CaptureFixture[str]) -> None:
    chain_extend(park.site.pk, [("notice", bytes(32))], now=park.now)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE cases_chainentry DISABLE TRIGGER cases_chain_no_change")
        cursor.execute("UPDATE cases_chainentry SET kind = 'decision' WHERE seq = 6")
        cursor.execute("ALTER TABLE cases_chainentry ENABLE TRIGGER cases_chain_no_change")
    with pytest.raises(CommandError):
        call_command("evidence", "verify-chain")
    assert f"{park.site.slug}: BROKEN at entry 6" in capsys.readouterr().err
    with pytest.raises(EvidenceChanged):
        make(park)
