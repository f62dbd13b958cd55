"""The offline verifier: linked chains, one form of JSON, and a report whatever it is given."""

import hashlib
import json
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enforcement.cases import verifying
from enforcement.cases.verifying import (
    GENESIS,
    _Entry,
    _linked,
    before,
    canonical,
    link_digest,
    main,
    pack_bytes,
    readable,
    verify_bytes,
)

SITE = uuid.UUID(int=7)
NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


def chain(count: int) -> dict[int, _Entry]:
    """A chain as the database makes it (migration 0003), made by hand."""
    digests, entries = {0: GENESIS}, {}
    for seq in range(1, count + 1):
        content = hashlib.sha256(str(seq).encode()).digest()
        previous, skip = digests[seq - 1], digests[seq & (seq - 1)]
        digests[seq] = link_digest(SITE, seq, previous, skip, NOW, content, "evidence")
        entries[seq] = _Entry("evidence", content, previous, skip, digests[seq])
    return entries


CHAIN = chain(300)


def way(head: int, target: int) -> list[int]:
    found = [head]
    while found[-1] > target:
        found.append(before(found[-1], target))
    return found


@given(st.integers(1, 300), st.integers(1, 300))
def test_an_entry_is_linked_to_every_earlier_one_and_to_no_later_one(one: int, other: int) -> None:
    head, target = max(one, other), min(one, other)
    hops = way(head, target)
    assert hops[-1] == target
    assert _linked({seq: CHAIN[seq] for seq in hops}, head, target)
    assert _linked(CHAIN, target, head) == (head == target)


@given(st.integers(2, 300), st.data())
def test_a_way_with_a_missing_or_a_forged_entry_is_no_way(head: int, data: Any) -> None:
    target = data.draw(st.integers(1, head - 1))
    hops = way(head, target)
    spoilt = data.draw(st.sampled_from(hops))
    entries = {seq: CHAIN[seq] for seq in hops}
    forged = _Entry("evidence", bytes(32), bytes(32), bytes(32), hashlib.sha256(b"x").digest())
    assert not _linked({seq: one for seq, one in entries.items() if seq != spoilt}, head, target)
    assert not _linked(entries | {spoilt: forged}, head, target)


@given(st.integers(1, 1 << 40), st.integers(0, 1 << 40))
def test_a_way_is_short(target: int, more: int) -> None:
    assert len(way(target + more, target)) <= 41 * 42


def test_every_field_of_an_entry_is_in_its_digest() -> None:
    given_ = (SITE, 5, bytes(32), b"s" * 32, NOW, b"c" * 32, "evidence")
    others = (
        uuid.UUID(int=8),
        6,
        b"p" * 32,
        bytes(32),
        NOW + timedelta(microseconds=1),
        b"d" * 32,
        "verdict",
    )
    digests = {link_digest(*given_)}
    for place, other in enumerate(others):
        changed: Any = (*given_[:place], other, *given_[place + 1 :])
        digests.add(link_digest(*changed))
    assert len(digests) == len(others) + 1
    same = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert link_digest(*given_[:4], same, *given_[5:]) == link_digest(*given_)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcä"), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text("xyž"), JSON, max_size=4))
def test_the_forms_come_out_the_same_after_reading_them_back(record: dict[str, Any]) -> None:
    assert canonical(json.loads(canonical(record))) == canonical(record)
    assert readable(json.loads(readable(record))) == readable(record)
    assert canonical(json.loads(readable(record))) == canonical(record)


def test_whole_numbers_have_one_form() -> None:
    # jsonb gives back 1e16 as an integer and -0.0 as zero
    assert canonical({"a": [1.0, -0.0, 1e16, 0.5]}) == b'{"a":[1,0,10000000000000000,0.5]}'
    with pytest.raises(ValueError):
        canonical({"a": float("nan")})


@given(st.binary(max_size=300))
def test_any_bytes_get_a_report(raw: bytes) -> None:
    assert verify_bytes(raw).problems


@given(
    st.dictionaries(
        st.sampled_from(["manifest.json", "signature.json", "chain.json", "a.jpg"]),
        st.binary(max_size=80) | JSON.map(lambda value: json.dumps(value).encode()),
    )
)
def test_any_pack_gets_a_report(files: dict[str, bytes]) -> None:
    assert verify_bytes(pack_bytes(files)).problems


def test_packs_are_the_same_bytes_in_any_order() -> None:
    assert pack_bytes({"b": b"2", "a": b"1"}) == pack_bytes({"a": b"1", "b": b"2"})


def test_the_verifier_needs_only_cryptography(tmp_path: Path) -> None:
    """Its imports are the standard library's and that one's: it can be handed out as one file."""
    code = (
        "import runpy, sys; before = set(sys.modules);"
        f"runpy.run_path({verifying.__file__!r}, run_name='verifier');"
        "tops = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "known = {*sys.stdlib_module_names, 'cryptography', '_cffi_backend', '_openssl'};"
        "sys.exit(', '.join(sorted(tops - known)) or 0)"
    )
    found = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stderr) == (0, "")


def test_a_file_that_cannot_be_read_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "none.zip")]) == 2
    assert "cannot be read" in capsys.readouterr().out
    (tmp_path / "bad.zip").write_bytes(b"no zip")
    assert main([str(tmp_path / "bad.zip"), str(tmp_path / "none.zip")]) == 2
    assert main([str(tmp_path / "bad.zip")]) == 1
    assert "NOT SOUND" in capsys.readouterr().out
