import pytest

from inference.voting import Seen
from plates.likeness import same_vehicle


def chars(text: str, weak: dict[int, float] | None = None) -> tuple[float, ...]:
    return tuple((weak or {}).get(i, 0.99) for i in range(len(text)))


@pytest.mark.parametrize(
    ("one", "other", "same", "why"),
    [
        (Seen("AB12CDE", 0.9), Seen("AB12CDE", 0.9), True, "equal"),
        (Seen("AB12CDO", 0.9), Seen("AB12CD0", 0.9), True, "equal up to OCR classes"),
        (
            Seen("AB12CDE", 0.9, chars("AB12CDE")),
            Seen("AB12CDF", 0.9, chars("AB12CDF")),
            False,
            "two surely read neighbours of one fleet are two vehicles",
        ),
        (
            Seen("AB12CDE", 0.95),
            Seen("AB12CDF", 0.7),
            True,
            "who says nothing of its characters is as unsure of each as of the whole",
        ),
        (
            Seen("AB12CDE", 0.95),
            Seen("AB12CDF", 0.8),
            False,
            "or as sure",
        ),
        (
            Seen("AB12CDE", 0.95),
            Seen("AB12CDEX", 0.7),
            True,
            "also of there being a character at all",
        ),
        (
            Seen("AB12CDE", 0.6),
            Seen("AB12CFG", 0.6),
            False,
            "two characters are two vehicles, whoever read them",
        ),
        (
            Seen("AB12CDE", 0.6, chars("AB12CDE", {6: 0.6})),
            Seen("AB12CDF", 0.9, chars("AB12CDF")),
            True,
            "the reader was unsure of the character",
        ),
        (
            Seen("AB12CDE", 0.6, (), (("AB12CDE", 0.6), ("AB12CDF", 0.3))),
            Seen("AB12CDF", 0.9),
            True,
            "the reader named the other text itself",
        ),
        (
            Seen("XAB12CDE", 0.6, chars("XAB12CDE", {0: 0.4})),
            Seen("AB12CDE", 0.9),
            True,
            "an unsure extra character at the edge",
        ),
        (
            Seen("XAB12CDE", 0.9, chars("XAB12CDE")),
            Seen("AB12CDE", 0.9),
            False,
            "a sure extra character",
        ),
        (
            Seen("AB12CDE", 0.5, chars("AB12CDE", {5: 0.5, 6: 0.5})),
            Seen("AB12CFG", 0.9),
            False,
            "two characters apart",
        ),
    ],
)
def test_same_vehicle(one: Seen, other: Seen, same: bool, why: str) -> None:
    assert same_vehicle(one, other) is same, why
    assert same_vehicle(other, one) is same, why
