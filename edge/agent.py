"""The agent: every part, wired. Camera → pipeline → spool → server, and the heart beside them.

Each part has a thread that is started again when it fails. When the source has an end (a video
file), what is waiting is sent, one more heartbeat says so, and the agent ends.
"""

from __future__ import annotations

import logging
import threading
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import edge
from edge import hits as watchlist
from edge.clock import Clock
from edge.config import Config
from edge.csvlog import CsvLog
from edge.enrol import SETTINGS_FILE, Device
from edge.health import Health
from edge.heartbeat import Heartbeat
from edge.items import Frame, Mark
from edge.newest import Newest
from edge.notify import notify, watchdog_seconds
from edge.page import LocalPage
from edge.pipeline import Pipeline
from edge.place import Place, PlaceError, open_place
from edge.publish import VehicleRead
from edge.remote import Remote
from edge.sealing import Sealer, load_key
from edge.settings import Settings
from edge.sources import Source, SourceError, open_source
from edge.spool import Spool
from edge.threads import Part
from edge.transport import Transport
from edge.transport.backoff import Backoff
from edge.transport.mqtt import MqttTransport
from edge.transport.rest import RestTransport
from edge.transport.sender import Sender

log = logging.getLogger("edge")

KEY_FILE: Final = "sealing.key"
CLOCK_FILE: Final = "clock.json"
STUCK_S: Final = 120.0
"""Seconds for which pictures may come and none be looked at before the agent gives itself up."""

TIMELESS: Final = (
    "This device does not know the time yet. What it sees waits until the server or NTP tells it."
)

_LOOK_S: Final = 1.0
_TIDY_S: Final = 3600.0
_REMEMBER_S: Final = 600.0
_END_S: Final = 8.0


def open_spool(config: Config, clock: Clock, health: Health) -> Spool:
    """The spool in the data folder. OSError, ValueError."""
    spool = Spool(
        config.data / "spool",
        load_key(config.data / KEY_FILE),
        max_bytes=config.spool_bytes,
        keep_hours=config.settings.keep_hours,
        clock=clock,
        health=health,
    )
    spool.confirmed = config.transport == "rest"
    return spool


