"""What answers to a batch mean: only our server's own words are believed."""

import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.items import Item
from edge.spool import Spooled
from edge.transport import (
    Answer,
    BatchRefused,
    KeyRefused,
    Misanswered,
    NotYet,
    Refused,
    Taken,
    TransportError,
)
from edge.transport.rest import RestTransport

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
IDS = [f"0197a5b0-0000-7000-8000-00000000000{n}" for n in range(3)]
REFUSED = {"code": "plate_too_long", "sentence": "Too long.", "field": "read.text"}


class Server(RestTransport):
    """Answers as told; notes what it was sent."""

    def __init__(self, *answers: tuple[int, Any]) -> None:
        super().__init__("http://server.invalid/", "key", utc=lambda: NOW)
        self.answers = list(answers)
        self.bodies: list[tuple[bytes, dict[str, str]]] = []

    def _exchange(self, method: str, path: str, body: Any, headers: Any = None) -> Any:
        self.bodies.append((body, headers or {}))
        status, said = self.answers.pop(0)
        return status, said if isinstance(said, bytes) else json.dumps(said).encode()


def sent(*answers: tuple[int, Any], count: int = 3) -> Answer:
    items = [
        Spooled(n, Item("read", NOW, {"read": {}}, crop=bytes(90), event_id=f"event-{n}"), 1)
        for n in range(count)
    ]
    return Server(*answers).send(items, sent_at=NOW)


def taken(index: int) -> dict[str, Any]:
    return {"index": index, "id": IDS[index], "status": "received", "url": "/x"}


def test_each_item_has_its_outcome_whatever_the_order() -> None:
    results = [
        {"index": 2, "error": REFUSED},
        taken(0),
        {"index": 1, "error": {"code": "try_again", "sentence": "Not now.", "field": None}},
    ]
    answer = sent((202, {"results": results, "accepted": 1, "rejected": 2}))
    assert answer.outcomes == [Taken(IDS[0]), NotYet(), Refused("plate_too_long", "read.text")]
    assert answer.bytes_sent > 50


def test_all_refused_is_an_answer_too() -> None:
    results = [{"index": n, "error": REFUSED} for n in range(3)]
    nothing = {"code": "nothing_accepted", "sentence": "None.", "field": "items"}
    answer = sent((400, {"results": results, "error": nothing}))
    assert answer.outcomes == [Refused("plate_too_long", "read.text")] * 3


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"<html>Welcome</html>",
        b"\xff\xfe",
        b"[" * 100_000,
        b"null",
        [],
        {},
        {"results": None},
        {"results": []},
        {"results": [taken(0), taken(1)]},
        {"results": [taken(0), taken(1), taken(1)]},
        {"results": [taken(0), taken(1), taken(2), taken(2)]},
        {"results": [taken(0), taken(1), {**taken(2), "index": 3}]},
        {"results": [taken(0), taken(1), {**taken(2), "index": True}, {}]},
        {"results": [taken(0), taken(1), {**taken(2), "id": "no id"}]},
        {"results": [taken(0), taken(1), {"index": 2}]},
        {"results": [taken(0), taken(1), {"index": 2, "error": "no"}]},
    ],
)
def test_garbage_delivers_nothing(said: Any) -> None:
    for status in (200, 201, 202, 400):
        with pytest.raises(Misanswered):
            sent((status, said))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["results", "index", "id", "error", "code", "sentence"]), inner
            )
        ),
        max_leaves=20,
    ),
    st.sampled_from([200, 202, 204, 302, 400, 401, 404, 409, 415, 418, 500, 504]),
)
def test_no_answer_at_all_breaks_it(said: Any, status: int) -> None:
    with pytest.raises(TransportError):
        sent((status, said))


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (400, "json_malformed", BatchRefused),
        (409, "event_conflict", BatchRefused),
        (401, "key_unknown", KeyRefused),
        (403, "key_revoked", KeyRefused),
        (404, "not_found", Misanswered),  # of the address, not of what was sent to it
        (405, "method_not_allowed", Misanswered),
        (415, "unsupported_media_type", Misanswered),
        (500, "error", Misanswered),
    ],
)
def test_refusals_in_our_servers_shape(status: int, code: str, error: type[TransportError]) -> None:
    said = {"error": {"code": code, "sentence": "No.", "field": None}}
    with pytest.raises(error) as raised:
        sent((status, said), (status, said))
    if isinstance(raised.value, BatchRefused):
        assert raised.value.code == code


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_refusals_in_another_shape_are_no_verdict(status: int) -> None:
    for said in (b"Forbidden by the firewall", {"error": "forbidden"}, {"detail": "no"}):
        with pytest.raises(Misanswered):
            sent((status, said), (status, said))


def test_what_a_stranger_calls_a_code_goes_nowhere() -> None:
    said = {"error": {"code": "AB 123 CD", "sentence": "No.", "field": "x"}}
    with pytest.raises(Misanswered):
        sent((400, said))


@pytest.mark.parametrize(
    ("status", "code"), [(415, "encoding_unsupported"), (400, "json_malformed")]
)
def test_a_server_without_gzip_gets_it_plain_from_then_on(status: int, code: str) -> None:
    no = {"error": {"code": code, "sentence": "No.", "field": None}}
    yes = {"results": [taken(0)]}
    server = Server((status, no), (202, yes), (202, yes))
    item = Spooled(1, Item("read", NOW, {"read": {}}, crop=bytes(300), event_id="event"), 1)
    for _ in range(2):
        assert server.send([item], sent_at=NOW).outcomes == [Taken(IDS[0])]
    (packed, said), (plain, unsaid), (again, _) = server.bodies
    assert said == {"Content-Encoding": "gzip"}
    assert unsaid == {}
    assert gzip.decompress(packed) == plain == again


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("Sun, 01 Mar 2026 09:02:00 GMT", 120.0),
        ("Sun, 01 Mar 2026 08:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
    ],
)
def test_patience_comes_in_seconds_or_as_a_date(header: str | None, seconds: float | None) -> None:
    assert Server()._retry_after(header) == seconds


def test_what_has_no_known_time_says_so() -> None:
    server = Server((202, {"results": [taken(0), taken(1)]}))
    known, unknown = (
        Spooled(n, Item("read", NOW, {"read": {}}, event_id=f"event-{n}", timed=n == 0), 1)
        for n in range(2)
    )
    server.send([known, unknown], sent_at=None)
    body = server.bodies[0][0]
    packed = server.bodies[0][1].get("Content-Encoding") == "gzip"
    first, second = json.loads(gzip.decompress(body) if packed else body)["items"]
    assert "clock" not in first
    assert second["clock"] == "unknown"
    assert "sent_at" not in first | second
