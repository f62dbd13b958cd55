"""The table of processes: everything `./run serve` supervises beside the two services."""

from __future__ import annotations

import os
import sys

from runner.child import Process
from runner.paths import VENV_PYTHON, Var


def cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def table(var: Var, *, bind: str, port: int) -> list[Process]:
    """In the order of starting. They are stopped in the reverse order."""
    python = str(VENV_PYTHON)
    celery = (python, "-m", "celery", "-A", "alpr_site")

    def worker(queue: str, concurrency: int, *, nice: int = 0) -> Process:
        return Process(
            f"worker-{queue}",
            (
                *celery, "worker", "-Q", queue, "-c", str(concurrency), "-n", f"{queue}@%h",
                "--prefetch-multiplier=1", "--without-gossip", "--without-mingle",
                "--loglevel", "INFO",
            ),
            grace_s=20.0,
            nice=nice,
        )  # fmt: skip

    return [
        Process(
            "web",
            (
                python, "-m", "uvicorn", "alpr_site.asgi:application",
                "--host", bind, "--port", str(port),
                # The parser that limits how long a request's head may be.
                "--http", "h11",
                # The live feed's connections never end by themselves.
                "--timeout-graceful-shutdown", "5",
                # A search may stand in a URL: no plate may reach a log.
                "--no-access-log",
            ),
        ),
        Process(
            "beat",
            (
                *celery, "beat", "--pidfile=", "--schedule", str(var.run / "beat-schedule"),
                "--loglevel", "INFO",
            ),
        ),
        # What is short goes first: when more frames come than can be read, they wait in their rows,
        # and 202s, pages and the verdicts of what has been read don't wait with them.
        worker("recognise", cores(), nice=5),
        worker("flow", 1),
        # Forgetting comes in bursts that nobody waits for.
        worker("house", 1, nice=10),
        # Only where there is a broker to listen to.
        *(
            [Process("bridge", (python, "manage.py", "mqtt_bridge"))]
            if os.environ.get("PLATEWARDEN_MQTT_URL")
            else []
        ),
    ]  # fmt: skip
