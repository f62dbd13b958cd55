"""What an exception may say in a log: where it happened and its type, not its values.

The message of a database or parser error can quote its input, and an input can be a plate.
"""

import logging
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from types import TracebackType
from typing import Any

_MOST_FRAMES = 12
_QUOTING = ("exc", "traceback", "args", "kwargs")
"""What Celery adds to the message of a failed task: its exception once more, as text."""


def bare(kind: type[BaseException], trace: TracebackType | None) -> str:
    """An exception's type and the lines it came through, innermost first."""
    frames = [
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(trace)[-_MOST_FRAMES:]
    ]
    return f"{kind.__name__} at {' < '.join(reversed(frames))}"


def bare_exception(
    logger: Any, name: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A structlog processor in place of `format_exc_info`, which would render the message."""
    given = event.pop("exc_info", None)
    if isinstance(given, BaseException):
        given = (type(given), given, given.__traceback__)
    elif given and not isinstance(given, tuple):
        given = sys.exc_info()
    if given and given[0] is not None:
        event["exception"] = bare(given[0], given[2])
    return event


class BareExceptions(logging.Filter):
    """Replace a record's exception by its type and the lines it came through."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record; never drops one."""
        request = getattr(record, "request", None)
        if request is not None and isinstance(record.args, tuple):
            # an address may hold a secret (a notice's) or others' ids: the pattern tells enough
            match = getattr(request, "resolver_match", None)
            route = f"/{match.route}" if match is not None else "…"
            path = getattr(request, "path", None)
            record.args = tuple(route if value == path else value for value in record.args)
        if isinstance(record.args, Mapping):
            record.args = {k: "…" if k in _QUOTING else _bare(v) for k, v in record.args.items()}
        elif record.args:
            record.args = tuple(_bare(value) for value in record.args)
        if record.exc_info and record.exc_info[0] is not None:
            kind, _, trace = record.exc_info
            record.exc_info = None
            record.exc_text = None
            record.msg = f"{record.getMessage()} [{bare(kind, trace)}]"
            record.args = ()
        return True


def _bare(value: object) -> object:
    return type(value).__name__ if isinstance(value, BaseException) else value
