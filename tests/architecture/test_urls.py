"""Every address has a gate, or a reason why it needs none."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

OPEN = {
    "accounts/": "allauth's own pages: log-in must be reachable, the others check themselves",
    "admin/login/": "the admin's log-in redirects to ours",
    "admin/jsi18n/": "translations of the admin's own scripts, no data",
    "api/v1/schema": "the API's description holds no data",
    "api/v1/docs": "the API's description holds no data",
    "api/v1/enrol": "a device has no key before it: its one-time token is checked there",
    "api/": "leads to the description",
    "api/v1/": "leads to the description",
    "admin/logout/": "ends a session; without one there is nothing to end",
    "healthz": "liveness for a load balancer: says ok or not, nothing else",
    "static/": "files that ship with the product",
}
DEVICE = ("api/v1/captures", "api/v1/heartbeats", "api/v1/rights")


def addresses(patterns: Any = None, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for item in get_resolver().url_patterns if patterns is None else patterns:
        where = prefix + str(item.pattern).lstrip("^").rstrip("$")
        if isinstance(item, URLResolver):
            yield from addresses(item.url_patterns, where)
        else:
            yield where, item


def example(where: str) -> str:
    """An address that fits the pattern, with harmless values."""
    where = where.replace("/?", "").replace("\\", "").replace("\\Z", "")
    where = re.sub(r"<uuid:[^>]+>", "00000000-0000-7000-8000-000000000000", where)
    where = re.sub(r"<int:[^>]+>", "1", where)
    where = re.sub(r"\(\?P<[^>]+>[^)]*\)", "00000000-0000-7000-8000-000000000000", where)
    where = re.sub(r"<[^>]+>", "x", where)
    return "/" + where.replace("$", "").replace("^", "").removesuffix("Z")


def is_open(where: str) -> bool:
    plain = where.rstrip("/?")
    return plain in {name.rstrip("/") for name in OPEN} or where.startswith("accounts/")


def closed() -> list[str]:
    return sorted({where for where, _ in addresses() if not is_open(where)})


@pytest.mark.django_db(databases=["default", "keys"])
def test_a_stranger_gets_nothing_anywhere(client: Client) -> None:
    """Without a log-in or key every closed address answers 401, 403, 404 or leads to log-in."""
    let_in = {}
    for where in closed():
        for method in ("get", "post"):
            answer = getattr(client, method)(example(where), REMOTE_ADDR="203.0.113.9")
            to_login = answer.status_code == 302 and "/login/" in answer["Location"]
            if not to_login and answer.status_code not in (401, 403, 404, 405):
                let_in[f"{method} {where}"] = answer.status_code
    assert let_in == {}


def test_every_exception_is_used() -> None:
    """An exception whose address is gone goes too."""
    known = [where for where, _ in addresses()]
    unused = [
        where
        for where in OPEN
        if where != "static/"
        and not any(k.startswith(where) or k.rstrip("/?") == where.rstrip("/") for k in known)
    ]
    assert unused == []


@pytest.mark.django_db(databases=["default", "keys"])
def test_device_addresses_answer_with_and_without_a_slash(client: Client) -> None:
    """A redirect would lose the body of a POST."""
    for where in DEVICE:
        for slash in ("", "/"):
            assert client.post(f"/{where}{slash}", REMOTE_ADDR="203.0.113.9").status_code == 401
