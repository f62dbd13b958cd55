"""Characters of the same shape, told apart by their position in a plate or not at all."""

from __future__ import annotations

from typing import Final

LOOKALIKES: Final = ("O0QD", "I1L", "Z2", "S5", "B8")
"""The five classes of domain-rules.md §4."""

CLASS_OF: Final = {char: frozenset(group) for group in LOOKALIKES for char in group}

_FIRST = str.maketrans({char: group[0] for group in LOOKALIKES for char in group})


def folded(text: str) -> str:
    """`text` with each character replaced by the first of its class; the same length."""
    return text.translate(_FIRST)
