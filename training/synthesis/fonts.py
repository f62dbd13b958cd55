"""Openly licensed fonts for drawn plates: where each comes from, and its glyphs as masks.

`python -m training.synthesis.fonts` fetches all of them once into the cache: packages of npm
(`npm pack`, which checks the registry's digest) and of Debian (`apt-get download`, signed). No font
is kept in the repository or put into a weight file: a network only ever sees rendered pictures.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from training.paths import CACHE, DataMissing, data

Mask = NDArray[np.uint8]
"""Shape [height, width]: 0 outside the ink, 255 inside."""

FOLDER: Final = CACHE / "fonts"
NPM_VERSION: Final = "5.3.0"
GLYPH_HEIGHT: Final = 112
DOTTED_ZERO: Final = frozenset({"dosis"})
"""Packages whose zero carries a dot, which plates' zeros do not: O stands in."""


class FontsMissing(Exception):
    """The fonts are not in the cache; the sentence says how to fetch them."""


@dataclass(frozen=True, slots=True)
class Face:
    """One font file. `source`: "npm" (file is the weight), "deb" (file inside the package) or
    "data" (file of the shared folder of fonts)."""

    name: str
    source: str
    file: str
    licence: str
    styles: frozenset[str]

    @property
    def path(self) -> Path:
        if self.source == "npm":
            return FOLDER / f"{self.name}-{self.file}.woff"
        return FOLDER / Path(self.file).name


def _faces(source: str, licence: str, rows: str) -> tuple[Face, ...]:
    """Rows of `name file style,style`."""
    cells = (row.split() for row in rows.strip().splitlines())
    return tuple(
        Face(name, source, file, licence, frozenset(styles.split(",")))
        for name, file, styles in cells
    )


