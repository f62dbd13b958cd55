"""Request bodies, read strictly: JSON and multipart become the same raw items.

A body that can't be read at all is refused as a whole. Whatever is wrong inside one item (NaN, a
number of a thousand digits, a doubled key) is carried along for that item's own refusal, so that it
never harms its neighbours.
"""

import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, cast

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParser as DjangoMultiPartParser
from django.http.multipartparser import MultiPartParserError
from rest_framework.parsers import BaseParser

from cameras.intake import MISSING_PART
from cameras.values import Doubled, known_only
from core.errors import BadInput, TooLarge

MOST_ITEMS = 100
PARTS = ("picture", "crop")
_AS_JSON = frozenset({"latitude", "longitude", "heading", "sequence", "exposure", "read"})
_STRANGERS_BYTES = 4096
_LONGEST_INTEGER = 25  # digits; longer ones are out of every field's range anyway


@dataclass(frozen=True, slots=True)
class Submission:
    """The raw items of a request, and whether they came as a batch (which may be one or none).

    An item is a mapping of field to value (pictures: bytes, or base64 text), or whatever else the
    client put where an item belongs.
    """

    items: list[Any]
    batch: bool


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else math.inf


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else Doubled(found)


def strict_json(data: bytes | str) -> Any:
    """The value of a JSON text. ValueError when it is not one, or nested too deeply."""
    try:
        clear = data.decode() if isinstance(data, bytes) else data
        return json.loads(clear, parse_int=_integer, object_pairs_hook=_object)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def submission(body: Any) -> Submission:
    """The items of a body read as JSON."""
    if not isinstance(body, dict):
        raise BadInput("not_an_object", 'Send a JSON object, or {"items": […]}.')
    if "items" not in body:
        return Submission([body], batch=False)
    known_only(body, frozenset({"items"}))
    return Submission(batch_items(body["items"], most=MOST_ITEMS), batch=True)


def batch_items(items: Any, *, most: int) -> list[Any]:
    """What a client sent as `items`, if it is a list of 1 to `most`.

    BadInput `items_invalid`, `empty_batch`, `batch_too_large`.
    """
    if not isinstance(items, list):
        raise BadInput("items_invalid", "items is not a list.", field="items")
    if not items:
        raise BadInput("empty_batch", "The batch has no items.", field="items")
    if len(items) > most:
        raise BadInput("batch_too_large", f"A batch may have {most} items at most.", field="items")
    return items


def _refuse_large(context: Mapping[str, Any] | None, limit: int | None = None) -> None:
    """Refuse a body over the limit by its stated length; a WSGI server reads no further than it."""
    limit = settings.UPLOAD_MAX_BYTES if limit is None else limit
    request: HttpRequest = (context or {})["request"]
    length = str(request.META.get("CONTENT_LENGTH") or "0")
    if not length.isdecimal() or int(length) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> TooLarge:
    return TooLarge("body_too_large", f"A request may have {limit} bytes at most.")


class JSONBody(BaseParser):
    """`application/json` in UTF-8, as it is or compressed with gzip. BadInput `json_malformed`."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """The value, unchecked but for being JSON."""
        _refuse_large(parser_context)
        request: HttpRequest = (parser_context or {})["request"]
        body = stream.read()
        try:
            if request.META.get("HTTP_CONTENT_ENCODING") == "gzip":
                body = _unpacked(body)
            return strict_json(body)
        except ValueError:
            raise BadInput("json_malformed", "The body is not JSON in UTF-8.") from None


def _unpacked(body: bytes) -> bytes:
    """What was compressed with gzip; ValueError, or TooLarge before it has grown over the limit.

    Here, and not where bodies arrive: unpacking costs more than it costs to send, so it is for
    devices whose key is known and who are not too fast, and of strangers only for a few kB.
    """
    unpacking = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        clear = unpacking.decompress(body, settings.UPLOAD_MAX_BYTES)
    except zlib.error as error:
        raise ValueError("no gzip") from error
    if unpacking.unconsumed_tail:
        raise _too_large(settings.UPLOAD_MAX_BYTES)
    if not unpacking.eof or unpacking.unused_data:
        raise ValueError("not one whole gzip member")
    return clear


class StrangersJSON(JSONBody):
    """JSON of somebody whose key is not known: 4 kB at most."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """The value, unchecked but for being JSON."""
        _refuse_large(parser_context, _STRANGERS_BYTES)
        return super().parse(stream, media_type, parser_context)


class PictureBody(BaseParser):
    """A picture as it is, whatever its media type says. Its bytes, unchecked."""

    media_type = "*/*"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """The bytes."""
        _refuse_large(parser_context)
        return bytes(stream.read())


class CaptureJSON(JSONBody):
    """Captures as JSON, pictures in base64."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """A `Submission`."""
        return submission(super().parse(stream, media_type, parser_context))


class CaptureForm(BaseParser):
    """Captures as `multipart/form-data`, pictures as files. BadInput `form_malformed`."""

    media_type = "multipart/form-data"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """A `Submission`."""
        _refuse_large(parser_context)
        request: HttpRequest = (parser_context or {})["request"]
        meta = {**request.META, "CONTENT_TYPE": media_type or ""}
        try:
            data, files = DjangoMultiPartParser(
                meta, cast(Any, stream), request.upload_handlers, "utf-8"
            ).parse()
        except (MultiPartParserError, SuspiciousOperation, ValueError, LookupError):
            raise BadInput("form_malformed", "The body is not a whole multipart form.") from None
        fields: dict[str, Any] = {}
        doubled = False
        for name, values in [*data.lists(), *files.lists()]:
            doubled |= name in fields or len(values) != 1
            fields[str(name)] = _bytes(values[0])
        if "items" in fields and not doubled:
            return _form_batch(fields)
        item = {name: _typed(name, value) for name, value in fields.items()}
        return Submission([Doubled(item) if doubled else item], batch=False)


def _bytes(value: Any) -> Any:
    return value.read() if isinstance(value, UploadedFile) else value


def _typed(name: str, value: Any) -> Any:
    """A form field whose type is not text, read as JSON; left as it is where that fails."""
    if name not in _AS_JSON or not isinstance(value, str):
        return value
    try:
        return strict_json(value)
    except ValueError:
        return value


def _form_batch(fields: dict[str, Any]) -> Submission:
    """Items of a JSON array whose pictures name their file parts."""
    listed = fields.pop("items")
    try:
        items = strict_json(listed) if isinstance(listed, str) else None
    except ValueError:
        raise BadInput("json_malformed", "items is not JSON.", field="items") from None
    parts = {name: value for name, value in fields.items() if isinstance(value, bytes)}
    known_only(fields, frozenset(parts))
    items = batch_items(items, most=MOST_ITEMS)
    return Submission([_with_parts(item, parts) for item in items], batch=True)


def _with_parts(item: Any, parts: dict[str, bytes]) -> Any:
    if not isinstance(item, dict):
        return item
    found = type(item)(item)
    for name in PARTS:
        named = found.get(name)
        if isinstance(named, str):
            found[name] = parts.get(named, MISSING_PART)
    return found
