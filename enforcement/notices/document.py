"""From the words of a notice to its PDF: typst in memory, tagged (PDF/A-2a and PDF/UA-1), and the
same bytes for the same data.

Nothing is written to a disk and nothing read from one but the templates: pictures go in as numbers.
All words go in as data, never as markup. Only the fonts that typst carries are used, and those of
the folder in PLATEWARDEN_FONTS; a character that none of them has is written as its code point.
"""

import io
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import segno
import typst
from django.conf import settings
from PIL import Image, ImageOps

TEMPLATES = Path(__file__).parent / "typst"
TEMPLATE_VERSION = 1
"""Raised with every change of the templates or texts that changes what a notice says."""
FAMILIES = ("Libertinus Serif", "DejaVu Sans Mono")
_MOST_PIXELS = 1000
"""Width and height of a picture in a notice: what 80 mm of paper can show. The original stays
evidence."""
_QUALITY = 82
_SPACES = frozenset({"Cc", "Zl", "Zp"})
_UNSHOWN = _SPACES | {"Cf", "Cs"}
_ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Document:
    """A PDF and how many pages it has."""

    pdf: bytes
    pages: int


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture ready for a document: a JPEG file, its width and height in pixels."""

    data: bytes
    width: int
    height: int


def document_make(
    template: str,
    data: Mapping[str, Any],
    pictures: Mapping[str, bytes],
    *,
    at: datetime,
    link: str = "",
) -> Document:
    """The document `template` makes of `data` (strings, numbers, lists of them) and `pictures`.

    `at` is the time of creation that stands in it; `link` is what its QR code leads to. Texts are
    made printable first (`printable`).
    """
    files = _files(template, data)
    for name, picture in pictures.items():
        files[f"{name}.json"] = _numbers(picture)
    if link:
        files["qr.svg"] = segno.make(link, error="m", micro=False).svg_inline().encode()
    compiler = _compiler(files)
    pages = int(compiler.query("<pages>", field="value", one=True))
    return Document(_accessible(compiler, at), pages)


def documents_join(documents: Sequence[Document], *, at: datetime) -> bytes:
    """One PDF of several, for a printer: each begins on the front of a sheet. Untagged."""
    files = {"main.typ": (TEMPLATES / "batch.typ").read_bytes()}
    files["data.json"] = json.dumps([one.pages for one in documents]).encode()
    for number, one in enumerate(documents):
        files[f"{number}.json"] = _numbers(one.pdf)
    return _bytes(_compiler(files).compile(format="pdf", timestamp=_second(at)))


def picture_fit(data: bytes) -> Picture | None:
    """A picture as a notice shows it: upright, without what cameras note down in it, and no larger
    than paper can show. None for what is no picture."""
    try:
        with Image.open(io.BytesIO(data)) as opened:
            opened.draft("RGB", (_MOST_PIXELS, _MOST_PIXELS))
            upright = _upright(opened).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    upright.thumbnail((_MOST_PIXELS, _MOST_PIXELS), Image.Resampling.LANCZOS)
    held = io.BytesIO()
    upright.save(held, "JPEG", quality=_QUALITY, optimize=True)
    return Picture(held.getvalue(), *upright.size)


def _upright(picture: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # notes that are broken raise anything; the picture itself may be whole
        picture.load()
        return picture


def printable(text: str) -> str:
    """`text` in characters that the fonts have: others as `[U+4EAC]`, so that none is left out
    unseen. Marks that show nothing go, and a control character is a space."""
    composed = unicodedata.normalize("NFC", text)
    kinds = {one: unicodedata.category(one) for one in set(composed)}
    asked = {one for one, kind in kinds.items() if not one.isascii() and kind not in _UNSHOWN}
    missing = _without_glyph(asked)
    shown = []
    for character in composed:
        kind = kinds[character]
        if kind in _SPACES:
            shown.append(" ")
        elif character in missing:
            shown.append(f"[U+{ord(character):04X}]")
        elif kind not in _UNSHOWN:
            shown.append(character)
    return "".join(shown)


def _all_printable(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {name: _all_printable(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_all_printable(one) for one in value]
    return value


_glyphs: dict[str, bool] = {}
_NAMED = re.compile(r'`"(?:\\u\{([0-9a-f]+)\}|(.))"`')
"""A character that typst names in what it says of a document it refuses."""


def _without_glyph(characters: set[str]) -> set[str]:
    """Those of `characters` that no font has: typst refuses a document that must be accessible
    over them, and names each."""
    new = sorted(characters - _glyphs.keys())
    if new:
        refused = _refused(new)
        if refused and _refused([one for one in new if one not in refused]):
            refused = {one for one in new if _refused([one])}  # it named some otherwise
        _glyphs.update({one: one not in refused for one in new})
    return {one for one in characters if not _glyphs[one]}


def _refused(characters: list[str]) -> set[str]:
    """Which of `characters` typst names as not to be shown; all of them where it names none."""
    source = (
        '#set document(title: "-")\n#let d = json("data.json")\n#set text(font: d.fonts)\n'
        "#for one in d.texts { box(one) }"
    )
    data = {"fonts": FAMILIES, "texts": characters}
    files = {"main.typ": source.encode(), "data.json": json.dumps(data).encode()}
    try:
        _accessible(_compiler(files), _ANY_TIME)
    except typst.TypstError as error:
        named = {
            chr(int(code, 16)) if code else text for code, text in _NAMED.findall(error.diagnostic)
        }
        return named & set(characters) or set(characters)
    return set()


def _files(template: str, data: Mapping[str, Any]) -> dict[str, bytes]:
    full = {**_all_printable(data), "fonts": FAMILIES}
    return {
        "main.typ": (TEMPLATES / f"{template}.typ").read_bytes(),
        "common.typ": (TEMPLATES / "common.typ").read_bytes(),
        "data.json": json.dumps(full, ensure_ascii=False).encode(),
    }


def _compiler(files: dict[str, bytes]) -> typst.Compiler:
    # the stub knows no dictionary of files, its README does
    return typst.Compiler(files, font_paths=_fonts())  # type: ignore[type-var]


def _accessible(compiler: typst.Compiler, at: datetime) -> bytes:
    return _bytes(
        compiler.compile(format="pdf", pdf_standards=["a-2a", "ua-1"], timestamp=_second(at))
    )


def _second(at: datetime) -> int:
    """Seconds since 1970: typst takes no fraction of one."""
    return int(at.timestamp())


@lru_cache(maxsize=1)
def _fonts() -> typst.Fonts:
    """The same on every machine: none of the system's."""
    folders = [settings.NOTICE_FONTS] if settings.NOTICE_FONTS else []
    return typst.Fonts(include_system_fonts=False, font_paths=folders)


def _numbers(data: bytes) -> bytes:
    """Bytes as a JSON list: a file of a document in memory must be text."""
    return json.dumps(list(data), separators=(",", ":")).encode()


def _bytes(made: bytes | list[bytes] | None) -> bytes:
    if not isinstance(made, bytes):
        raise TypeError("typst made no single document")
    return made
