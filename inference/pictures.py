"""Bytes of a picture in, pixels out, and a clear sentence where that cannot be done.

The header is read by hand before any decoder runs: a picture that would need gigabytes is refused
for a few bytes' work. Decoders are lenient about data that ends early (libjpeg fills the rest with
grey), and a plate read from half a picture is worse than none, so completeness is checked here.
"""

from __future__ import annotations

import re
import struct
import zlib
from typing import Final, NamedTuple

import cv2
import numpy as np

from inference.results import Picture

MAX_PIXELS: Final = 40_000_000
MAX_SIDE: Final = 65_535


class PictureError(Exception):
    """A picture that cannot be used. `code` is for programs, `sentence` for people.

    Codes: `unsupported_picture` (not JPEG, PNG or WebP), `broken_picture` (damaged or cut short),
    `picture_too_large` (more pixels than allowed).
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


class Header(NamedTuple):
    """Format ("jpeg", "png", "webp") and size in pixels as stored, before any EXIF rotation."""

    format: str
    width: int
    height: int


def sniff(data: bytes) -> Header:
    """Format and size from the first bytes, without decoding. Raises PictureError."""
    if data[:3] == b"\xff\xd8\xff":
        size = _jpeg_size(data)
        return Header("jpeg", *size)
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        size = _png_size(data)
        return Header("png", *size)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        size = _webp_size(data)
        return Header("webp", *size)
    if not data:
        raise PictureError("broken_picture", "The picture is empty.")
    raise PictureError("unsupported_picture", "The picture is not a JPEG, PNG or WebP file.")


def decode_picture(data: bytes, max_pixels: int = MAX_PIXELS) -> Picture:
    """Decode JPEG, PNG or WebP to BGR [height, width, 3]; alpha and depth above 8 bits are dropped.

    EXIF orientation is honoured (cv2's default): the picture comes out the way a person sees it, so
    width and height may be swapped against `sniff`. Raises PictureError.
    """
    header = sniff(data)
    if header.width < 1 or header.height < 1:
        raise PictureError("broken_picture", "The picture's header gives it no width or height.")
    if header.width * header.height > max_pixels or max(header.width, header.height) > MAX_SIDE:
        raise PictureError(
            "picture_too_large",
            f"The picture is {header.width}×{header.height} pixels; at most "
            f"{max_pixels:,} pixels are taken.",
        )
    if not _COMPLETE[header.format](data):
        raise PictureError(
            "broken_picture", f"The {header.format.upper()} data is cut short or damaged."
        )
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        picture = None
    if picture is None:
        raise PictureError("broken_picture", f"The {header.format.upper()} data is damaged.")
    return np.asarray(picture, dtype=np.uint8)


def check_picture(picture: Picture) -> None:
    """Raise PictureError unless this is a BGR picture as `decode_picture` makes them."""
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise PictureError("unsupported_picture", "The picture is not 8-bit BGR.")
    if 0 in picture.shape:
        raise PictureError("broken_picture", "The picture has no pixels.")


def _cut_short(format_name: str) -> PictureError:
    return PictureError("broken_picture", f"The {format_name} header is cut short or damaged.")


# ISO/IEC 10918-1 B.1.1.3: SOF0–SOF15 carry the size; C4, C8 and CC are tables, not frames.
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
# Inside entropy-coded data FF 00 is a stuffed byte, FF D0–D7 a restart, FF FF fill.
_MARKER_IN_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")


def _jpeg_size(data: bytes) -> tuple[int, int]:
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            break
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in _STANDALONE:
            at += 2
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        if marker in _SOF and at + 9 <= len(data):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        if length < 2:
            break
        at += 2 + length
    raise _cut_short("JPEG")


def _jpeg_complete(data: bytes) -> bool:
    """Walk the segments to the end-of-image marker.

    Segments are skipped by their length, so the EOI of a thumbnail inside EXIF does not count.
    """
    at = 2
    while at + 2 <= len(data):
        if data[at] != 0xFF:
            return False
        marker = data[at + 1]
        if marker == 0xD9:
            return True
        if marker == 0xFF:
            at += 1
            continue
        if marker in _STANDALONE:
            at += 2
            continue
        if at + 4 > len(data):
            return False
        (length,) = struct.unpack_from(">H", data, at + 2)
        at += 2 + length
        if marker == 0xDA:
            following = _MARKER_IN_SCAN.search(data, at)
            if following is None:
                return False
            at = following.start()
    return False


def _png_size(data: bytes) -> tuple[int, int]:
    if len(data) < 24 or data[12:16] != b"IHDR":
        raise _cut_short("PNG")
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _png_complete(data: bytes) -> bool:
    """Walk the chunks to IEND, checking each CRC: libpng only warns about some of them."""
    at = 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 12 + length
        if end > len(data):
            return False
        (crc,) = struct.unpack_from(">I", data, end - 4)
        if zlib.crc32(memoryview(data)[at + 4 : end - 4]) != crc:
            return False
        if data[at + 4 : at + 8] == b"IEND":
            return True
        at = end
    return False


def _webp_size(data: bytes) -> tuple[int, int]:
    """RFC 9649: lossy (VP8), lossless (VP8L) and extended (VP8X) headers."""
    kind = data[12:16]
    if kind == b"VP8 " and len(data) >= 30 and data[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L" and len(data) >= 25 and data[20] == 0x2F:
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X" and len(data) >= 30:
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
        return width, height
    raise _cut_short("WebP")


def _webp_complete(data: bytes) -> bool:
    return len(data) >= int.from_bytes(data[4:8], "little") + 8


_COMPLETE = {"jpeg": _jpeg_complete, "png": _png_complete, "webp": _webp_complete}
