"""Headers read by hand, and every way a picture can be refused."""

import struct
import zlib

import cv2
import numpy as np
import pytest

from inference.pictures import Header, PictureError, check_picture, decode_picture, sniff

PICTURE = cv2.GaussianBlur(
    np.random.default_rng(1).integers(0, 255, (30, 50, 3), dtype=np.uint8), (0, 0), 2
)


def encoded(suffix: str, *options: int) -> bytes:
    done, data = cv2.imencode(suffix, PICTURE, list(options))
    assert done
    return bytes(data.tobytes())


JPEG = encoded(".jpg")
PROGRESSIVE = encoded(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
PNG = encoded(".png")
LOSSY = encoded(".webp", cv2.IMWRITE_WEBP_QUALITY, 80)
LOSSLESS = encoded(".webp", cv2.IMWRITE_WEBP_QUALITY, 101)


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_header(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + chunk(
        b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    )


IDAT = chunk(b"IDAT", zlib.compress(bytes(1000)))


def extended_webp(width: int, height: int) -> bytes:
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4)
    body += (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", len(body)) + body


def with_exif(jpeg: bytes, orientation: int, extra: bytes = b"") -> bytes:
    """A JPEG with an EXIF segment: its orientation, and whatever else hides in there."""
    tiff = b"MM\x00\x2a\x00\x00\x00\x08\x00\x01"
    tiff += struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0) + bytes(4) + extra
    body = b"Exif\x00\x00" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


@pytest.mark.parametrize(
    ("data", "header"),
    [
        (JPEG, Header("jpeg", 50, 30)),
        (PROGRESSIVE, Header("jpeg", 50, 30)),
        (with_exif(JPEG, 1), Header("jpeg", 50, 30)),
        (PNG, Header("png", 50, 30)),
        (LOSSY, Header("webp", 50, 30)),
        (LOSSLESS, Header("webp", 50, 30)),
        (extended_webp(50_000, 3), Header("webp", 50_000, 3)),
        (png_header(50_000, 50_000), Header("png", 50_000, 50_000)),
    ],
)
def test_sniff(data: bytes, header: Header) -> None:
    assert sniff(data) == header


def test_the_webp_samples_are_of_both_kinds() -> None:
    assert LOSSY[12:16] == b"VP8 "
    assert LOSSLESS[12:16] == b"VP8L"


@pytest.mark.parametrize(
    ("data", "far"), [(JPEG, 12), (PROGRESSIVE, 12), (PNG, 0), (LOSSY, 12), (LOSSLESS, 0)]
)
def test_decoding_gives_the_picture_back(data: bytes, far: int) -> None:
    picture = decode_picture(data)
    assert picture.shape == (30, 50, 3)
    assert picture.dtype == np.uint8
    assert np.abs(picture.astype(int) - PICTURE).mean() <= far


def test_exif_orientation_is_honoured() -> None:
    turned = decode_picture(with_exif(JPEG, 6))
    assert turned.shape == (50, 30, 3)
    assert np.array_equal(turned, np.rot90(decode_picture(JPEG), -1))


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_alpha_and_grey_come_out_as_bgr(suffix: str) -> None:
    for pixels in (np.dstack([PICTURE, PICTURE[:, :, :1]]), PICTURE[:, :, 0]):
        done, data = cv2.imencode(suffix, pixels)
        assert done
        assert decode_picture(data.tobytes()).shape == (30, 50, 3)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


THUMBNAIL_ONLY = with_exif(JPEG, 1, extra=JPEG)

BROKEN = {
    "nothing": b"",
    "jpeg, three bytes": JPEG[:3],
    "jpeg, half": JPEG[: len(JPEG) // 2],
    "jpeg, last two bytes lost": JPEG[:-2],
    "jpeg, header only": JPEG[: JPEG.index(b"\xff\xda")],
    "jpeg, cut after a whole thumbnail": THUMBNAIL_ONLY[: len(THUMBNAIL_ONLY) - len(JPEG) // 2],
    "jpeg, no frame header": b"\xff\xd8\xff\xd9",
    "jpeg, segment of length 0": b"\xff\xd8\xff\xe0\x00\x00" + JPEG[20:],
    "jpeg, then text": b"\xff\xd8\xff" + b"not a picture at all" * 9,
    "progressive jpeg, half": PROGRESSIVE[: len(PROGRESSIVE) // 2],
    "png, signature only": PNG[:8],
    "png, half": PNG[: len(PNG) // 2],
    "png, IEND lost": PNG[:-12],
    "png, a flipped byte": flipped(PNG, len(PNG) // 2),
    "png, no pixels": png_header(50, 30) + chunk(b"IEND", b""),
    "png, no width": png_header(0, 30) + chunk(b"IEND", b""),
    "webp, riff only": LOSSY[:12],
    "webp, half": LOSSY[: len(LOSSY) // 2],
    "webp, lossless half": LOSSLESS[: len(LOSSLESS) // 2],
    "webp, header only": extended_webp(50, 30),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_broken_pictures(data: bytes) -> None:
    with pytest.raises(PictureError) as refusal:
        decode_picture(data)
    assert refusal.value.code == "broken_picture"
    assert refusal.value.sentence.endswith(".")


@pytest.mark.parametrize(
    "data",
    [
        b"just a text file\n" * 100,
        b"PK\x03\x04" + bytes(100),
        b"GIF89a" + bytes(100),
        b"BM" + bytes(100),
        b"RIFF\x24\x00\x00\x00WAVE" + bytes(30),
        b"%PDF-1.7\n",
        b"\x00" * 40,
        b"\xff",
    ],
)
def test_unsupported_pictures(data: bytes) -> None:
    with pytest.raises(PictureError) as refusal:
        decode_picture(data)
    assert refusal.value.code == "unsupported_picture"


@pytest.mark.parametrize(
    "data",
    [
        png_header(50_000, 50_000) + IDAT + chunk(b"IEND", b""),
        png_header(70_000, 1),
        extended_webp(16_000_000, 16_000_000),
    ],
)
def test_huge_pictures_are_refused_by_their_header(data: bytes) -> None:
    with pytest.raises(PictureError) as refusal:
        decode_picture(data)
    assert refusal.value.code == "picture_too_large"


def test_the_pixel_limit_is_the_callers() -> None:
    assert decode_picture(PNG, max_pixels=1500).shape == (30, 50, 3)
    with pytest.raises(PictureError, match="50×30"):
        decode_picture(PNG, max_pixels=1499)


def test_a_decoder_that_raises_is_a_broken_picture() -> None:
    """cv2 raises on some headers instead of answering None; neither may reach the caller."""
    wide = png_header(65_000, 65_000) + IDAT + chunk(b"IEND", b"")
    with pytest.raises(PictureError) as refusal:
        decode_picture(wide, max_pixels=10**10)
    assert refusal.value.code == "broken_picture"


@pytest.mark.parametrize(
    ("picture", "code"),
    [
        (np.zeros((5, 5), np.uint8), "unsupported_picture"),
        (np.zeros((5, 5, 4), np.uint8), "unsupported_picture"),
        (np.zeros((5, 5, 3), np.float32), "unsupported_picture"),
        (np.zeros((0, 5, 3), np.uint8), "broken_picture"),
    ],
)
def test_arrays_that_are_no_picture(picture: np.ndarray, code: str) -> None:
    with pytest.raises(PictureError) as refusal:
        check_picture(picture)
    assert refusal.value.code == code