class Agent:
    """One device's agent. Raises OSError and ValueError where its data folder cannot be used."""

    def __init__(self, config: Config, device: Device) -> None:
        self.config, self.device = config, device
        self.health, self.clock = Health(), Clock(memory=config.data / CLOCK_FILE)
        self.settings = Remote(config.data / SETTINGS_FILE, config.settings, self.health)
        self.spool = open_spool(config, self.clock, self.health)
        self._settings_changed(self.settings())
        self.settings.listen(self._settings_changed)
        self._rest = RestTransport(device.url, device.key, ca=config.ca_file, utc=self.clock.utc)
        self._hits = watchlist.Hits(
            config.data / "hotlist",
            Sealer(load_key(config.data / KEY_FILE), watchlist.PURPOSE),
            self.clock.utc,
            self.health,
            watchlist.command_hook(config.hit_command, self.health) if config.hit_command else None,
        )
        self._csv = CsvLog(
            config.csv_folder or config.data / "csv",
            settings=self.settings,
            health=self.health,
            max_bytes=config.csv_bytes,
        )
        self._newest = Newest(self.settings)
        self._page = self._make_page()
        self._heart = Heartbeat(
            self._rest,
            self.spool,
            self.clock,
            self.health,
            self.settings,
            self._hits,
            folder=config.data,
            thumbnail=self._newest.thumbnail,
        )
        self._site_settings = (self.settings(), for_site(self.settings(), device))
        self._place: Place | None = None
        self._source: Source | None = None
        self._hopeless = False
        self._well_at = self.clock.now()
        self._captured = 0
        self._told: dict[str, str] = {}

    # --- its life ---------------------------------------------------------------------------------
    def run(self, stop: threading.Event) -> int:
        """Until `stop`, or until the source has ended and everything was sent. The exit code: 0; 1
        where the source can never be one; 3 where it hangs."""
        log.info("%s at %s, version %s", self.device.camera, self.device.url, edge.__version__)
        home = threading.Event()  # set once nothing more is to be sent
        resting = threading.Event()
        watching = Part("pipeline", self._watch, stop=stop, health=self.health)
        sending = Part("sender", self._send, stop=home, health=self.health)
        beating = Part("heartbeat", self._heart.run, stop=resting, health=self.health)
        with ExitStack() as at_end:
            at_end.callback(self.spool.close)
            self._open_place(at_end)
            if self._page and self._page.start():
                at_end.callback(self._page.close)
            for part in (watching, sending, beating):
                part.start()
            notify("READY=1")
            hangs = self._look_after(watching, stop)
            notify("STOPPING=1")
            self._close_source()
            if not hangs:
                watching.join(_END_S)
                self._wait_until_sent(stop)
            resting.set()
            home.set()
            sending.join(_END_S)
            if beating.join(_END_S) and not hangs and not self._hopeless:
                self._heart.next_pause()  # its last words: everything was delivered
            self._remember_time()
            self._tell_troubles()
        if hangs:
            return 3
        return 1 if self._hopeless else 0

    def _look_after(self, watching: Part, stop: threading.Event) -> bool:
        """Until the pipeline ends or `stop`; True where it hangs."""
        every = watchdog_seconds()
        fed = tidied = remembered = float("-inf")
        while watching.alive and not stop.wait(_LOOK_S):
            now = self.clock.now()
            if self._hangs(now):
                log.error("pictures come and none is looked at: giving up")
                return True
            if every and now - fed >= every - _LOOK_S:
                fed = now
                notify("WATCHDOG=1")
            if now - tidied >= _TIDY_S:
                tidied = now
                self._tidy()
            if self._mind_time() and now - remembered >= _REMEMBER_S:
                remembered = now
                self._remember_time()
            self._tell_troubles()
        return False

    def _hangs(self, now: float) -> bool:
        facts = self.health.snapshot()
        captured = int(facts.get("frames_captured", 0))
        # a camera that is away is no fault of ours
        if captured == self._captured or facts.get("frames_per_second"):
            self._well_at = now
        self._captured = captured
        return now - self._well_at > STUCK_S

    def _tidy(self) -> None:
        try:
            self._csv.tidy(self.clock.utc())
        except OSError:
            self.health.trouble("csv", "Old logs of reads cannot be deleted.")

    def _mind_time(self) -> bool:
        """Whether the time is known; it is a trouble where it isn't."""
        known = self.clock.known_since is not None
        self.health.trouble("clock", None if known else TIMELESS)
        return known

    def _remember_time(self) -> None:
        try:
            self.clock.remember()
        except OSError:
            self.health.trouble("clock", "The time cannot be kept for the next start.")

    def _tell_troubles(self) -> None:
        """What is new among the troubles, to the journal."""
        troubles = self.health.troubles
        for name, sentence in troubles.items():
            if self._told.get(name) != sentence:
                log.warning("%s: %s", name, sentence)
        for name in self._told.keys() - troubles.keys():
            log.info("%s: well again", name)
        self._told = troubles

    def _wait_until_sent(self, stop: threading.Event) -> None:
        """A source that has ended: nothing more comes, and what waits is sent."""
        if stop.is_set():
            return
        self.spool.settling = timedelta(0)
        while self.spool.state().waiting and not stop.wait(0.1):
            self._tell_troubles()

    # --- its parts --------------------------------------------------------------------------------
    def _watch(self, stop: threading.Event) -> None:
        backoff = Backoff(low=1.0, high=60.0)
        while not stop.is_set():
            try:
                with closing(self._open_source()) as source:
                    Pipeline(
                        source,
                        self.spool,
                        self._settings_here,
                        self.clock,
                        self.health,
                        on_frame=self._on_frame,
                        on_read=self._on_read,
                        hold=self.spool.hold,
                        waits=self._waits,
                    ).run(stop)
                return
            except SourceError as error:
                self.health.trouble("source", error.sentence)
                if Path(self.config.source).is_file():
                    self._hopeless = True  # another try finds the same file
                    return
                stop.wait(backoff.failed())

    @property
    def _waits(self) -> bool:
        """Whether pictures come no faster than they are looked at."""
        there = Path(self.config.source)
        return there.is_dir() or (there.is_file() and not self.config.realtime)

    def _open_source(self) -> Source:
        config = self.config
        self._source = open_source(
            config.source,
            clock=self.clock,
            health=self.health,
            place=self._place,
            realtime=config.realtime,
            loop=config.loop,
            every=config.every,
            keep=config.keep,
        )
        return self._source

    def _close_source(self) -> None:
        if self._source is not None:
            self._source.close()

    def _send(self, stop: threading.Event) -> None:
        Sender(
            self.spool,
            self._transport(),
            clock=self.clock,
            health=self.health,
            settings=self.settings,
        ).run(stop)

    def _transport(self) -> Transport:
        broker = self.config.mqtt
        self.health.note("transport", self.config.transport)
        if self.config.transport == "rest" or broker is None:
            return self._rest
        return MqttTransport(
            broker.host,
            broker.port,
            camera=self.device.camera,
            key=self.device.key,
            tls=broker.tls,
            version=broker.version,
            ca=broker.ca_file,
            user=broker.user,
            password=broker.password,
        )

    def _open_place(self, at_end: ExitStack) -> None:
        if not self.config.place:
            return
        try:
            self._place = open_place(self.config.place, clock=self.clock, health=self.health)
        except PlaceError as error:
            self.health.trouble("place", str(error))
        else:
            at_end.callback(self._place.close)

    def _make_page(self) -> LocalPage | None:
        page = self.config.page
        if page is None:
            return None
        return LocalPage(
            page.password_hash,
            settings=self.settings,
            health=self.health,
            camera=self.device.camera,
            folder=self.config.data,
            listen=page.listen,
            port=page.port,
            certificate=page.certificate,
            private_key=page.private_key,
        )

    # --- what happens -----------------------------------------------------------------------------
    def _settings_changed(self, settings: Settings) -> None:
        self.spool.keep_hours = settings.keep_hours

    def _settings_here(self) -> Settings:
        """The settings in force, for this site's plates; the same object while they are."""
        settings = self.settings()
        known, filled = self._site_settings
        if settings is not known:
            filled = for_site(settings, self.device)
            self._site_settings = (settings, filled)
        return filled

    def _on_frame(self, frame: Frame, marks: tuple[Mark, ...]) -> None:
        self._newest.keep(frame, marks)
        if self._page:
            self._page.frame(frame, marks)

    def _on_read(self, read: VehicleRead) -> None:
        """A vehicle is in the spool: is it on a watchlist, show it, write it down."""
        at = read.item.captured_at
        hit = self._hits.check(read.text, at) if read.text else None
        if self._page:
            how = hit.how if hit else None
            self._page.read(read.item, how, text=read.text, score=read.score)
        if read.text:
            self._csv.write(at, read.text, read.score, read.position)


def for_site(settings: Settings, device: Device) -> Settings:
    """Where the settings name no regions, those of the site the device was enrolled for."""
    if settings.regions:
        return settings
    return replace(settings, regions=device.regions, regions_strict=device.regions_strict)
