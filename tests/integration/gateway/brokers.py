"""Real brokers for the tests: amqtt in this process, mosquitto where it is installed."""

import asyncio
import logging
import os
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Protocol

import amqtt.broker
import pytest
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

_WITHIN = 15.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_for(port: int) -> None:
    end = time.monotonic() + _WITHIN
    while not answers(port):
        assert time.monotonic() < end, f"nothing listens on port {port}"
        time.sleep(0.02)


class Broker(Protocol):
    """A broker that can be stopped and started again."""

    port: int
    version: int

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Amqtt:
    """amqtt in a thread of its own. MQTT 3.1.1; its sessions do not outlive it."""

    version = 3

    def __init__(self) -> None:
        self.port = free_port()

    def start(self) -> None:
        # packets are logged with their content
        logging.getLogger("amqtt").setLevel(logging.CRITICAL)
        logging.getLogger("transitions").setLevel(logging.CRITICAL)
        self._loop = asyncio.new_event_loop()
        config = {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{self.port}"}},
            # of a client without a name it keeps nothing
            "plugins": {
                "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": False}
            },
        }
        up = threading.Event()

        async def begin() -> None:
            self._broker = amqtt.broker.Broker(config)
            await self._broker.start()
            up.set()

        def run() -> None:
            asyncio.set_event_loop(self._loop)
            self._loop.create_task(begin())
            self._loop.run_forever()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        assert up.wait(_WITHIN), "amqtt did not start"

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._broker.shutdown(), self._loop).result(_WITHIN)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_WITHIN)


class Mosquitto:
    """mosquitto as a process of its own; its sessions are kept on its disk."""

    def __init__(self, folder: Path, version: int, settings: str = "allow_anonymous true") -> None:
        self.port, self.version = free_port(), version
        self._folder = folder
        folder.mkdir()
        self._config = folder / "mosquitto.conf"
        user = "user root\n" if os.geteuid() == 0 else ""
        self._config.write_text(
            f"{user}per_listener_settings false\npersistence true\n"
            f"persistence_location {folder}/\nautosave_interval 1\n"
            f"listener {self.port} 127.0.0.1\n{settings}\n"
        )

    def start(self) -> None:
        self._process = subprocess.Popen(
            [program(), "-c", str(self._config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self.port)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(_WITHIN)


def program() -> str:
    """mosquitto's; the test is skipped where it is not installed."""
    found = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        pytest.skip("mosquitto is not installed")
    return found


def publish(broker: Broker, topic: str, *payloads: bytes, retain: bool = False) -> None:
    """Hands messages to the broker, as a device does: returns when it has acknowledged them."""
    newest = broker.version == 5
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        protocol=MQTTProtocolVersion.MQTTv5 if newest else MQTTProtocolVersion.MQTTv311,
    )
    client.username_pw_set("device")
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    try:
        sent = [client.publish(topic, payload, qos=1, retain=retain) for payload in payloads]
        for one in sent:
            one.wait_for_publish(_WITHIN)
            assert one.is_published()
    finally:
        client.disconnect()
        client.loop_stop()
