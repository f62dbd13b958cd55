"""Drawn plates as pictures. They need Pillow and the fonts, which are fetched for training only."""

import numpy as np
import pytest

pytest.importorskip("PIL", reason="Pillow is a requirement of training only")

from inference.results import PROVINCES
from training.synthesis import fonts
from training.synthesis.draw import draw_plate, paint
from training.synthesis.setting import LATIN_STYLES
from training.synthesis.templates import Lettering, Piece, load_catalogue

CATALOGUE = load_catalogue()
STYLES = {
    *LATIN_STYLES,
    *("cjk", "arabic", "sans", "serif", "script"),
    *(style for template in CATALOGUE.templates for style in template.look["fonts"]),
}


def lacking() -> str:
    try:
        for style in STYLES:
            fonts.present(style)
    except fonts.FontsMissing as missing:
        return str(missing)
    return ""


LACKING = lacking()
pytestmark = pytest.mark.skipif(bool(LACKING), reason=LACKING or "fonts are there")


@pytest.mark.parametrize("region", CATALOGUE.regions)
def test_every_place_draws(region: str) -> None:
    for seed in range(3):
        drawn = draw_plate(np.random.default_rng(seed), region)
        height, width = drawn.picture.shape[:2]
        assert drawn.region == region
        assert drawn.picture.dtype == np.uint8
        assert 96 <= height <= 200
        assert 1.0 < width / height < 6
        assert drawn.rows in (1, 2)
        assert 2 <= len(drawn.text) <= 12


@pytest.mark.parametrize("region", CATALOGUE.regions)
def test_characters_stand_out_from_the_ground(region: str) -> None:
    """The same plate without its text differs a good deal where the text was."""
    for number, template in enumerate(CATALOGUE.of(region)):
        form = tuple((Piece("text", "H8N"),) for _ in template.look["spans"])
        blank = tuple((Piece("space"),) for _ in template.look["spans"])
        rng, again = np.random.default_rng(number), np.random.default_rng(number)
        with_text = paint(rng, template, Lettering(form, False))
        without = paint(again, template, Lettering(blank, False))
        assert with_text.shape == without.shape
        top, bottom = (round(share * len(without)) for share in template.look["spans"][0])
        differs = np.abs(with_text.astype(int) - without)[top:bottom].max(axis=2) > 40
        assert differs.mean() > 0.04


def test_the_same_seed_draws_the_same_plate() -> None:
    for seed in range(12):
        one, two = (draw_plate(np.random.default_rng(seed)) for _ in range(2))
        assert one.text == two.text
        assert np.array_equal(one.picture, two.picture)


def test_a_glyph_fills_its_height_in_every_font() -> None:
    for style in LATIN_STYLES:
        for face in fonts.present(style):
            for char in "0O1IQ8BJ":
                mask = fonts.glyph(face, char)
                assert mask.shape[0] == fonts.GLYPH_HEIGHT
                assert mask[:3].any()
                assert mask[-3:].any()


def test_every_font_of_provinces_has_all_of_them() -> None:
    for face in fonts.present("cjk"):
        shapes = {fonts.glyph(face, char).tobytes() for char in PROVINCES}
        assert len(shapes) == 31, face.file
