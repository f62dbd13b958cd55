"""The bridge: a broker's messages into the product, each acknowledged after its rows are committed.

The broker keeps what is not acknowledged (QoS 1, a session that outlives the connection). So while
something we stand on is away, the bridge waits with what it was given, and takes no more than it
can hold. When it ends, or its connection does, it is given the same again; event ids make that
harmless. One thread: what is received, stored and acknowledged happens in that order, and an
acknowledgement can never meet another connection's message of the same number.
"""

import hashlib
import random
import ssl
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import structlog
from django.db import InterfaceError, OperationalError, connections
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.messages import Taken

AWAY = (OperationalError, InterfaceError, OSError)
"""What says that something we stand on is away for a moment, rather than a message wrong."""

_KEEPALIVE: Final = 30
_SESSION_SECONDS: Final = 31 * 24 * 3600  # as old as a capture may be
_AT_ONCE: Final = 100  # messages the broker may have under way to us; of 3.1.1 it does not know
_TRIES: Final = 3
_FIRST_DELAY: Final = 0.5
_LONGEST_DELAY: Final = 30.0
_TELL_EVERY: Final = 60.0
_ALIVE_EVERY: Final = 5.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is and who we are there. `version` 3 is MQTT 3.1.1."""

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    version: Literal[3, 5] = 3
    client_id: str = "platewarden-bridge"
    ca: str | None = None


class _Refused(Exception):
    """The broker doesn't let us in, or not to a topic. Says which, and nothing of a message."""


