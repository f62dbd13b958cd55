"""Characters that change places: the text follows the picture, and the design stays."""

import numpy as np
import pytest

from inference.reader import MARGIN
from training.reader.exchange import exchange, inside, unfold

TEXT = "AB123C"
GREY = {char: 30 + 30 * number for number, char in enumerate(TEXT)}
CELLS = tuple(((10 + 20 * i) / 140, (26 + 20 * i) / 140) for i in range(len(TEXT)))


def plate() -> np.ndarray:
    """Each character is a stripe of its own grey; between them it is white."""
    picture = np.full((40, 140, 3), 255, np.uint8)
    for char, (left, right) in zip(TEXT, CELLS, strict=True):
        picture[:, round(left * 140) : round(right * 140)] = GREY[char]
    return picture


@pytest.mark.parametrize("seed", range(6))
def test_each_cell_shows_what_the_text_says(seed: int) -> None:
    fresh, text = exchange(np.random.default_rng(seed), plate(), CELLS, TEXT)
    shown = [int(fresh[20, round((left + right) * 70), 0]) for left, right in CELLS]
    assert shown == [GREY[char] for char in text]
    assert sorted(text) == sorted(TEXT)
    assert [char.isdigit() for char in text] == [char.isdigit() for char in TEXT]


def test_texts_differ_and_the_gaps_stay() -> None:
    rng = np.random.default_rng(1)
    made = [exchange(rng, plate(), CELLS, TEXT) for _ in range(40)]
    assert len({text for _, text in made}) > 20
    assert all((fresh[:, 27:29] == 255).all() for fresh, _ in made)


def test_the_plate_keeps_its_margin() -> None:
    quad = np.array([[30, 40], [150, 40], [150, 70], [30, 70]], np.float32)
    flat = unfold(np.zeros((120, 200, 3), np.uint8), quad)
    assert flat.shape == (36, 126, 3)
    low, right = 30 * MARGIN, 126 - 30 * MARGIN
    assert inside(flat) == pytest.approx(
        np.array([[low, low], [right, low], [right, 33], [low, 33]], np.float32), abs=0.01
    )
