"""One tree of errors the product answers with; `core.api` turns them into responses.

Every error has a `code` for machines, a `sentence` for people and, where one input field is to
blame, its name. None of them ever quotes a plate or a key.
"""

from typing import Any


class ProductError(Exception):
    """Something the caller did wrong or must know; never a bug of ours."""

    status = 400

    def __init__(self, code: str, sentence: str, *, field: str | None = None) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code
        self.sentence = sentence
        self.field = field

    def as_dict(self) -> dict[str, Any]:
        """The body's `error` object: `{"code", "sentence", "field"}`."""
        return {"code": self.code, "sentence": self.sentence, "field": self.field}


class BadInput(ProductError):
    """400: the request is understood and wrong."""


class NotAuthenticated(ProductError):
    """401: no key, or one we don't know."""

    status = 401


class NotAllowed(ProductError):
    """403: we know who asks, and they may not."""

    status = 403


class NotFound(ProductError):
    """404: nothing there, or nothing this person may know of."""

    status = 404


class Conflict(ProductError):
    """409: it contradicts what is already stored."""

    status = 409


class TooLarge(ProductError):
    """413: more bytes or pixels than we take."""

    status = 413


class Unsupported(ProductError):
    """415: a format we don't take."""

    status = 415


class TooMany(ProductError):
    """429: slower, please; `retry_after` in seconds."""

    status = 429

    def __init__(self, code: str, sentence: str, *, retry_after: float) -> None:
        super().__init__(code, sentence)
        self.retry_after = retry_after


class NotNow(ProductError):
    """503: something we stand on is away for a moment; nothing was stored."""

    status = 503
    retry_after = 2.0