class Bridge:
    """Carries messages of `topics` from `broker` to `take`, until told to stop.

    `take` stores a message's content durably and says what became of it. What it raises of `AWAY`
    means: again later. Anything else is a fault of ours: after `_TRIES` such a message is left
    with the broker, unacknowledged, until the bridge starts anew, so that it is neither lost nor
    in the way of others. `alive` is touched while the subscriptions stand.
    """

    def __init__(
        self,
        broker: Broker,
        topics: Iterable[str],
        take: Callable[[str, bytes], Taken],
        *,
        alive: Path | None = None,
    ) -> None:
        self._broker = broker
        self._topics = tuple(topics)
        self._take = take
        self._alive = alive
        self._inbox: deque[mqtt.MQTTMessage] = deque()
        self._failures: Counter[bytes] = Counter()
        self._resting_until = 0.0
        self._refused_by_broker: str | None = None
        self._subscribed = False
        self._delay = _FIRST_DELAY
        self._heard = self._touched = 0.0
        self._told = time.monotonic()
        self.counts: Counter[str] = Counter()
        """Since the last line in the log: `stored`, `refused_<code>`, `left`."""

    def run(self, stop: threading.Event) -> None:
        """Blocks until `stop`. Trouble with broker or database is logged, waited for and retried,
        each time longer up to `_LONGEST_DELAY` seconds."""
        while not stop.is_set():
            client, pause = self._client(), 0.0
            try:
                self._serve(client, stop)
            except (_Refused, OSError) as error:
                pause = self._pause(str(error) if isinstance(error, _Refused) else _name(error))
            finally:
                # what was received and not stored comes again with the next connection
                self._inbox.clear()
                self._subscribed = False
                client.disconnect()
            stop.wait(pause)
        self._tell()

    def _pause(self, why: str) -> float:
        """How many seconds to wait because of `why`: each time longer, until something goes."""
        pause = self._delay * random.uniform(0.5, 1.0)
        self._delay = min(2 * self._delay, _LONGEST_DELAY)
        log.warning("bridge_waits", why=why, seconds=round(pause, 1))
        return pause

    # --- one connection -----------------------------------------------------------------------
    def _client(self) -> mqtt.Client:
        """A client that knows nothing of connections before."""
        newest = self._broker.version == 5
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._broker.client_id,
            clean_session=None if newest else False,
            protocol=MQTTProtocolVersion.MQTTv5 if newest else MQTTProtocolVersion.MQTTv311,
            manual_ack=True,
        )
        if self._broker.username is not None:
            client.username_pw_set(self._broker.username, self._broker.password)
        if self._broker.tls:
            client.tls_set_context(ssl.create_default_context(cafile=self._broker.ca))
        client.on_connect = self._connected
        client.on_subscribe = self._granted
        client.on_message = lambda client, userdata, message: self._inbox.append(message)
        self._refused_by_broker = None
        return client

    def _serve(self, client: mqtt.Client, stop: threading.Event) -> None:
        """Connect, and take messages until `stop`; raises what ended it."""
        self._heard = time.monotonic()
        if self._broker.version == 5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = _SESSION_SECONDS
            properties.ReceiveMaximum = _AT_ONCE
            client.connect(
                self._broker.host,
                self._broker.port,
                _KEEPALIVE,
                clean_start=False,
                properties=properties,
            )
        else:
            client.connect(self._broker.host, self._broker.port, _KEEPALIVE)
        while not stop.is_set():
            ended = client.loop(0.2)
            if self._refused_by_broker is not None:
                raise _Refused(self._refused_by_broker)
            if ended != MQTTErrorCode.MQTT_ERR_SUCCESS:
                raise ConnectionError
            if not self._subscribed and time.monotonic() - self._heard > _KEEPALIVE:
                raise TimeoutError
            self._empty(client)
            self._note()

    def _connected(
        self,
        client: mqtt.Client,
        userdata: Any,
        flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._refused_by_broker = f"the broker refuses us: {reason}"
            return
        client.subscribe([(topic, 1) for topic in self._topics])

    def _granted(
        self,
        client: mqtt.Client,
        userdata: Any,
        mid: int,
        reasons: list[ReasonCode],
        properties: Properties | None,
    ) -> None:
        # a QoS below 1 would lose what arrives while we are away
        poor = [
            topic
            for topic, reason in zip(self._topics, reasons, strict=False)
            if reason.is_failure or reason.value != 1
        ]
        if poor:
            self._refused_by_broker = f"the broker does not let us have {', '.join(poor)}"
            return
        self._subscribed = True
        log.info("bridge_up", topics=len(self._topics))

    # --- messages -----------------------------------------------------------------------------
    def _empty(self, client: mqtt.Client) -> None:
        """Store and acknowledge what has come, as far as it goes."""
        while self._inbox and time.monotonic() >= self._resting_until:
            message = self._inbox[0]
            try:
                done = self._stored(message)
            except AWAY as error:
                connections.close_all()  # the next try has a connection of its own
                self._resting_until = time.monotonic() + self._pause(_name(error))
                break
            self._inbox.popleft()
            self._heard = time.monotonic()
            if done:
                client.ack(message.mid, message.qos)
                self._delay = _FIRST_DELAY
        if len(self._inbox) > _AT_ONCE:
            raise _Refused("more waits than can be held")

    def _stored(self, message: mqtt.MQTTMessage) -> bool:
        """Whether a message is done with, by being stored or refused for good. Raises of `AWAY`."""
        name = hashlib.sha256(message.payload).digest()
        if self._failures[name] >= _TRIES:
            return False
        try:
            taken = self._take(_topic(message), bytes(message.payload))
        except AWAY:
            raise
        except Exception as error:
            self._failures[name] += 1
            if self._failures[name] < _TRIES:
                log.warning("bridge_failed", error=_name(error))
                raise OSError from None
            self.counts["left"] += 1
            log.error("bridge_left", error=_name(error), tries=_TRIES)
            return False
        del self._failures[name]
        self.counts["stored"] += taken.stored
        for code, count in taken.refused.items():
            self.counts[f"refused_{code}"] += count
        return True

    def _note(self) -> None:
        now = time.monotonic()
        if self._alive is not None and self._subscribed and now - self._touched >= _ALIVE_EVERY:
            self._alive.touch()
            self._touched = now
        if now - self._told >= _TELL_EVERY:
            self._tell()

    def _tell(self) -> None:
        """One line with what came since the last one: counts by reason, nothing of a message."""
        self._told = time.monotonic()
        if self.counts:
            log.info("bridge_counts", **self.counts)
            self.counts.clear()


def _topic(message: mqtt.MQTTMessage) -> str:
    """The topic, or an empty text for one that is not UTF-8 and therefore none of ours."""
    try:
        return message.topic
    except UnicodeDecodeError:
        return ""


def _name(error: Exception) -> str:
    """What a log may hold of an error: its text could quote a message."""
    return type(error).__name__
