"""What systemd is told: ready, alive, stopping (sd_notify(3), over the socket it names)."""

from __future__ import annotations

import os
import socket


def notify(*lines: str) -> bool:
    """Tell systemd, such as "READY=1"; whether there is one to tell. Never raises."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address[0] == "@":  # an abstract socket is written so, its name begins with a null byte
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
            line.settimeout(1.0)
            line.sendto("\n".join(lines).encode(), address)
    except OSError:
        return False
    return True


def watchdog_seconds() -> float | None:
    """How often systemd wants to hear of us (twice as often as it would give up), None where it
    watches nothing."""
    try:
        asked = int(os.environ.get("WATCHDOG_USEC", ""))
        ours = int(os.environ.get("WATCHDOG_PID", os.getpid())) == os.getpid()
    except ValueError:
        return None
    return asked / 2e6 if ours and asked > 0 else None
