"""The MQTT road: topic `platewarden/<camera>/reads`, QoS 1, MQTT 5 or 3.1.1, usually with TLS.

A message holds a batch as the REST upload has it, and the device's key, sealed as
`gateway/envelope.py` of the server describes: `PW1`, the key's prefix, a nonce, AES-256-GCM of the
zlib-compressed JSON. So neither the broker nor whoever else may read the topic learns a plate.

An item counts as delivered once the broker has acknowledged its message: from then on it is the
broker's, which keeps it for the bridge. A broker of MQTT 5 that says nobody is subscribed has not
kept it: such an item waits. What the server thinks of an item is not heard here: there is no
capture id, so no larger picture can be asked for, and refusals show in the server's log only. The
watermark goes with the last item of each message: it holds once the server has stored that.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import ssl
import threading
import zlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge.spool import Spooled
from edge.transport import Answer, KeyRefused, Later, Misanswered, Taken, TooMuch, Unreachable
from edge.transport.rest import items_json

Version = Literal["3.1.1", "5"]

_KEEPALIVE: Final = 30
_CONNECT_S: Final = 15.0
_ACKNOWLEDGE_S: Final = 60.0
_KEY: Final = re.compile(r"pwd_([0-9a-zA-Z]{8})_.+")
_NOBODY: Final = 0x10  # MQTT 5: no matching subscribers
_NOT_ALLOWED: Final = (0x86, 0x87)
_BUSY: Final = (0x88, 0x89, 0x93, 0x96, 0x97)
_TOO_LARGE: Final = 0x95


def sealed(body: dict[str, Any], key: str) -> bytes:
    """A message's payload; see the module's docstring. ValueError for what is no device key."""
    if (match := _KEY.fullmatch(key)) is None:
        raise ValueError("This is not a device key.")
    head, nonce = b"PW1" + match[1].encode(), secrets.token_bytes(12)
    digest = hashlib.sha256(key.encode()).digest()
    made = HKDF(SHA256(), 32, salt=None, info=b"platewarden mqtt 1").derive(digest)
    packed = zlib.compress(json.dumps({"key": key, **body}).encode())
    return head + nonce + AESGCM(made).encrypt(nonce, packed, head)


class MqttTransport:
    """The broker at `host`:`port`, for the camera of that slug. For one thread.

    `ca`: a file of certificates to trust instead of the usual ones.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        camera: str,
        key: str,
        tls: bool = True,
        version: Version = "5",
        ca: Path | None = None,
        user: str | None = None,
        password: str | None = None,
    ) -> None:
        self._host, self._port, self._tls, self._version = host, port, tls, version
        self._topic, self._key = f"platewarden/{camera}/reads", key
        self._ca, self._user, self._password = ca, user, password
        self._client: mqtt.Client | None = None
        self._changed = threading.Condition()
        self._welcome: ReasonCode | None = None
        self._gone = False
        self._most: int | None = None
        self._acknowledged: dict[int, int] = {}

    def send(
        self, items: Sequence[Spooled], *, sent_at: datetime | None, through: datetime
    ) -> Answer:
        """Publish 1 to 100 items as one message; wait for it to be acknowledged. TransportError."""
        body = items_json(items, sent_at=sent_at)
        body["items"][-1]["through"] = through.isoformat()
        payload = sealed(body, self._key)
        client = self._client or self._connect()
        if self._most is not None and len(payload) + len(self._topic) + 32 > self._most:
            raise TooMuch("The broker takes no message as large.")
        try:
            message = client.publish(self._topic, payload, qos=1)
        except ValueError as error:
            raise TooMuch("MQTT has no message as large.") from error
        if message.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self.close()
            raise Unreachable("The broker is not connected.")
        self._judge(self._reason(message.mid))
        return Answer([Taken()] * len(items), len(payload))

    def close(self) -> None:
        """Let go of the broker. What it has not acknowledged is sent again with the next one."""
        client, self._client = self._client, None
        if client is not None:
            client.disconnect()
            client.loop_stop()

    def _connect(self) -> mqtt.Client:
        newest = self._version == "5"
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            clean_session=None if newest else True,
            protocol=MQTTProtocolVersion.MQTTv5 if newest else MQTTProtocolVersion.MQTTv311,
        )
        if self._user is not None:
            client.username_pw_set(self._user, self._password)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        self._welcome, self._gone, self._most = None, False, None
        self._acknowledged.clear()
        try:
            if self._tls:
                cafile = None if self._ca is None else str(self._ca)
                client.tls_set_context(ssl.create_default_context(cafile=cafile))
            client.connect(self._host, self._port, _KEEPALIVE)
        except ssl.SSLError as error:
            raise Unreachable("The broker's certificate is not trusted.") from error
        except OSError as error:
            raise Unreachable(f"No connection to the broker ({type(error).__name__}).") from error
        self._client = client
        client.loop_start()
        reason = self._welcomed()
        if reason is None:
            self.close()
            raise Unreachable("The broker does not answer.")
        if reason.is_failure:
            self.close()
            if reason.value in _NOT_ALLOWED:
                raise KeyRefused("The broker does not let this device in.")
            raise Unreachable(f"The broker is not ready ({reason}).")
        return client

    def _welcomed(self) -> ReasonCode | None:
        with self._changed:
            self._changed.wait_for(lambda: self._welcome is not None, _CONNECT_S)
            return self._welcome

    def _reason(self, mid: int) -> int:
        """The broker's reason code for a message; Unreachable where it says nothing in time."""
        with self._changed:
            heard = self._changed.wait_for(
                lambda: mid in self._acknowledged or self._gone, _ACKNOWLEDGE_S
            )
            reason = self._acknowledged.pop(mid, None)
        if reason is None:
            self.close()
            what = "is gone" if heard else "acknowledges nothing"
            raise Unreachable(f"The broker {what}.")
        return reason

    def _judge(self, reason: int) -> None:
        if reason == _NOBODY:
            raise Later("The broker has nobody to keep captures for: is the bridge running?")
        if reason in _NOT_ALLOWED:
            raise KeyRefused("The broker does not let this device publish for its camera.")
        if reason in _BUSY:
            raise Later("The broker asks for patience.")
        if reason == _TOO_LARGE:
            raise TooMuch("The broker takes no message as large.")
        if reason >= 0x80:
            raise Misanswered(f"The broker refuses the message (reason {reason:#x}).")

    # --- called by the client's own thread --------------------------------------------------------
    def _on_connect(
        self,
        client: mqtt.Client,
        userdata: Any,
        flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        with self._changed:
            self._welcome, self._gone = reason, False
            self._most = getattr(properties, "MaximumPacketSize", None)
            self._changed.notify_all()

    def _on_disconnect(self, client: mqtt.Client, *_: Any) -> None:
        with self._changed:
            self._gone = True
            self._changed.notify_all()

    def _on_publish(
        self,
        client: mqtt.Client,
        userdata: Any,
        mid: int,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        with self._changed:
            self._acknowledged[mid] = int(reason.value)
            self._changed.notify_all()