# Styles: fe = anti-forgery letters of Germany and others; din = even, technical; uk = broad and
# bold; narrow = high and thin; us = rounded dies of North America; cn = Latin on Chinese plates;
# cjk = provinces; slab = with feet; odd, wide = owners' choice;
# sans, serif, script, arabic = texts that are not the plate's number.
FACES: Final = (
    *_faces(
        "data",
        "free use, text inside the file",
        """
        GL-Nummernschild-Mtl GL-Nummernschild-Mtl.ttf fe
        GL-Nummernschild-Eng GL-Nummernschild-Eng.ttf fe
        """,
    ),
    *_faces(
        "deb",
        "public domain (FHWA letters), packaging GPL",
        """
        fonts-roadgeek truetype/roadgeek/RG2014B.ttf narrow,us
        fonts-roadgeek truetype/roadgeek/RG2014C.ttf narrow,us,din
        fonts-roadgeek truetype/roadgeek/RG2014D.ttf us,din,cn
        fonts-roadgeek truetype/roadgeek/RG2014E.ttf din,uk,cn
        fonts-roadgeek truetype/roadgeek/RG2014EM.ttf uk
        """,
    ),
    *_faces("deb", "OFL-1.1", "fonts-opendin truetype/opendin/OSP-DIN.ttf din,sans"),
    *_faces(
        "deb",
        "Apache-2.0, GPL with font exception, or OFL-1.1 (see each package)",
        """
        fonts-wqy-zenhei truetype/wqy/wqy-zenhei.ttc cjk
        fonts-wqy-microhei truetype/wqy/wqy-microhei.ttc cjk
        fonts-droid-fallback truetype/droid/DroidSansFallbackFull.ttf cjk
        fonts-noto-cjk opentype/noto/NotoSansCJK-Bold.ttc cjk
        fonts-noto-cjk opentype/noto/NotoSansCJK-Regular.ttc cjk
        """,
    ),
    *_faces(
        "npm",
        "OFL-1.1 (open-sans, roboto-condensed, roboto-slab: Apache-2.0 or OFL-1.1)",
        """
        antonio 600 narrow,us
        archivo-narrow 600 din,narrow,us,sans
        archivo-narrow 700 din,us
        arimo 600 uk,cn,sans
        arimo 700 uk,cn
        asap-condensed 600 din,sans
        barlow 600 din,uk,cn
        barlow 700 uk,cn
        barlow-condensed 500 us,narrow
        barlow-condensed 600 us,narrow,din
        barlow-condensed 700 us,narrow
        barlow-semi-condensed 600 din,us,cn
        barlow-semi-condensed 700 uk,din,cn
        bebas-neue 400 narrow,us,sans
        big-shoulders 600 narrow,us
        chakra-petch 600 odd
        dosis 600 us,din
        dosis 700 us,din
        dosis 800 us
        encode-sans-condensed 600 us,din
        encode-sans-condensed 700 us
        fira-sans-condensed 600 din,sans
        fjalla-one 400 narrow,us,sans
        gemunu-libre 600 us
        gemunu-libre 700 us
        league-gothic 400 narrow
        michroma 400 wide
        open-sans 700 uk,sans
        oswald 500 us,narrow,sans
        oswald 600 us,narrow
        overpass 600 din,us,uk
        overpass 700 uk,cn
        overpass 800 uk
        pathway-gothic-one 400 narrow,us
        pragati-narrow 700 narrow,din
        pt-sans-narrow 700 din
        quantico 700 odd
        rajdhani 600 us,din
        rajdhani 700 us,din
        roboto-condensed 600 din,us,cn
        roboto-condensed 700 din,us
        rubik 500 uk,cn
        russo-one 400 odd
        saira-condensed 600 us,din
        saira-condensed 700 us,din
        saira-extra-condensed 600 narrow,us
        saira-semi-condensed 600 us,din,cn
        sofia-sans-condensed 700 us,din
        staatliches 400 us,odd
        teko 500 us,narrow
        teko 600 us,narrow
        yanone-kaffeesatz 600 us
        bai-jamjuree 600 cn,din
        cabin-condensed 600 us,narrow
        exo-2 600 uk,odd
        ibm-plex-sans-condensed 600 us,din
        jost 500 din,cn,odd
        khand 600 us,narrow
        m-plus-rounded-1c 700 us,din,cn
        montserrat 600 wide,odd
        nunito 700 us,din,cn
        saira 600 uk,wide
        signika 600 us,din
        smooch-sans 700 us,narrow
        titillium-web 600 din,us,cn
        titillium-web 700 din,uk
        ubuntu-condensed 400 us,din
        varela-round 400 cn,uk
        work-sans 600 uk,cn
        dancing-script 700 script
        lobster 400 script
        pacifico 400 script
        playfair-display 700 serif
        roboto-slab 600 slab
        roboto-slab 700 serif,slab
        arvo 700 slab
        barlow 500 cn,din
        overpass 500 cn,din
        barlow-semi-condensed 500 cn,us
        saira-condensed 500 us,din
        dosis 500 us
        share-tech 400 us,din,cn
        noto-sans-arabic 700 arabic
        """,
    ),
)


@cache
def present(style: str) -> tuple[Face, ...]:
    """The faces of a style that are in the cache. Raises FontsMissing where there is none."""
    found = tuple(face for face in FACES if style in face.styles and face.path.is_file())
    if not found:
        raise FontsMissing(
            f"no {style!r} font in {FOLDER}: run `python -m training.synthesis.fonts`"
        )
    return found


@cache
def _face(path: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(path), size)


def _render(face: Face, text: str, size: int) -> Mask:
    """The ink of `text`, cropped to it."""
    font = _face(face.path, size)
    left, top, right, bottom = font.getbbox(text)
    canvas = Image.new("L", (max(1, int(right - left)) + 4, max(1, int(bottom - top)) + 4))
    ImageDraw.Draw(canvas).text((2 - left, 2 - top), text, font=font, fill=255)
    ink = np.asarray(canvas, dtype=np.uint8)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        raise ValueError(f"{face.name} cannot write {text!r}")
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()


