"""The agent's heart: each minute it says how the device is, and hears what it should do."""

from __future__ import annotations

import random
import threading
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

import edge
from edge.device import device_facts
from edge.health import Health, Value
from edge.hits import Hits
from edge.remote import Remote
from edge.spool import State
from edge.transport import BatchRefused, Later, TooMuch, TransportError
from edge.transport.backoff import Backoff

LONGEST_PAUSE_S: Final = 600.0
_MOST_WANTED: Final = 20

# Our counters and gauges → the server's names for them (`cameras.values.DETAIL`).
_TOLD: Final[Mapping[str, str]] = {
    "bytes_per_second": "bytes_per_second",
    "bytes_sent": "bytes_sent",
    "clock_offset_s": "clock_offset_s",
    "frames_captured": "frames_captured",
    "frames_dropped": "dropped",
    "frames_frozen": "frames_frozen",
    "frames_per_second": "fps",
    "glimpses": "glimpses",
    "items_sent": "items_sent",
    "mode": "mode",
    "mode_why": "mode_because",  # the sentence is for the device's own page
    "ms_per_frame": "ms_per_frame",
    "plate_px": "plate_px",
    "precision": "precision",
    "provider": "provider",
    "round_trip_ms": "round_trip_ms",
    "source_fps": "source_fps",
    "source_reconnects": "source_reconnects",
    "spool_bytes": "spool_bytes",
    "spool_oldest_s": "spool_oldest_s",
    "spool_refused": "spool_refused",
    "transport": "transport",
    "uptime_s": "uptime_s",
}
_TROUBLES: Final = frozenset({
    "source", "spool", "sender", "clock", "place", "models", "pipeline", "settings", "hotlist",
    "csv", "page", "heartbeat", "disk", "picture", "publish", "hits",
})  # fmt: skip


_NEEDED: Final = frozenset({"", "detail", "queue_depth", "through", "sent_at"})


