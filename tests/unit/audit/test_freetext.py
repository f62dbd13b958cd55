"""No plate in free text, however it is written; and no false alarm for what merely resembles."""

import pytest

from audit.freetext import clean, mentions
from core.errors import BadInput
from vault import blind

PLATE = "AB12CDE"
NAMED = [
    "AB12CDE",
    "ab12cde",
    "seen: AB12CDE!",
    "(AB12 CDE)",
    "AB 12 CDE twice",
    "owner of ab-12-cde, called",
    "A B 1 2 C D E",
    "plate=AB12CDE&x",
    "AB12CDE's owner",
    "‘AB12CDE’;next",
    "ＡＢ１２ＣＤＥ",
    "AB·12·CDE",
]
NOT_NAMED = [
    "",
    "stolen in March",
    "AB12CDF",
    "XAB12CDEX",
    "AB12",
    "12 cars, 3 vans: none of them",
    "A8I2CDE",
]


@pytest.mark.parametrize("text", NAMED)
def test_a_named_plate_is_found_by_token_and_by_text(text: str) -> None:
    assert mentions(text, [blind.exact(PLATE)])
    for known in ({"tokens": [blind.exact(PLATE)]}, {"plates": [PLATE]}):
        with pytest.raises(BadInput) as caught:
            clean(text, field="note", most=100, **known)  # type: ignore[arg-type]
        assert (caught.value.code, caught.value.field) == ("names_plate", "note")
        assert text not in str(caught.value) or not text


@pytest.mark.parametrize("text", NOT_NAMED)
def test_other_text_passes(text: str) -> None:
    assert not mentions(text, [blind.exact(PLATE)])
    assert clean(f" {text} ", field="note", most=100, plates=[PLATE]) == text
    assert clean(text, field="note", most=100, tokens=[blind.exact(PLATE)]) == text


def test_a_plate_of_signs_only_the_index_knows_is_found_too() -> None:
    with pytest.raises(BadInput):
        clean("sign ++/", field="note", most=100, plates=["++/"])
