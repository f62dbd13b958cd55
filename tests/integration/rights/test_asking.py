"""Asking over TLS: real handshakes, good and bad, and none at all."""

import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from enforcement.rights.asking import AskFailed, Reach, ask
from tests.integration.gateway.test_gateway_bridge import make_certificate
from tests.integration.rights.providers import AskedProvider, asked_provider, drips, says

QUESTION = json.dumps({"id": "q1"}).encode()
LOOP = [ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")]


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    make_certificate(tmp_path / "cert.pem", tmp_path / "key.pem")
    return tmp_path / "cert.pem"


@pytest.fixture
def served(certificate: Path) -> Iterator[AskedProvider]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    with asked_provider(says([]), tls=context) as provider:
        yield provider


def asked(url: str, timeout: float = 5, **headers: str) -> Any:
    host = url.split("/")[2]
    reach = Reach([host], LOOP)
    return json.loads(ask(url, QUESTION, headers=headers, timeout=timeout, reach=reach))


def test_a_certificate_that_is_trusted(
    served: AskedProvider, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    answer = asked(f"https://localhost:{served.port}/ask?a=b", **{"X-Own": "1"})
    assert answer == {"id": "q1", "rights": []}
    assert served.headers[0]["Host"] == f"localhost:{served.port}"
    assert served.headers[0]["X-Own"] == "1"


def test_a_certificate_that_is_not(served: AskedProvider) -> None:
    with pytest.raises(AskFailed, match="tls_failed"):
        asked(f"https://localhost:{served.port}/")
    assert served.questions == []


def test_a_certificate_of_another_name(
    served: AskedProvider, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with pytest.raises(AskFailed, match="tls_failed"):
        asked(f"https://127.0.0.2:{served.port}/")
    assert served.questions == []


def test_an_answer_that_drips_through_tls(
    served: AskedProvider, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    served.answer = drips
    with pytest.raises(AskFailed, match="no_answer"):
        asked(f"https://localhost:{served.port}/", timeout=1)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_port_that_takes_the_call_and_says_nothing(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        held: list[socket.socket] = []
        thread = threading.Thread(target=lambda: held.append(server.accept()[0]))
        thread.start()
        with pytest.raises(AskFailed, match="no_answer"):
            asked(f"{scheme}://127.0.0.1:{port}/", timeout=0.5)
        thread.join(timeout=10)
        for one in held:
            one.close()


def test_the_next_address_is_tried_where_the_first_is_dead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with asked_provider(says([])) as provider:
        resolve = socket.getaddrinfo

        def two(host: str, port: int, *rest: Any, **more: Any) -> Any:
            hosts = ("127.9.9.9", "127.0.0.1") if host == "pay.example" else (host,)
            return [found for one in hosts for found in resolve(one, port, *rest, **more)]

        monkeypatch.setattr("socket.getaddrinfo", two)
        answer = asked(f"http://pay.example:{provider.port}/")
    assert answer["rights"] == []


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(AskFailed, match="no_connection"):
        asked(f"http://127.0.0.1:{port}/")
    with pytest.raises(AskFailed, match="no_such_host"):
        asked("https://nobody.invalid/")
