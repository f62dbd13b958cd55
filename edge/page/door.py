"""Who may look at the page: one password, few attempts, sessions that end."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from base64 import b64decode, b64encode
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

SHORTEST_PASSWORD: Final = 10
_LONGEST_PASSWORD: Final = 200
_COST: Final = (2**14, 8, 1)  # scrypt n, r, p: 16 MB and some 50 ms of a PC, 200 ms of a Pi 4
_IDLE_S: Final = 30 * 60.0
_LIFE_S: Final = 12 * 3600.0
_FREE_ATTEMPTS: Final = 5
_LONGEST_WAIT_S: Final = 15 * 60.0
_MOST_KEPT: Final = 1000
_MOST_SESSIONS: Final = 32
_BUSY_S: Final = 3.0


def hash_password(password: str) -> str:
    """What the configuration keeps: "scrypt:<n>:<r>:<p>:<salt>:<hash>". ValueError with a sentence
    where the password is shorter than `SHORTEST_PASSWORD` or longer than 200 characters."""
    if not SHORTEST_PASSWORD <= len(password) <= _LONGEST_PASSWORD:
        raise ValueError(
            f"The password needs {SHORTEST_PASSWORD} to {_LONGEST_PASSWORD} characters."
        )
    salt = secrets.token_bytes(16)
    n, r, p = _COST
    found = hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, dklen=32)
    return f"scrypt:{n}:{r}:{p}:{b64encode(salt).decode()}:{b64encode(found).decode()}"


class _Hash:
    """A kept hash. ValueError where the text is none."""

    def __init__(self, kept: str) -> None:
        try:
            kind, n, r, p, salt, wanted = kept.split(":")
            self._n, self._r, self._p = int(n), int(r), int(p)
            self._salt, self._wanted = b64decode(salt), b64decode(wanted)
            if kind != "scrypt" or len(self._wanted) != 32 or not 2**10 <= self._n <= 2**20:
                raise ValueError(kind)
            self.matches("")
        except ValueError as error:
            raise ValueError("This is not the hash of a password.") from error

    def matches(self, password: str) -> bool:
        found = hashlib.scrypt(
            password.encode("utf-8", "surrogatepass"),
            salt=self._salt,
            n=self._n,
            r=self._r,
            p=self._p,
            dklen=32,
            maxmem=2**28,
        )
        return hmac.compare_digest(found, self._wanted)


class Door:
    """Attempts and sessions, in memory: a restart ends every session. Threads share one.

    An address has five attempts; after each further wrong one it waits twice as long, up to a
    quarter of an hour. Passwords are checked one at a time, so that guessing from many addresses
    is as slow as from one and takes no more than one core.
    """

    def __init__(self, password_hash: str, now: Callable[[], float] = time.monotonic) -> None:
        self._hash, self._now = _Hash(password_hash), now
        self._lock, self._checking = threading.Lock(), threading.Lock()
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._sessions: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """Seconds until this address may try again."""
        with self._lock:
            return self._wait_s(address)

    def enter(self, address: str, password: str) -> str | None:
        """A new session's token where the password is right; None where it is wrong or the address
        has to wait. Takes a noticeable part of a second."""
        if not self._checking.acquire(timeout=_BUSY_S):
            return None  # others are being checked; nobody waits in line for ever
        try:
            if self.wait_s(address) > 0:
                return None
            right = len(password) <= _LONGEST_PASSWORD and self._hash.matches(password)
            with self._lock:
                if right:
                    self._wrong.pop(address, None)
                    return self._opened()
                self._count_wrong(address)
                return None
        finally:
            self._checking.release()

    def inside(self, token: str | None) -> bool:
        """Whether this is a session that lasts; using it keeps it for another half hour."""
        if not token:
            return False
        key, now = _digest(token), self._now()
        with self._lock:
            born, used = self._sessions.get(key, (0.0, float("-inf")))
            if now - used > _IDLE_S or now - born > _LIFE_S:
                self._sessions.pop(key, None)
                return False
            self._sessions[key] = (born, now)
            self._sessions.move_to_end(key)
            return True

    def leave(self, token: str | None) -> None:
        """End a session."""
        if token:
            with self._lock:
                self._sessions.pop(_digest(token), None)

    def _opened(self) -> str:
        token, now = secrets.token_urlsafe(32), self._now()
        self._sessions[_digest(token)] = (now, now)
        while len(self._sessions) > _MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return token

    def _count_wrong(self, address: str) -> None:
        times = self._wrong.get(address, (0, 0.0))[0] + 1
        self._wrong[address] = (times, self._now())
        self._wrong.move_to_end(address)
        while len(self._wrong) > _MOST_KEPT:
            self._wrong.popitem(last=False)

    def _wait_s(self, address: str) -> float:
        times, last = self._wrong.get(address, (0, 0.0))
        if times < _FREE_ATTEMPTS:
            return 0.0
        pause = min(_LONGEST_WAIT_S, 2.0 ** min(times - _FREE_ATTEMPTS + 2, 20))
        return max(0.0, last + pause - self._now())


def _digest(token: str) -> bytes:
    """What is kept of a token: looking it up tells nothing about it by the time it takes."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
