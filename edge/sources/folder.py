"""A folder into which something else, such as a camera over FTP, puts pictures."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from edge.clock import Clock
from edge.health import Health
from edge.items import Frame
from edge.sources.base import Framing, Place
from inference.pictures import PictureError, decode_picture
from inference.results import Picture

_ENDINGS: Final = frozenset({".jpg", ".jpeg", ".png", ".webp"})
_LOOKS: Final = 5
"""A picture that is still not whole after as many looks, unchanged, is set aside."""

_SEEN: Final = ".platewarden-seen"
_HOUR: Final = 3600.0


class FolderSource:
    """Each new picture, oldest first, captured when its file was last written.

    A picture that was used is moved to `done/`, from where it is deleted after `done_hours`; one
    that is none goes to `refused/` (counted: `pictures_refused`). With `keep`, the folder is left
    as it is, and what was used is remembered in a file of digests there. A picture counts as used
    when the next one is asked for: one in use when the power fails is used again.
    """

    def __init__(
        self,
        folder: Path,
        *,
        clock: Clock,
        health: Health,
        place: Place | None = None,
        keep: bool = False,
        poll_seconds: float = 1.0,
        done_hours: float = 24.0,
        wall: Callable[[], float] = time.time,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        self.name = f"the folder {folder.name}"
        self._folder, self._clock, self._health = folder, clock, health
        self._framing = Framing(clock, health, place, None)  # single pictures may well be alike
        self._keep, self._poll, self._done_hours = keep, poll_seconds, done_hours
        self._wall = wall
        self._closed = threading.Event()
        self._wait = wait or self._closed.wait
        self._last = float("-inf")
        self._doubtful: dict[str, tuple[str, int]] = {}
        self._seen = self._remembered() if keep else set()
        self._tidied = float("-inf")

    def close(self) -> None:
        self._closed.set()

    def frames(self) -> Iterator[Frame]:
        while not self._closed.is_set():
            try:
                waiting = self._waiting()
                self._health.trouble("source", None)
            except OSError:
                waiting = []
                self._health.trouble("source", f"Pictures cannot be read from {self.name}.")
            for path, written in waiting:
                if self._closed.is_set():
                    return
                picture = self._picture(path)
                if picture is not None:
                    yield self._framing.frame(picture, self._moment(written))
                    self._settle(path, "done")
            self._tidy()
            self._wait(self._poll)

    def _waiting(self) -> list[tuple[Path, float]]:
        """Pictures not used yet, with the second at which they were written, in that order."""
        found = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if Path(entry.name).suffix.lower() not in _ENDINGS or entry.name.startswith("."):
                    continue
                try:
                    if not entry.is_file():
                        continue
                    status = entry.stat()
                except FileNotFoundError:
                    continue
                if not self._keep or _digest(entry.name, status) not in self._seen:
                    found.append((status.st_mtime_ns, entry.name))
        there = {name for _, name in found}
        self._doubtful = {name: one for name, one in self._doubtful.items() if name in there}
        return [(self._folder / name, written / 1e9) for written, name in sorted(found)]

    def _picture(self, path: Path) -> Picture | None:
        """None while it is not whole yet."""
        try:
            mark = _digest(path.name, path.stat())
            picture = decode_picture(path.read_bytes())
        except OSError:
            return None  # gone again, or not to be read: looked at again
        except PictureError:
            last, looks = self._doubtful.get(path.name, ("", 0))
            looks = looks + 1 if last == mark else 1
            self._doubtful[path.name] = (mark, looks)
            if looks >= _LOOKS:
                self._health.count("pictures_refused")
                self._settle(path, "refused")
            return None
        self._doubtful.pop(path.name, None)
        return picture

    def _moment(self, written: float) -> float:
        """When the file was written, by the clock that never goes back."""
        at = self._clock.now() - max(0.0, self._wall() - written)
        self._last = max(at, self._last)
        return self._last

    def _settle(self, path: Path, where: str) -> None:
        self._doubtful.pop(path.name, None)
        try:
            if self._keep:
                mark = _digest(path.name, path.stat())
                self._seen.add(mark)
                with open(self._folder / _SEEN, "a", opener=_private, encoding="ascii") as file:
                    file.write(mark + "\n")
            else:
                (self._folder / where).mkdir(mode=0o700, exist_ok=True)
                # the time of the move counts for how long it is kept, not the time of the picture
                path.replace(self._folder / where / path.name)
        except FileNotFoundError:
            pass
        except OSError:
            self._health.trouble("source", f"Pictures cannot be moved in {self.name}.")
            self._wait(self._poll)

    def _remembered(self) -> set[str]:
        """What was used before, less what is no longer there; the file is written anew."""
        try:
            lines = set((self._folder / _SEEN).read_text(encoding="ascii").split())
            with os.scandir(self._folder) as entries:
                kept = {_digest(one.name, one.stat()) for one in entries if one.is_file()} & lines
            fresh = self._folder / f"{_SEEN}.new"
            with open(fresh, "w", opener=_private, encoding="ascii") as file:
                file.writelines(f"{one}\n" for one in sorted(kept))
            fresh.replace(self._folder / _SEEN)
        except OSError:
            return set()
        return kept

    def _tidy(self) -> None:
        now = self._clock.now()
        if self._keep or now - self._tidied < _HOUR:
            return
        self._tidied = now
        for where in ("done", "refused"):
            try:
                for path in (self._folder / where).iterdir():
                    if self._wall() - path.stat().st_ctime > self._done_hours * _HOUR:
                        path.unlink()
            except OSError:
                continue


def _digest(name: str, status: os.stat_result) -> str:
    """A file as it was when used: one written anew under the same name is another picture."""
    what = f"{status.st_size} {status.st_mtime_ns} ".encode() + os.fsencode(name)
    return hashlib.sha256(what).hexdigest()[:24]


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