class Line(Protocol):
    """What is needed of the way to the server (`transport.rest.RestTransport`). TransportError."""

    def heartbeat(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Post a heartbeat; what the server answered."""

    def put_picture(self, capture_id: str, picture: bytes) -> None:
        """Send the larger picture (JPEG) of a capture the server asked for."""

    def hotlist(self, etag: str | None) -> tuple[str | None, Any] | None:
        """The tokens of watchlists and their ETag; None where they are still those of `etag`."""


class Store(Protocol):
    """What is needed of the spool."""

    def watermark(self) -> datetime: ...
    def state(self) -> State: ...
    def larger(self, capture_id: str) -> bytes | None: ...
    def larger_done(self, capture_id: str) -> None: ...


class Clock(Protocol):
    """What is needed of `clock.Clock`."""

    def now(self) -> float: ...
    def utc(self, at: float) -> datetime: ...
    def heard(self, sent: float, server_time: datetime, received: float) -> None: ...
    @property
    def offset_s(self) -> float | None: ...
    @property
    def known_since(self) -> float | None: ...


class Heartbeat:
    """Beats until stopped; one thread's.

    `thumbnail`: the newest frame as a small JPEG, None where there is none. `folder`: on the disk
    whose room is told.
    """

    def __init__(
        self,
        line: Line,
        spool: Store,
        clock: Clock,
        health: Health,
        remote: Remote,
        hits: Hits,
        *,
        folder: Path,
        thumbnail: Callable[[], bytes | None] = lambda: None,
        draw: random.Random | None = None,
    ) -> None:
        self._line, self._spool, self._clock, self._health = line, spool, clock, health
        self._remote, self._hits = remote, hits
        self._folder, self._thumbnail = folder, thumbnail
        self._draw = draw or random.Random()
        self._backoff = Backoff(high=LONGEST_PAUSE_S, draw=self._draw)
        self._thumbnail_at: float | None = None
        self._unwanted: set[str] = set()

    def run(self, stop: threading.Event) -> None:
        """Beat each `heartbeat_seconds` (±10 %, so that a street's cameras do not all ask at
        once); where the server does not answer, sooner at first and then later and later."""
        while not stop.is_set():
            stop.wait(self.next_pause())

    def next_pause(self) -> float:
        """One heartbeat; the seconds to wait before the next. Never raises."""
        usual = self._remote().heartbeat_seconds * self._draw.uniform(0.9, 1.1)
        try:
            self.beat()
        except Later as error:
            self._missed(str(error))
            return max(usual, error.seconds or 0.0)
        except TransportError as error:
            self._missed(str(error))
            # The first beats after a failure come sooner than usual: it may be over at once.
            return min(max(usual, LONGEST_PAUSE_S), self._backoff.failed())
        except Exception as error:  # whatever it is, the next beat must come
            self._missed(f"The heartbeat failed ({type(error).__name__}).")
            return usual
        self._backoff.worked()
        self._health.trouble("heartbeat", None)
        return usual

    def beat(self) -> None:
        """One heartbeat, and everything its answer asks for. TransportError."""
        body, thumbnail_at = self._body()
        sent = self._clock.now()
        try:
            answer = self._line.heartbeat(body)
        except (BatchRefused, TooMuch) as error:
            if thumbnail_at is not None:
                self._thumbnail_at = thumbnail_at  # refused with it: the next goes without
            if isinstance(error, BatchRefused) and self._learned(error):
                self.beat()
                return
            raise
        received = self._clock.now()
        self._health.count("heartbeats")
        if thumbnail_at is not None:
            self._thumbnail_at = thumbnail_at
        self._set_clock(answer.get("received_at"), sent, received)
        self._remote.offer(answer.get("settings"))
        self._refresh_hotlist(answer.get("hotlist"))
        self._send_wanted(answer.get("wanted"))  # last: a thin line may fail over a large picture

    # --- what is said -----------------------------------------------------------------------------
    def _body(self) -> tuple[dict[str, Any], float | None]:
        """The heartbeat, and when its thumbnail was taken (None where it has none)."""
        through, state = self._spool.watermark(), self._spool.state()
        now = self._clock.now()
        body: dict[str, Any] = {
            "queue_depth": state.waiting,
            "through": through.isoformat(),
            "settings_version": self._remote().version,
            "detail": self._detail(),
        }
        if (refusal := self._remote.refusal) is not None:
            body["settings_refused"] = {
                "version": refusal.version,
                "field": refusal.field,
                "sentence": refusal.sentence,
            }
        thumbnail_at = None
        if self._thumbnail_due(now) and (picture := self._thumbnail()) is not None:
            body["thumbnail"] = b64encode(picture).decode()
            thumbnail_at = now
        if self._clock.known_since is not None:  # else it would be taken for the clock's skew
            body["sent_at"] = self._clock.utc(self._clock.now()).isoformat()
        kept = {name: value for name, value in body.items() if name not in self._unwanted}
        return kept, thumbnail_at if "thumbnail" in kept else None

    def _detail(self) -> dict[str, Value]:
        known = self._health.snapshot()
        said: dict[str, Value] = {
            name: known[ours] for ours, name in _TOLD.items() if ours in known
        }
        evicted = [n for name, n in known.items() if name.startswith("spool_evicted_")]
        said["spool_evicted"] = sum(n for n in evicted if isinstance(n, int))
        said["hits"] = sum(int(known.get(f"hits_{how}", 0)) for how in ("exact", "possible"))
        said["version"] = edge.__version__
        if "provider" in said:  # onnxruntime's name: CUDAExecutionProvider
            said["provider"] = str(said["provider"]).removesuffix("ExecutionProvider").lower()
        said |= device_facts(self._folder)
        said |= {f"trouble_{name}": True for name in self._health.troubles if name in _TROUBLES}
        return {name: value for name, value in said.items() if name not in self._unwanted}

    def _thumbnail_due(self, now: float) -> bool:
        minutes = self._remote().thumbnail_minutes
        if minutes <= 0:
            return False
        return self._thumbnail_at is None or now - self._thumbnail_at >= minutes * 60

    # --- what is heard ----------------------------------------------------------------------------
    def _set_clock(self, received_at: Any, sent: float, received: float) -> None:
        try:
            moment = datetime.fromisoformat(received_at)
        except (TypeError, ValueError):
            return
        if moment.tzinfo is None:
            return
        self._clock.heard(sent, moment, received)
        self._health.note("round_trip_ms", round(1000 * (received - sent), 1))
        if (offset := self._clock.offset_s) is not None:
            self._health.note("clock_offset_s", round(offset, 3))

    def _send_wanted(self, wanted: Any) -> None:
        """The larger pictures somebody asked for; one the server refuses is not sent again."""
        if not isinstance(wanted, list):
            return
        for capture_id in wanted[:_MOST_WANTED]:
            if not isinstance(capture_id, str):
                continue
            picture = self._spool.larger(capture_id)
            if picture is None:
                self._health.count("wanted_gone")
                continue
            try:
                self._line.put_picture(capture_id, picture)
            except (BatchRefused, TooMuch):
                self._health.count("wanted_refused")
            else:
                self._health.count("wanted_sent")
            self._spool.larger_done(capture_id)

    def _refresh_hotlist(self, served: Any) -> None:
        """Fetch the tokens where server and settings say so; drop them where they don't."""
        if not (served is True and self._remote().watch):
            self._hits.forget()
            return
        if (found := self._line.hotlist(self._hits.etag)) is not None:
            etag, answer = found
            self._hits.take(answer, etag)

    def _learned(self, refusal: BatchRefused) -> bool:
        """Whether the server is older than this agent and does not know a field: from now on it
        is spared that."""
        name = (refusal.field or "").removeprefix("detail.")
        known = refusal.code in ("unknown_field", "detail_invalid") and name not in _NEEDED
        if not known or name in self._unwanted:
            return False
        self._unwanted.add(name)
        self._health.count("heartbeat_fields_refused")
        return True

    def _missed(self, sentence: str) -> None:
        self._health.count("heartbeats_missed")
        self._health.trouble("heartbeat", sentence)
