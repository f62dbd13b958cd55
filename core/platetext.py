"""Plate text: its one canonical form, and the classes of characters that are easily confused.

Everything that compares plates compares canonical texts; everything that is tolerant compares
their classes. Both are pure functions, so the blind indexes of `vault` and the matcher of
`enforcement` can never disagree about what "the same plate" means.
"""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice, product

from core.errors import BadInput

MAX_LENGTH = 16
"""Characters in a canonical plate. The longest in use has ten; room for what is not yet known."""

CLASSES: tuple[str, ...] = ("0OQD", "1IL", "2Z", "5S", "8B")
"""Characters taken for one another, the class's representative first (domain-rules.md, 4)."""

_DOTS = frozenset(".·•‧∙⋅・。")
_MINUS = "\u2212"  # a sign, not punctuation, to Unicode; a hyphen to whoever typed it


class PlateTextError(BadInput):
    """Text that cannot be a plate. `code` says why; the text itself is never in the message.

    Codes: `plate-empty`, `plate-too-long`, `plate-not-text` (control or unassigned characters).
    """


def canonical(text: str) -> str:
    """The canonical form of a plate, 1 to `MAX_LENGTH` characters; `PlateTextError` otherwise.

    NFKC and upper case, without spaces, hyphens (any dash), dots (also the middle dot of Chinese
    plates) and invisible format characters. No character is *changed*: umlauts, Cyrillic and
    Chinese stay what they are, and an O stays an O. Idempotent.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).upper())
    kept = []
    for character in folded:
        category = unicodedata.category(character)
        if character.isspace() or category in {"Pd", "Cf"}:
            continue
        if character in _DOTS or character == _MINUS:
            continue
        if category[0] == "C":
            raise PlateTextError("plate-not-text", "The plate holds characters that are not text.")
        kept.append(character)
    # Once more: a mark that stood on a space of its own now stands on the letter before it.
    plate = unicodedata.normalize("NFKC", "".join(kept))
    if not plate:
        raise PlateTextError("plate-empty", "The plate is empty.")
    if len(plate) > MAX_LENGTH:
        raise PlateTextError(
            "plate-too-long", f"The plate has {len(plate)} characters; {MAX_LENGTH} are allowed."
        )
    return plate


def ocr_class(canonical_text: str, extra: Sequence[str] = ()) -> str:
    """`canonical_text` with every character replaced by the representative of its class.

    Two texts are OCR-equivalent exactly when their classes are equal. `extra` adds classes that a
    site configures, each a string of characters taken for one another; one that shares a
    character with another class joins it. Same length as the input.
    """
    return canonical_text.translate(_table(tuple(extra)))


MOST_ALIKE = 256
"""Classes that one plate is looked up by where a site takes more characters for one another."""


def alike(text: str, extra: Sequence[str] = ()) -> set[str]:
    """The plain classes (`ocr_class` without `extra`) of all texts that `extra` makes equivalent to
    `text`: what a blind index of plain classes is asked for.

    Where these would be more than `MOST_ALIKE`, as many as come first; the plain one always is.
    """
    plain = ocr_class(text)
    if not extra:
        return {plain}
    members: dict[str, set[str]] = {}
    for character in "".join((*CLASSES, *extra)):
        members.setdefault(ocr_class(character, extra), set()).add(ocr_class(character))
    choices = [
        sorted(members.get(wide, {own}), key=lambda one, own=own: (one != own, one))  # type: ignore[misc]
        for wide, own in zip(ocr_class(text, extra), plain, strict=True)
    ]
    return set(islice(("".join(one) for one in product(*choices)), MOST_ALIKE))


@lru_cache(maxsize=64)
def _table(extra: tuple[str, ...]) -> dict[int, str]:
    groups: list[str] = []
    for addition in (*CLASSES, *extra):
        joined = [group for group in groups if set(group) & set(addition)]
        groups = [group for group in groups if group not in joined]
        groups.append("".join(joined) + addition)
    return {ord(character): group[0] for group in groups for character in group}
