"""What a picture says of itself in its first bytes: format and size, without decoding anything.

Intake refuses by the header alone what no worker should ever decode: other formats, and pictures
that unpack to more pixels than we take. Whether the rest of the file is whole shows when it is
recognised. Sources: ITU-T T.81 (JPEG), W3C PNG 5.2 and 11.2.2, RFC 9649 (WebP).
"""

import struct
from dataclasses import dataclass

from core.errors import BadInput, TooLarge, Unsupported

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0…SOF15
_JPEG_ALONE = frozenset(range(0xD0, 0xD8)) | {0x01}  # markers without a length: RSTn, TEM
_JPEG_SCAN = frozenset({0xD9, 0xDA})  # end of image, start of scan: no frame header came before


@dataclass(frozen=True, slots=True)
class Header:
    """`format` is jpeg, png or webp; `width` and `height` are in pixels, at least 1."""

    format: str
    width: int
    height: int


def header(data: bytes) -> Header | None:
    """The header of a JPEG, PNG or WebP picture; None for anything else."""
    if data.startswith(b"\xff\xd8\xff"):
        kind, size = "jpeg", _jpeg(data)
    elif data.startswith(_PNG):
        kind, size = "png", _png(data)
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        kind, size = "webp", _webp(data)
    else:
        return None
    if size is None or min(size) < 1:
        return None
    return Header(kind, *size)


def check(data: bytes, *, field: str, max_bytes: int, max_pixels: int) -> Header:
    """The header, if it is a picture we take.

    BadInput `<field>_empty`; TooLarge (413) `picture_too_large`; Unsupported (415)
    `picture_unsupported`.
    """
    if not data:
        raise BadInput(f"{field}_empty", "The picture has no bytes.", field=field)
    if len(data) > max_bytes:
        raise too_many_bytes(field, max_bytes)
    found = header(data)
    if found is None:
        raise Unsupported(
            "picture_unsupported", "The picture is not a JPEG, PNG or WebP file.", field=field
        )
    if found.width * found.height > max_pixels:
        raise TooLarge(
            "picture_too_large",
            f"The picture has {found.width} × {found.height} pixels; "
            f"{max_pixels} pixels are allowed.",
            field=field,
        )
    return found


def too_many_bytes(field: str, max_bytes: int) -> TooLarge:
    """The refusal of a picture over the limit of bytes."""
    return TooLarge(
        "picture_too_large", f"A picture may have {max_bytes} bytes at most.", field=field
    )


def _jpeg(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker in _JPEG_ALONE:
            at += 2
        elif marker in _JPEG_SCAN:
            return None
        elif marker in _JPEG_FRAMES:
            if at + 9 > len(data):
                return None
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        else:
            at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
    return None


def _png(data: bytes) -> tuple[int, int] | None:
    if len(data) < 33 or data[8:16] != b"\0\0\0\rIHDR":
        return None
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _webp(data: bytes) -> tuple[int, int] | None:
    if len(data) < 30:
        return None
    chunk = data[12:16]
    if chunk == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
        return width, height
    if chunk == b"VP8L" and data[20] == 0x2F:
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None
