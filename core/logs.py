"""What an exception may say in a log: where it happened and its type, not its values.

The message of a database or parser error can quote its input, and an input can be a plate.
"""

import logging
import traceback


class BareExceptions(logging.Filter):
    """Replace a record's exception by its type and the lines it came through."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record; never drops one."""
        if record.exc_info and record.exc_info[0] is not None:
            kind, _, trace = record.exc_info
            frames = [
                f"{frame.filename}:{frame.lineno} {frame.name}"
                for frame in traceback.extract_tb(trace)[-12:]
            ]
            record.exc_info = None
            record.exc_text = None
            record.msg = (
                f"{record.getMessage()} [{kind.__name__} at {' < '.join(reversed(frames))}]"
            )
            record.args = ()
        return True
