"""The real intake, served as in production, and a device that may send to it."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections

from tests.integration.cameras.conftest import Device, make_device, make_site


@pytest.fixture
def server(transactional_db: None, settings: Any) -> Iterator[str]:
    """The URL of our ASGI application on a port of its own, with no limit on how fast to send."""
    import uvicorn

    from alpr_site.asgi import application

    settings.DEVICE_RATE = settings.DEVICE_BURST = 1_000_000
    config = uvicorn.Config(application, host="127.0.0.1", port=0, log_level="warning")
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        while not running.started:
            assert thread.is_alive()
            threading.Event().wait(0.01)
        port = running.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        running.should_exit = True
        thread.join()
        for alias in connections:  # the server's threads keep theirs, in the way of the teardown
            with connections[alias].cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )


@pytest.fixture
def device(transactional_db: None) -> Device:
    return make_device(make_site("roadside"), "lane-1")
