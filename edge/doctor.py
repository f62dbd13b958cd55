"""`platewarden-edge doctor`: what is wrong with this device and how to mend it."""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import requests

import edge
from edge.clock import Clock
from edge.config import Config, ConfigError, read_config
from edge.device import device_facts
from edge.enrol import Device, EnrolError, device_load
from edge.health import Health
from edge.place import PlaceError, open_place
from edge.sources import Source, SourceError, open_source

CAMERA_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 4.0
PLACE_SECONDS: Final = 4.0
SKEW_SECONDS: Final = 30.0
HOT_C: Final = 80.0
LEAST_FPS: Final = 4.0
_TIMEOUT: Final = 10.0
_NOBODYS: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at, in a sentence. `mend` says what to do; without it nothing is wrong."""

    what: str
    mend: str = ""


def doctor(config_path: Path, *, as_json: bool = False) -> int:
    """Look at everything and say it; 0 when nothing is wrong."""
    findings: list[Finding] = []
    for finding in look(config_path):
        findings.append(finding)
        if not as_json:
            print(f"{'!' if finding.mend else '✓'} {finding.what}", flush=True)
            if finding.mend:
                print(f"    → {finding.mend}", flush=True)
    if as_json:
        print(json.dumps([asdict(one) for one in findings]))
    return int(any(one.mend for one in findings))


def look(config_path: Path) -> Iterator[Finding]:
    """One finding after the other, as each is known."""
    yield from _machine()
    yield from _models()
    try:
        config = read_config(config_path)
    except ConfigError as error:
        yield Finding(f"The configuration cannot be used: {error}", f"edit {config_path}")
        return
    yield Finding(f"{config_path} can be used")
    checks: tuple[Callable[[Config], Iterator[Finding]], ...] = (
        _data,
        _camera,
        _place,
        _spool,
        _page,
        _broker,
        _server,
    )
    for check in checks:
        yield from check(config)


def _machine() -> Iterator[Finding]:
    try:
        model = Path("/proc/device-tree/model").read_text(encoding="utf-8").rstrip("\0")
    except (OSError, UnicodeDecodeError):
        model = platform.machine()
    python = platform.python_version()
    yield Finding(f"version {edge.__version__}, {model}, {os.cpu_count()} cores, Python {python}")
    heat = device_facts(Path("/")).get("temperature_c")
    if isinstance(heat, float) and heat >= HOT_C:
        yield Finding(f"The processor has {heat:.0f} °C and is slowed down", "cool it")


def _models() -> Iterator[Finding]:
    try:
        from edge.bench import frame_times
        from edge.models import choose, make_engine
        from inference.models import ModelError
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "onnxruntime":
            raise
        yield Finding(
            "onnxruntime is not installed", 'pip install "platewarden-edge[cpu]" (docs/edge.md)'
        )
        return
    try:
        choice = choose()
        engine = make_engine(choice)
        engine.warm_up()
    except ModelError as error:
        yield Finding(f"The models cannot be used: {error}", "install the agent again")
        return
    times = frame_times(engine, seconds=1.0)
    rate = 1000 / times.detect_ms
    yield Finding(
        f"{choice.precision} models on {choice.provider}: {times.detect_ms:.0f} ms to find plates "
        f"in a frame, {times.read_ms:.0f} ms to read one; {choice.because}",
        ""
        if rate >= LEAST_FPS
        else "too slow to look for plates here: set the mode to frame, or let auto choose it",
    )


def _data(config: Config) -> Iterator[Finding]:
    place = config.data
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK | os.X_OK):
        yield Finding(
            f"{place} is not writable for this user",
            "run this as the agent's user: sudo -u platewarden-edge platewarden-edge doctor",
        )
        return
    free = shutil.disk_usage(place).free
    said = f"{free / 1e9:.1f} GB free for a queue of at most {config.spool_bytes / 1e9:.1f} GB"
    yield Finding(said, "" if free >= config.spool_bytes / 2 else "make room or set max_megabytes")


def _camera(config: Config) -> Iterator[Finding]:
    health, clock = Health(), Clock()
    try:
        source = open_source(config.source, clock=clock, health=health, realtime=config.realtime)
        if Path(config.source).is_dir():
            yield Finding(f"New pictures are taken from {source.name}")
            return
        with closing(source):
            yield _watched(source, health)
    except SourceError as error:
        yield Finding(f"No camera: {error.sentence}", "set [source] address")


def _watched(source: Source, health: Health) -> Finding:
    """What a camera gives in a few seconds, in a thread: it may try for ever."""
    seen: list[tuple[float, tuple[int, ...]]] = []
    wrong: list[str] = []

    def watch() -> None:
        try:
            for frame in source.frames():
                seen.append((frame.at, frame.picture.shape))
                if frame.at - seen[0][0] >= LOOK_SECONDS:
                    return
        except SourceError as error:
            wrong.append(error.sentence)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    thread.join(CAMERA_SECONDS)
    name, trouble = source.name, health.troubles.get("source")
    if wrong or not seen:
        why = wrong[0] if wrong else trouble or "no picture came"
        return Finding(f"No picture from {name}: {why}", "check its address, cable and password")
    height, width = seen[-1][1][:2]
    passed = seen[-1][0] - seen[0][0]
    rate = (len(seen) - 1) / passed if passed > 0 else 0.0
    said = f"{name} gives {width}×{height}, {rate:.1f} pictures a second"
    if trouble:
        return Finding(f"{said}, but: {trouble}", "look at the camera")
    return Finding(said, "" if width >= 640 else "too coarse for plates: ask it for more pixels")


def _place(config: Config) -> Iterator[Finding]:
    if not config.place:
        return
    clock = Clock()
    try:
        place = open_place(config.place, clock=clock, health=Health())
    except PlaceError as error:
        yield Finding(f"No position: {error}", "set [place] from")
        return
    with closing(place):
        until = clock.now() + PLACE_SECONDS
        found = place.at(clock.now())
        while found is None and clock.now() < until:
            time.sleep(0.2)
            found = place.at(clock.now())
    if found is None:
        yield Finding("The GPS has no fix", "give it a view of the sky, and a few minutes")
    else:
        yield Finding("The GPS has a fix")


def _spool(config: Config) -> Iterator[Finding]:
    from edge.agent import open_spool

    if not (config.data / "spool").is_dir():
        return  # nothing was ever put into it
    try:
        with closing(open_spool(config, Clock(), Health())) as spool:
            state = spool.state()
    except (OSError, ValueError) as error:
        yield Finding(f"The queue cannot be opened ({type(error).__name__})", "docs/edge.md, queue")
        return
    said = f"{state.waiting} waiting to be sent, the oldest for {state.oldest_s:.0f} s"
    yield Finding(said, "" if state.oldest_s < 600 else "see the server's line below")
    if state.refused:
        yield Finding(
            f"The server refused {state.refused}",
            "platewarden-edge spool says why; spool --retry once that is mended",
        )


def _page(config: Config) -> Iterator[Finding]:
    page = config.page
    if page is None:
        return
    from edge.page.door import Door

    try:
        Door(page.password_hash)
    except ValueError:
        yield Finding("[page] password_hash is none", "platewarden-edge password makes one")
        return
    where = f"http{'s' if page.certificate else ''}://{page.listen}:{page.port}"
    open_to_all = page.listen not in ("127.0.0.1", "::1", "localhost")
    yield Finding(
        f"The local page is at {where}",
        "without TLS its password crosses the network in clear: set certificate and private_key"
        if open_to_all and not page.certificate
        else "",
    )


def _broker(config: Config) -> Iterator[Finding]:
    if config.transport != "mqtt" or config.mqtt is None:
        return
    host, port = config.mqtt.host, config.mqtt.port
    try:
        socket.create_connection((host, port), _TIMEOUT).close()
    except OSError as error:
        yield Finding(
            f"The broker {host}:{port} cannot be reached ({type(error).__name__})",
            "check [mqtt] and the network",
        )
    else:
        yield Finding(f"The broker {host}:{port} answers")


def _server(config: Config) -> Iterator[Finding]:
    try:
        device = device_load(config.data)
    except EnrolError as error:
        yield Finding(str(error), "platewarden-edge enrol")
        return
    yield Finding(f"This is the camera {device.camera} of {device.site}")
    yield from _asked(config, device)


def _asked(config: Config, device: Device) -> Iterator[Finding]:
    """Whether the server knows this key: it is asked for a capture that nobody sent."""
    try:
        answer = requests.get(
            f"{device.url}/api/v1/captures/{_NOBODYS}",
            headers={"Authorization": f"Bearer {device.key}"},
            timeout=_TIMEOUT,
            verify=str(config.ca_file) if config.ca_file else True,
            allow_redirects=False,
        )
    except requests.RequestException as error:
        yield Finding(
            f"{device.url} cannot be reached ({type(error).__name__}); nothing is lost meanwhile",
            "check the network, the clock and server.ca_file",
        )
        return
    if answer.status_code in (401, 403):
        yield Finding(
            "The server does not take this device's key", "enrol --again with a new set-up token"
        )
    elif answer.status_code != 404:
        yield Finding(f"{device.url} answers HTTP {answer.status_code}", "look at the server")
    else:
        yield Finding(f"{device.url} answers and knows this device")
    yield from _skew(answer.headers.get("Date"))


def _skew(date: str | None) -> Iterator[Finding]:
    try:
        ahead = (datetime.now(UTC) - parsedate_to_datetime(date or "")).total_seconds()
    except (TypeError, ValueError):
        return
    if abs(ahead) > SKEW_SECONDS:
        yield Finding(
            f"This device's clock is {abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}",
            "the agent sees through that, but turn NTP on: timedatectl set-ntp true",
        )
