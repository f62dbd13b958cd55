"""Asking a provider over HTTP, without letting it lead us anywhere or hold us up.

Only hosts an administrator allows are asked, over TLS; the name is resolved once, and an address
that isn't public is refused unless it lies in a network that is allowed by name (server-side
request forgery). No redirect is followed. The whole exchange ends at its time-out, however slowly
the other side drips. Nothing here knows a database.
"""

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Timer
from urllib.parse import urlsplit

from core.errors import BadInput

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

LARGEST_ANSWER = 256 * 1024
"""Bytes; a vehicle has a handful of rights."""

_PORTS = {"https": 443, "http": 80}
_GIVEN_OUT = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class AskFailed(Exception):
    """No answer that could be used. `code` says why, and never quotes what was sent or came."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom we may ask: `hosts` as `name` or `name:port`, and private `networks` within which these
    may lie, and may be asked without TLS."""

    hosts: Sequence[str] = ()
    networks: Sequence[Network] = ()


@dataclass(frozen=True, slots=True)
class _Place:
    host: str
    port: int
    tls: bool
    path: str

    @property
    def name(self) -> str:
        """As a Host header says it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = self.port == _PORTS["https" if self.tls else "http"]
        return host if usual else f"{host}:{self.port}"


def place_of(url: str, reach: Reach) -> _Place:
    """Where `url` leads, if it may be asked.

    BadInput `url_unreadable`, `url_not_https`, `host_not_allowed`, all naming the field `url`.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if not host or parts.username is not None or parts.fragment:
        raise BadInput("url_unreadable", "An address reads https://host/path.", field="url")
    if parts.scheme != "https" and not (parts.scheme == "http" and reach.networks):
        raise BadInput("url_not_https", "A provider is asked over https only.", field="url")
    place = _Place(
        host,
        port or _PORTS[parts.scheme],
        parts.scheme == "https",
        (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
    )
    if not {host, f"{host}:{place.port}", place.name} & set(reach.hosts):
        raise BadInput(
            "host_not_allowed",
            "That host is not among those that may be asked (PLATEWARDEN_LOOKUP_HOSTS).",
            field="url",
        )
    if not all(0x20 < ord(character) < 0x7F for character in place.path):
        raise BadInput("url_unreadable", "An address has no spaces and only ASCII.", field="url")
    return place


def addresses_of(place: _Place, reach: Reach) -> list[str]:
    """Where to go, in the resolver's order. AskFailed `no_such_host`, `address_refused`."""
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise AskFailed("no_such_host") from None
    addresses = [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found]
    # one bad address among good ones is how a name is made to lead inside
    if not addresses or not all(_may_go(address, place.tls, reach) for address in addresses):
        raise AskFailed("address_refused")
    return [str(address) for address in dict.fromkeys(addresses)]


def _may_go(address: Address, tls: bool, reach: Reach) -> bool:
    inner = _inner(address)
    if any(one in network for one in inner for network in reach.networks):
        return True
    return tls and all(_public(one) for one in inner)


def _public(address: Address) -> bool:
    """Not all that the library calls global is: site-local, and translators' prefixes of one's own
    (RFC 8215), lead inside. What is given out to the public lies in 2000::/3 (RFC 4291)."""
    if not address.is_global or address.is_multicast:
        return False
    return address.version == 4 or address in _GIVEN_OUT or address in _NAT64


def _inner(address: Address) -> list[Address]:
    """An address, and what is wrapped in it: ways to write a private one that looks public."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    wrapped: list[Address] = [address]
    if address.sixtofour is not None:
        wrapped.append(address.sixtofour)
    if address.teredo is not None:
        wrapped.extend(address.teredo)
    if address in _NAT64:
        wrapped.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return wrapped


def ask(
    url: str, body: bytes, *, headers: Mapping[str, str], timeout: float, reach: Reach
) -> bytes:
    """POST a JSON body and give back the body of a 200.

    `timeout` is seconds to get through, and again for everything after that. Raises AskFailed:
    `no_such_host`, `address_refused`, `not_allowed`, `no_connection`, `tls_failed`, `no_answer` (in
    time), `answer_broken`, `answer_too_large`, `answer_<status>`.
    """
    try:
        place = place_of(url, reach)
    except BadInput:
        raise AskFailed("not_allowed") from None  # it was allowed once
    raw = _called(addresses_of(place, reach), place.port, timeout)
    late = _Late(raw)
    watch = Timer(timeout, late)
    watch.daemon = True
    watch.start()
    try:
        said = _exchange(late, place, body, headers)
    except (OSError, ValueError, http.client.HTTPException) as error:
        if late.struck or isinstance(error, TimeoutError):
            raise AskFailed("no_answer") from None
        code = "tls_failed" if isinstance(error, ssl.SSLError) else "answer_broken"
        raise AskFailed(code) from None
    finally:
        watch.cancel()
        late.line.close()
    if late.struck:  # an answer without a length looks whole wherever it was cut
        raise AskFailed("no_answer")
    return said


def _called(addresses: Sequence[str], port: int, timeout: float) -> socket.socket:
    """A line to the first address that answers, all of them within `timeout` seconds."""
    until = time.monotonic() + timeout
    failed = AskFailed("no_connection")
    for address in addresses:
        left = until - time.monotonic()
        if left <= 0:
            break
        try:
            return socket.create_connection((address, port), left)
        except TimeoutError:
            failed = AskFailed("no_answer")
        except OSError:
            failed = AskFailed("no_connection")
    raise failed


class _Late:
    """Cuts the line when the time is up: a socket's own time-out begins anew with every byte."""

    def __init__(self, line: socket.socket) -> None:
        self.line = line
        self.struck = False

    def __call__(self) -> None:
        self.struck = True
        with suppress(OSError):
            # not the TLS socket's own method, which pulls the ground from under a reading thread
            socket.socket.shutdown(self.line, socket.SHUT_RDWR)


def _exchange(late: _Late, place: _Place, body: bytes, headers: Mapping[str, str]) -> bytes:
    if place.tls:
        context = ssl.create_default_context()
        late.line = line = context.wrap_socket(
            late.line, server_hostname=place.host, do_handshake_on_connect=False
        )
        line.do_handshake()
    connection = http.client.HTTPConnection(place.host, place.port)
    connection.sock = late.line
    try:
        connection.request(
            "POST",
            place.path,
            body,
            {
                "Host": place.name,
                "Content-Type": "application/json",
                "Accept": "application/json",
                "User-Agent": "Platewarden",
                "Connection": "close",
                **headers,
            },
        )
        answer = connection.getresponse()
        if answer.status != 200:
            raise AskFailed(f"answer_{answer.status}")
        said = answer.read(LARGEST_ANSWER + 1)
        left = answer.length
    finally:
        connection.close()
    if len(said) > LARGEST_ANSWER:
        raise AskFailed("answer_too_large")
    if left:  # promised and not sent; http.client says so only to whoever reads without a limit
        raise AskFailed("answer_broken")
    return said
