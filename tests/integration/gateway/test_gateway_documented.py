"""docs/gateway.md's own mosquitto configuration lets in whom it says, and keeps out the others."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from gateway import bridge
from gateway.messages import Taken
from tests.integration.cameras.conftest import Device
from tests.integration.gateway.brokers import Mosquitto
from tests.integration.gateway.conftest import bridging, eventually, stored
from tests.integration.gateway.test_gateway_bridge import make_certificate, message

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "keys"])
PAGE = Path(__file__).resolve().parents[3] / "docs" / "gateway.md"
PEOPLE = ("bridge", "frigate", "lane-1", "lane-2")


class Documented(Mosquitto):
    """A broker as the page has it, with its files in a folder of the test's."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, 3)
        blocks = re.findall(r"```\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
        config = next(block for block in blocks if block.startswith("listener "))
        rules = next(block for block in blocks if block.startswith("# acl"))
        for name, file in {
            "certs/server.pem": "cert.pem",
            "certs/server.key": "key.pem",
            "passwords": "passwords",
            "acl": "acl",
        }.items():
            config = config.replace(f"/etc/mosquitto/{name}", str(folder / file))
        (folder / "acl").write_text(rules)
        make_certificate(folder / "cert.pem", folder / "key.pem")
        make_passwords(folder / "passwords")
        user = self._config.read_text().splitlines()[0]
        self._config.write_text(
            (f"{user}\n" if user.startswith("user ") else "")
            + config.replace("listener 8883", f"listener {self.port} 127.0.0.1")
            + f"persistence_location {folder}/\n"
        )


def make_passwords(file: Path) -> None:
    program = shutil.which("mosquitto_passwd", path="/usr/bin:/usr/local/bin:/opt/homebrew/bin")
    if program is None:
        pytest.skip("mosquitto_passwd is not installed")
    for name in PEOPLE:
        flags = ["-b"] if file.exists() else ["-b", "-c"]
        subprocess.run([program, *flags, str(file), name, f"of {name}"], check=True)


def send(broker: Documented, folder: Path, who: str, topic: str, payload: bytes) -> None:
    """Published by `who` and acknowledged: a broker of 3.1.1 doesn't say that it dropped it."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.tls_set(str(folder / "cert.pem"))
    client.username_pw_set(who, f"of {who}")
    client.connect("localhost", broker.port)
    client.loop_start()
    try:
        client.publish(topic, payload, qos=1).wait_for_publish(15)
    finally:
        client.disconnect()
        client.loop_stop()


def test_the_documented_broker(tmp_path: Path, device: Device, neighbour: Device) -> None:
    folder = tmp_path / "mosquitto"
    broker = Documented(folder)
    broker.start()
    where = bridge.Broker(
        "localhost", broker.port, tls=True, username="bridge", password="of bridge",
        ca=str(folder / "cert.pem"),
    )  # fmt: skip
    try:
        with bridging(where) as running:
            # another's topic, though with that camera's key: the broker drops it
            send(broker, folder, "lane-2", "platewarden/lane-1/reads", message(device, 1))
            send(broker, folder, "frigate", "platewarden/lane-1/reads", message(device, 2))
            send(broker, folder, "lane-1", "frigate/tracked_object_update", b"{}")
            send(broker, folder, "lane-1", "platewarden/lane-1/reads", message(device, 3))
            send(broker, folder, "lane-2", "platewarden/lane-2/reads", message(neighbour, 4))
            eventually(lambda: running.counts["stored"] == 2)
            assert dict(running.counts) == {"stored": 2}
        # who may not read hears nothing: as a second bridge, a device gets no message at all
        nosy = bridge.Broker(
            "localhost", broker.port, tls=True, username="lane-2", password="of lane-2",
            ca=str(folder / "cert.pem"), client_id="nosy",
        )  # fmt: skip
        heard: list[bytes] = []

        def hear(topic: str, payload: bytes) -> Taken:
            heard.append(payload)
            return Taken()

        with bridging(nosy, hear), bridging(where) as running:
            send(broker, folder, "lane-1", "platewarden/lane-1/reads", message(device, 5))
            eventually(lambda: running.counts["stored"] == 1)
        assert heard == []
    finally:
        broker.stop()
    assert stored() == 3