@cache
def glyph(face: Face, char: str) -> Mask:
    """One character, its ink filling the mask, GLYPH_HEIGHT high: a plate's letters and digits
    stand between the same two lines whatever the font's overshoot and descenders."""
    if char == "0" and face.name in DOTTED_ZERO:
        char = "O"
    ink = _render(face, char, 160)
    if char == "Q":
        bowl = _render(face, "O", 160)
        if ink.shape[0] > bowl.shape[0] * 1.06:
            ink = _tailed(bowl)
    width = max(8, round(ink.shape[1] * GLYPH_HEIGHT / ink.shape[0]))
    return np.asarray(
        cv2.resize(ink, (width, GLYPH_HEIGHT), interpolation=cv2.INTER_AREA), np.uint8
    )


def _tailed(bowl: Mask) -> Mask:
    """A Q as plates have it: an O with a stroke across its lower right, not below the line."""
    high, wide = bowl.shape
    stroke = max(4, int(np.count_nonzero(bowl[high // 2, : wide // 2] > 127)))
    ends = (wide * 11 // 20, high * 13 // 20), (wide - stroke // 3, high - stroke // 3)
    tailed = bowl.copy()
    cv2.line(tailed, *ends, 255, max(3, stroke * 3 // 4), cv2.LINE_AA)
    return tailed


@lru_cache(maxsize=2000)
def words(face: Face, text: str) -> Mask:
    """A line of other text, about 40 px high."""
    return _render(face, text, 48)


def fetch() -> list[str]:
    """Fetch what the cache lacks. Returns what could not be had, one sentence each."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    trouble = []
    lacking: dict[tuple[str, str], list[Face]] = {}
    for face in FACES:
        if not face.path.is_file():
            lacking.setdefault((face.source, face.name), []).append(face)
    for (source, name), faces in lacking.items():
        try:
            _FETCH[source](name, faces)
        except (OSError, subprocess.SubprocessError, KeyError, DataMissing) as error:
            trouble.append(f"{name}: {error}")
    present.cache_clear()
    return trouble


def _fetch_npm(name: str, faces: list[Face]) -> None:
    with TemporaryDirectory() as scratch:
        subprocess.run(
            ["npm", "pack", "--silent", f"@fontsource/{name}@{NPM_VERSION}"],
            cwd=scratch,
            check=True,
            capture_output=True,
            timeout=300,
        )
        (archive,) = Path(scratch).glob("*.tgz")
        with tarfile.open(archive) as package:
            for face in faces:
                subset = "arabic" if "arabic" in face.styles else "latin"
                member = package.extractfile(
                    f"package/files/{name}-{subset}-{face.file}-normal.woff"
                )
                if member is None:
                    raise OSError(f"no weight {face.file}")
                face.path.write_bytes(member.read())


def _fetch_deb(name: str, faces: list[Face]) -> None:
    with TemporaryDirectory() as scratch:
        for command in (["apt-get", "download", name], ["dpkg", "-x", f"{name}.deb", "."]):
            if command[0] == "dpkg":
                (archive,) = Path(scratch).glob("*.deb")
                archive.rename(archive.with_name(f"{name}.deb"))
            subprocess.run(command, cwd=scratch, check=True, capture_output=True, timeout=300)
        for face in faces:
            shutil.copyfile(Path(scratch) / "usr/share/fonts" / face.file, face.path)


def _copy_data(name: str, faces: list[Face]) -> None:
    for face in faces:
        shutil.copyfile(data() / "fonts" / face.file, face.path)


_FETCH: Final = {"npm": _fetch_npm, "deb": _fetch_deb, "data": _copy_data}


if __name__ == "__main__":
    problems = fetch()
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{sum(face.path.is_file() for face in FACES)} of {len(FACES)} fonts in {FOLDER}")
