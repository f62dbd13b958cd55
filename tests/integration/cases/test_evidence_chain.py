"""The evidence chain: numbered and linked by the database, held by it, whole after deletions."""

import hashlib
import threading
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, connection, connections, transaction

from enforcement.cases.chain import (
    chain_append,
    chain_extend,
    chain_find,
    chain_proof,
    chain_verify,
)
from enforcement.cases.models import ChainEntry
from enforcement.cases.verifying import GENESIS, link_digest
from tests.integration.visits.world import car_park

pytestmark = pytest.mark.django_db(databases=["default", "keys"])

NOW = datetime(2026, 3, 1, 9, 0, 0, 123456, tzinfo=UTC)


def digest(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


def chain(count: int, site_id: uuid.UUID | None = None) -> uuid.UUID:
    site_id = site_id or uuid.uuid4()
    chain_extend(site_id, [("evidence", digest(n)) for n in range(1, count + 1)], now=NOW)
    return site_id


def test_the_database_links_entries_as_the_verifier_reads_them() -> None:
    site = car_park().site
    links = [chain_append(site, "decision", digest(n), now=NOW) for n in range(1, 4)]
    links += chain_extend(site.pk, [("notice", digest(n)) for n in range(4, 10)], now=NOW)
    assert [link.seq for link in links] == list(range(1, 10))
    entries = {entry.seq: entry for entry in ChainEntry.objects.filter(site_id=site.pk)}
    digests = {0: GENESIS, **{link.seq: link.digest for link in links}}
    for seq, entry in entries.items():
        assert bytes(entry.previous) == digests[seq - 1]
        assert bytes(entry.skip) == digests[{2: 0, 4: 0, 6: 4, 8: 0}.get(seq, seq - 1)]
        kind = "decision" if seq < 4 else "notice"
        assert digests[seq] == link_digest(
            site.pk, seq, digests[seq - 1], bytes(entry.skip), NOW, digest(seq), kind
        )
    assert chain_verify(site.pk).broken_at is None
    assert chain_verify(site.pk).entries == 9


def test_each_site_has_its_own_chain_and_nothing_is_nothing() -> None:
    one, other = chain(3), chain(2)
    assert chain_extend(one, [], now=NOW) == []
    assert (chain_verify(one).entries, chain_verify(other).entries) == (3, 2)
    assert chain_verify(uuid.uuid4()).entries == 0


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE cases_chainentry SET at = now()",
        "DELETE FROM cases_chainentry WHERE seq = 3",
    ],
)
def test_the_database_refuses_change_and_deletion(sql: str) -> None:
    site_id = chain(3)
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)
    assert chain_verify(site_id).entries == 3


def test_the_database_refuses_truncate() -> None:
    chain(1)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE cases_chainentry ENABLE TRIGGER cases_chain_no_truncate")
        try:
            with pytest.raises(DatabaseError), transaction.atomic():
                cursor.execute("TRUNCATE cases_chainentry")
        finally:
            cursor.execute("ALTER TABLE cases_chainentry DISABLE TRIGGER cases_chain_no_truncate")


def test_what_an_inserter_says_of_number_and_links_counts_for_nothing() -> None:
    site_id = chain(2)
    ChainEntry.objects.create(
        site_id=site_id,
        seq=77,
        kind="evidence",
        content=digest(3),
        at=NOW,
        previous=digest(0),
        skip=digest(0),
        digest=digest(0),
    )
    assert chain_verify(site_id).entries == 3
    assert ChainEntry.objects.filter(site_id=site_id, seq=3, content=digest(3)).exists()


@pytest.mark.parametrize(
    ("kind", "content"),
    [("gossip", digest(1)), ("evidence", b"short"), ("evidence", b"x" * 33)],
    ids=["kind", "short", "long"],
)
def test_only_known_kinds_and_whole_digests_go_in(kind: str, content: bytes) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        chain_extend(uuid.uuid4(), [(kind, content)], now=NOW)


@pytest.mark.parametrize(
    ("tamper", "at", "why"),
    [
        ("UPDATE cases_chainentry SET content = sha256('x') WHERE seq = 5", 5, "changed"),
        ("UPDATE cases_chainentry SET kind = 'notice' WHERE seq = 12", 12, "changed"),
        ("UPDATE cases_chainentry SET at = at + interval '1 us' WHERE seq = 1", 1, "changed"),
        ("DELETE FROM cases_chainentry WHERE seq = 8", 8, "removed"),
        ("UPDATE cases_chainentry SET skip = sha256('x') WHERE seq = 6", 6, "longer link"),
        ("UPDATE cases_chainentry SET previous = sha256('x') WHERE seq = 6", 6, "follow"),
        ("UPDATE cases_chainentry SET seq = 99 WHERE seq = 12", 12, "removed"),
    ],
)
def test_tampering_past_the_triggers_shows(tamper: str, at: int, why: str) -> None:
    site_id = chain(12)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE cases_chainentry DISABLE TRIGGER cases_chain_no_change")
        cursor.execute(tamper)
        cursor.execute("ALTER TABLE cases_chainentry ENABLE TRIGGER cases_chain_no_change")
    report = chain_verify(site_id)
    assert report.broken_at == at
    assert why in report.why


def test_an_entry_replaced_with_a_right_digest_breaks_the_next() -> None:
    site_id = chain(6)
    entry = ChainEntry.objects.get(site_id=site_id, seq=3)
    forged = link_digest(
        site_id, 3, bytes(entry.previous), bytes(entry.skip), NOW, digest(99), "evidence"
    )
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE cases_chainentry DISABLE TRIGGER cases_chain_no_change")
        cursor.execute(
            "UPDATE cases_chainentry SET content = %s, digest = %s WHERE seq = 3",
            [digest(99), forged],
        )
        cursor.execute("ALTER TABLE cases_chainentry ENABLE TRIGGER cases_chain_no_change")
    report = chain_verify(site_id)
    assert (report.broken_at, report.why) == (4, "it does not follow the entry before it")


def test_a_proof_stays_short_however_long_the_chain() -> None:
    site_id = chain(2500)
    proof = chain_proof(site_id, [3, 1700], 2500)
    assert {3, 1700, 2500} <= {entry.seq for entry in proof}
    assert len(proof) < 100
    found = chain_find(site_id, [digest(3), digest(9999)])
    assert {key: entry.seq for key, entry in found.items()} == {digest(3): 3}
    assert chain_verify(site_id).broken_at is None


@pytest.mark.django_db(databases=["default", "keys"], transaction=True)
def test_appenders_at_once_leave_no_gap_and_a_rollback_takes_its_numbers_back() -> None:
    site_id = uuid.uuid4()
    start = threading.Barrier(4)

    def work(number: int) -> None:
        start.wait(10)
        for step in range(10):
            with transaction.atomic():
                chain_extend(site_id, [("evidence", digest(number * 100 + step))] * 2, now=NOW)
                if step % 3 == 0:
                    transaction.set_rollback(True)
        connections.close_all()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report = chain_verify(site_id)
    assert (report.entries, report.broken_at) == (4 * 6 * 2, None)
    assert ChainEntry.objects.filter(site_id=site_id, at__gt=NOW + timedelta(0)).count() == 0
