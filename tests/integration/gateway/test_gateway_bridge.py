"""The bridge at real brokers: everything once, whatever stops, breaks or is away."""

import json
import logging
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError

from cameras.models import Capture, Site
from gateway import bridge
from gateway.envelope import sealed
from gateway.frigate import TOPIC
from gateway.messages import Taken
from tests.integration.cameras.conftest import Device
from tests.integration.gateway.brokers import Amqtt, Broker, Mosquitto, publish
from tests.integration.gateway.conftest import at, bridging, eventually, stored, take

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "keys"])
READS = "platewarden/lane-1/reads"


def message(device: Device, *numbers: int) -> bytes:
    """Events of these numbers; the same number is the same message every time."""
    began = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    items = [
        {
            "kind": "read",
            "event_id": f"e{number}",
            "captured_at": (began - timedelta(hours=1, seconds=-number)).isoformat(),
            "read": {"text": f"SEEN{number:05}", "score": 0.9},
        }
        for number in numbers
    ]
    return json.dumps({"key": device.shown, "items": items}).encode()


def test_messages_arrive_once_however_often_they_are_sent(broker: Broker, device: Device) -> None:
    with bridging(at(broker)) as running:
        publish(broker, READS, message(device, 1), message(device, 1), message(device, 2, 3))
        publish(broker, READS, sealed(message(device, 4), key=device.shown), message(device, 1))
        eventually(lambda: running.counts["stored"] == 6)
    assert stored() == 4


def test_what_comes_while_the_bridge_is_away_is_there_when_it_is_back(
    broker: Broker, device: Device
) -> None:
    with bridging(at(broker)):
        pass
    publish(broker, READS, *(message(device, number) for number in range(20)))
    assert stored() == 0
    with bridging(at(broker)):
        eventually(lambda: stored() == 20)


def test_nothing_is_acknowledged_before_it_is_stored(broker: Broker, device: Device) -> None:
    """The database is away before a row is written, and again just after its commit."""
    tries: Counter[bytes] = Counter()

    def unsteady(topic: str, payload: bytes) -> Taken:
        tries[payload] += 1
        if tries[payload] == 1:
            raise OperationalError
        taken = take(topic, payload)
        if tries[payload] == 2:
            raise OperationalError
        return taken

    with bridging(at(broker), unsteady):
        publish(broker, READS, message(device, 1), message(device, 2))
        eventually(lambda: len(tries) == 2 and min(tries.values()) >= 3)
    assert stored() == 2


def test_what_was_not_stored_comes_again_to_the_next_bridge(
    mosquitto: Mosquitto, device: Device
) -> None:
    tried: list[bytes] = []

    def away(topic: str, payload: bytes) -> Taken:
        tried.append(payload)
        raise OperationalError

    with bridging(at(mosquitto), away):
        publish(mosquitto, READS, *(message(device, number) for number in range(30)))
        eventually(lambda: bool(tried))
    assert stored() == 0
    with bridging(at(mosquitto)):
        eventually(lambda: stored() == 30)


