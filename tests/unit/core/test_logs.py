"""An exception may hold a plate; a log line may not."""

import io
import json
import logging
import logging.config
from collections.abc import Iterator

import pytest
import structlog
import uvicorn
from celery.app.trace import TraceInfo
from celery.utils.log import get_logger
from django.conf import settings
from django.test import Client

from core.logs import BareExceptions

PLATE = "1AB2345"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Everything the product's own logging configuration writes."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    formatter = dict(settings.LOGGING["formatters"]["json"])
    made = logging.config.DictConfigurator({"version": 1}).configure_formatter(formatter)
    handler.setFormatter(made)
    handler.addFilter(BareExceptions())
    root = logging.getLogger()
    root.addHandler(handler)
    yield written
    root.removeHandler(handler)


def fail() -> None:
    raise ValueError(f"could not convert string to float: {PLATE!r}")


def test_a_structured_log_says_where_and_what_kind_but_not_the_message(lines: io.StringIO) -> None:
    try:
        fail()
    except ValueError as error:
        structlog.get_logger("t").exception("recognise_failed", capture="7")
        structlog.get_logger("t").error("once_more", exc_info=error)
        structlog.get_logger("t").error("and_more", exc_info=(type(error), error, None))
    said = lines.getvalue()
    assert PLATE not in said
    first = json.loads(json.loads(said.splitlines()[0])["event"])
    assert first["event"] == "recognise_failed"
    assert first["capture"] == "7"
    assert first["exception"].startswith("ValueError at ")
    assert "test_logs.py" in first["exception"]
    assert said.count("ValueError at ") == 3


def test_a_library_that_logs_its_exception_as_an_argument_does_not_quote_it(
    lines: io.StringIO,
) -> None:
    try:
        fail()
    except ValueError as error:
        # as Django's on_commit(robust=True) does
        logging.getLogger("django.db.backends.base").error("on_commit (%s).", error, exc_info=True)
    said = lines.getvalue()
    assert PLATE not in said
    assert "on_commit (ValueError). [ValueError at " in said


def test_a_failed_task_does_not_quote_its_exception(lines: io.StringIO) -> None:
    policy = TraceInfo._log_error.__globals__["log_policy_unexpected"]
    context = {
        "id": "7", "name": "stage.gather", "description": policy.description,
        "exc": f"ValueError('{PLATE}')", "traceback": f"… {PLATE}", "args": "()", "kwargs": "{}",
    }  # fmt: skip
    try:
        fail()
    except ValueError as error:
        told = (ValueError, error, error.__traceback__)
        get_logger("celery.app.trace").log(
            policy.severity, policy.format.strip(), context, exc_info=told, extra={"data": context}
        )
    said = lines.getvalue()
    assert PLATE not in said
    assert "stage.gather" in said
    assert "ValueError at " in said


def test_the_server_logs_through_our_filter_too() -> None:
    uvicorn.Config("none:none")  # gives its loggers handlers of their own
    logging.config.dictConfig(settings.LOGGING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        assert logger.handlers == []
        assert logger.propagate


def test_a_refused_form_does_not_write_its_address(lines: io.StringIO) -> None:
    """The address of a notice's page is the key to it."""
    client = Client(enforce_csrf_checks=True)
    assert client.post("/notice/2026-000001/c2VjcmV0/pdf/").status_code == 403
    assert "c2VjcmV0" not in lines.getvalue()
    assert "/notice/<str:number>/<str:secret>/pdf/" in lines.getvalue()
