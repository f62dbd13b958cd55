"""Headers of pictures: real files of each format, and what only pretends to be one."""

import io
import struct
import zipfile
import zlib

import cv2
import numpy as np
import pytest

from cameras.pictures import Header, check, header
from core.errors import ProductError

LIMITS = {"field": "picture", "max_bytes": 100_000, "max_pixels": 1_000_000}


def encoded(extension: str, width: int, height: int, *options: int, channels: int = 3) -> bytes:
    picture = np.full((height, width, channels), 90, np.uint8)
    ok, data = cv2.imencode(extension, picture, list(options))
    assert ok
    return data.tobytes()


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + chunk


def webp_extended(width: int, height: int) -> bytes:
    flags = b"\x10\0\0\0"
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + flags + size


def zip_bomb() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("frame.jpg", b"\0" * 5_000_000)
    return target.getvalue()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (encoded(".jpg", 33, 17), Header("jpeg", 33, 17)),
        (
            encoded(".jpg", 640, 48, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
            Header("jpeg", 640, 48),
        ),
        (encoded(".png", 7, 200), Header("png", 7, 200)),
        (encoded(".webp", 300, 20, cv2.IMWRITE_WEBP_QUALITY, 80), Header("webp", 300, 20)),
        (encoded(".webp", 31, 19, cv2.IMWRITE_WEBP_QUALITY, 101), Header("webp", 31, 19)),
        (webp_extended(16_384, 70_000), Header("webp", 16_384, 70_000)),
        (png_header(50_000, 50_000), Header("png", 50_000, 50_000)),
    ],
)
def test_size_is_read_from_the_header(data: bytes, expected: Header) -> None:
    assert header(data) == expected


def test_jpeg_with_metadata_and_fill_bytes_before_its_frame() -> None:
    plain = encoded(".jpg", 64, 32)
    thumbnail = encoded(".jpg", 8, 4)  # inside the metadata there is a smaller picture
    exif = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 8) + b"Exif\0\0" + thumbnail
    assert header(plain[:2] + exif + b"\xff\xff" + plain[3:]) == Header("jpeg", 64, 32)


def test_truncated_jpeg_with_a_whole_header_passes() -> None:
    data = encoded(".jpg", 320, 200)
    assert check(data[: len(data) // 2], **LIMITS) == Header("jpeg", 320, 200)


@pytest.mark.parametrize(
    ("data", "code", "status"),
    [
        (b"", "picture_empty", 400),
        (b"nothing but text, 1AB 2345", "picture_unsupported", 415),
        (zip_bomb(), "picture_unsupported", 415),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "picture_unsupported", 415),
        (b"GIF89a" + b"\0" * 60, "picture_unsupported", 415),
        (b"\xff\xd8\xff", "picture_unsupported", 415),
        (encoded(".jpg", 64, 32)[:60], "picture_unsupported", 415),
        (b"\xff\xd8\xff\xda" + b"\0" * 60, "picture_unsupported", 415),
        (b"\xff\xd8\xff\xc0\0\x11\x08\0\0\0\x10" + b"\0" * 30, "picture_unsupported", 415),
        (b"\xff\xd8" + b"\xff\xe0\0\0" * 30, "picture_unsupported", 415),
        (png_header(0, 10), "picture_unsupported", 415),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "picture_unsupported", 415),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "picture_unsupported", 415),
        (b"RIFF\x10\0\0\0WEBPVP8X" + b"\xff" * 4, "picture_unsupported", 415),
        (png_header(50_000, 50_000), "picture_too_large", 413),
        (webp_extended(1 << 24, 1 << 24), "picture_too_large", 413),
        (png_header(1001, 1000), "picture_too_large", 413),
        (encoded(".jpg", 8, 8) + b"\0" * 100_000, "picture_too_large", 413),
    ],
)
def test_refusals(data: bytes, code: str, status: int) -> None:
    with pytest.raises(ProductError) as caught:
        check(data, **LIMITS)
    assert (caught.value.code, caught.value.status) == (code, status)
    assert caught.value.field == "picture"


def test_the_limits_themselves_are_allowed() -> None:
    data = png_header(1000, 1000)
    assert check(data.ljust(100_000, b"\0"), **LIMITS).width == 1000
