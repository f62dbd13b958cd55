"""How the REST API answers errors: always `{"error": {"code", "sentence", "field"}}`."""

import errno
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler

from core.errors import NotNow, ProductError, TooMany

log = structlog.get_logger(__name__)


def error_response(error: ProductError) -> Response:
    """The response of one of our own errors."""
    response = Response({"error": error.as_dict()}, status=error.status)
    if isinstance(error, TooMany | NotNow):
        response["Retry-After"] = str(max(1, round(error.retry_after)))
    return response


def _first(detail: Any, field: str | None = None) -> tuple[str, str, str | None]:
    """The first (code, sentence, field) of a DRF error detail, however nested."""
    if isinstance(detail, dict):
        key, value = next(iter(detail.items()))
        name = None if key in ("detail", "non_field_errors") else str(key)
        return _first(value, f"{field}.{name}" if field and name else name or field)
    if isinstance(detail, list):
        return _first(detail[0], field) if detail else ("invalid", "Invalid input.", field)
    return str(getattr(detail, "code", "invalid")), str(detail), field


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's EXCEPTION_HANDLER: our errors, then DRF's in our shape; anything else is a bug."""
    if isinstance(exc, ProductError):
        return error_response(exc)
    if isinstance(exc, OperationalError | InterfaceError):
        # the database is away or restarting: a device keeps what it has and tries again
        log.warning("database_away", error=type(exc).__name__)
        return error_response(NotNow("try_again", "Not just now; please try again."))
    if isinstance(exc, OSError) and exc.errno in (errno.ENOSPC, errno.EDQUOT):
        log.error("disk_full")
        return error_response(NotNow("storage_full", "There is no room to store it just now."))
    if isinstance(exc, ConnectionError | TimeoutError):
        log.error("storage_away", error=type(exc).__name__)
        return error_response(NotNow("try_again", "Not just now; please try again."))
    if isinstance(exc, Http404):
        exc = exceptions.NotFound()
    elif isinstance(exc, PermissionDenied):
        exc = exceptions.PermissionDenied()
    response = drf_exception_handler(exc, context)
    if response is not None and isinstance(exc, exceptions.APIException):
        code, sentence, field = _first(exc.detail)
        response.data = {"error": {"code": code, "sentence": sentence, "field": field}}
    return response
