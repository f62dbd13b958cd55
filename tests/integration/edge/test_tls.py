"""Both roads over TLS: a certificate of one's own is trusted where named, else nothing goes."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from edge.items import Item
from edge.spool import Spooled
from edge.transport import Later, Unreachable
from edge.transport.mqtt import MqttTransport
from edge.transport.rest import RestTransport
from tests.integration.gateway.brokers import Mosquitto, program
from tests.integration.gateway.test_gateway_bridge import make_certificate

NOW = datetime.now(UTC)
KEY = "pwd_0123abcd_" + "x" * 43


class Answers(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        said = b'{"received_at": "2026-03-01T09:00:00Z"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing."""


@contextmanager
def served(certificate: Path, key: Path) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = HTTPServer(("127.0.0.1", 0), Answers)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_rest(tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    make_certificate(certificate, key)
    with served(certificate, key) as port:
        url = f"https://localhost:{port}"
        assert RestTransport(url, KEY, ca=certificate).heartbeat({})["received_at"]
        with pytest.raises(Unreachable, match="certificate"):
            RestTransport(url, KEY).heartbeat({})


def test_mqtt(tmp_path: Path) -> None:
    program()
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    make_certificate(certificate, key)
    broker = Mosquitto(
        tmp_path / "mosquitto",
        5,
        f"allow_anonymous true\ncertfile {certificate}\nkeyfile {key}",
    )
    broker.start()
    item = [Spooled(1, Item("read", NOW, {"read": {"text": "AB1CD", "score": 0.9}}), 1)]
    try:
        trusted = MqttTransport("localhost", broker.port, camera="lane-1", key=KEY, ca=certificate)
        with pytest.raises(Later, match="nobody"):  # it was let in and heard
            trusted.send(item, sent_at=NOW, through=NOW)
        trusted.close()
        other = MqttTransport("localhost", broker.port, camera="lane-1", key=KEY)
        with pytest.raises(Unreachable, match="certificate"):
            other.send(item, sent_at=NOW, through=NOW)
    finally:
        broker.stop()