def test_more_than_can_be_held_stays_with_the_broker(
    mosquitto: Mosquitto, device: Device, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setattr(bridge, "_AT_ONCE", 5)
    steady = False

    def away(topic: str, payload: bytes) -> Taken:
        if not steady:
            raise OperationalError
        return take(topic, payload)

    with caplog.at_level(logging.INFO), bridging(at(mosquitto), away):
        publish(mosquitto, READS, *(message(device, number) for number in range(15)))
        eventually(lambda: "more waits than can be held" in caplog.text)
        steady = True
        eventually(lambda: stored() == 15)


def test_bad_messages_are_counted_by_reason_and_hold_up_nobody(
    broker: Broker, device: Device, caplog: pytest.LogCaptureFixture
) -> None:
    bad = [b"", b"\xff\0", b"{", b'{"plate": "SECRET1"}', b"PW1" + bytes(60)]
    with caplog.at_level(logging.INFO):
        with bridging(at(broker)) as running:
            publish(broker, READS, *bad, message(device, 1))
            publish(broker, "platewarden/lane-2/reads", message(device, 2))
            eventually(lambda: running.counts["stored"] == 1)
            eventually(lambda: running.counts["refused_unknown_camera"] == 1)
            counts = dict(running.counts)
        assert counts == {
            "stored": 1,
            "refused_json_malformed": 3,
            "refused_key_missing": 1,
            "refused_key_unknown": 1,
            "refused_unknown_camera": 1,
        }
    assert "bridge_counts" in caplog.text
    assert "refused_json_malformed" in caplog.text
    for secret in ("SECRET1", "SEEN0", device.shown, "lane-2"):
        assert secret not in caplog.text


def test_frigates_topic_and_ours_at_once(
    broker: Broker, device: Device, site: Site, settings: Any
) -> None:
    settings.FRIGATE_CAMERAS = {"garage": (site.slug, "lane-1")}
    said = {"type": "lpr", "id": "17-x", "name": None, "plate": "AB12CDE", "score": 0.9}
    said |= {"camera": "garage", "timestamp": datetime.now(UTC).timestamp()}
    frigate = json.dumps(said).encode()
    with bridging(at(broker)) as running:
        publish(broker, TOPIC, frigate, frigate)
        publish(broker, READS, message(device, 1))
        eventually(lambda: running.counts["stored"] == 3)
    assert stored() == 2
    assert set(Capture.objects.values_list("camera", flat=True)) == {device.camera.pk}


def test_the_bridge_outlives_its_broker(device: Device) -> None:
    """It may start first, and the broker may go away and come back."""
    broker = Amqtt()
    with bridging(at(broker), ready=False) as running:
        broker.start()
        eventually(lambda: running._subscribed)
        publish(broker, READS, message(device, 1))
        eventually(lambda: stored() == 1)
        broker.stop()
        eventually(lambda: not running._subscribed)
        broker.start()
        eventually(lambda: running._subscribed)
        publish(broker, READS, message(device, 2))
        eventually(lambda: stored() == 2)
    broker.stop()


def test_a_brokers_restart_loses_nothing(mosquitto: Mosquitto, device: Device) -> None:
    """The database is away until after the restart, so everything is still the broker's."""
    steady = False

    def away(topic: str, payload: bytes) -> Taken:
        if not steady:
            raise OperationalError
        return take(topic, payload)

    with bridging(at(mosquitto), away) as running:
        publish(mosquitto, READS, *(message(device, number) for number in range(30)))
        mosquitto.stop()
        eventually(lambda: not running._subscribed)
        mosquitto.start()
        steady = True
        eventually(lambda: stored() == 30)


def test_a_fault_of_ours_is_left_with_the_broker_and_holds_up_nobody(
    mosquitto: Mosquitto, device: Device, caplog: pytest.LogCaptureFixture
) -> None:
    broken = message(device, 1)

    def faulty(topic: str, payload: bytes) -> Taken:
        if payload == broken:
            raise KeyError("SEEN00001")
        return take(topic, payload)

    with bridging(at(mosquitto), faulty) as running:
        publish(mosquitto, READS, broken, message(device, 2))
        eventually(lambda: stored() == 1 and running.counts["left"] == 1)
    assert "SEEN00001" not in caplog.text
    # mended, the bridge is given it again
    with bridging(at(mosquitto)):
        eventually(lambda: stored() == 2)


def test_who_may_not_subscribe_surely_says_so_and_keeps_trying(
    tmp_path: Path, device: Device, caplog: pytest.LogCaptureFixture
) -> None:
    """A broker that grants less than QoS 1 would lose what comes while the bridge is away."""
    broker = Mosquitto(tmp_path / "mosquitto", 5, "allow_anonymous true\nmax_qos 0")
    broker.start()
    try:
        with caplog.at_level(logging.INFO), bridging(at(broker), ready=False):
            eventually(lambda: "does not let us have platewarden/+/reads" in caplog.text)
    finally:
        broker.stop()


def test_a_wrong_password_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broker = Mosquitto(tmp_path / "mosquitto", 3, "allow_anonymous false")
    broker.start()
    where = at(broker, username="bridge", password="wrong")
    try:
        with caplog.at_level(logging.INFO), bridging(where, ready=False):
            eventually(lambda: "the broker refuses us" in caplog.text)
        assert "wrong" not in caplog.text
    finally:
        broker.stop()


@pytest.mark.parametrize("version", [3, 5])
def test_over_tls_with_a_log_in(tmp_path: Path, device: Device, version: int) -> None:
    """The bridge trusts the given certificates only; devices may come in unencrypted here."""
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    make_certificate(certificate, key)
    inside = Mosquitto(tmp_path / "mosquitto", version)
    from tests.integration.gateway.brokers import free_port

    port = free_port()
    config = inside._config.read_text()
    inside._config.write_text(
        f"{config}\nlistener {port} 127.0.0.1\ncertfile {certificate}\nkeyfile {key}\n"
    )
    inside.start()
    try:
        trusting = bridge.Broker("localhost", port, tls=True, version=version, ca=str(certificate))  # type: ignore[arg-type]
        with bridging(trusting):
            publish(inside, READS, message(device, 1))
            eventually(lambda: stored() == 1)
        distrusting = bridge.Broker("localhost", port, tls=True, version=version)  # type: ignore[arg-type]
        with bridging(distrusting, ready=False) as running:
            publish(inside, READS, message(device, 2))
            eventually(lambda: running._delay > 1)
            assert not running._subscribed
        assert stored() == 1
    finally:
        inside.stop()


def make_certificate(certificate: Path, key: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
