"""Free text that is stored in the clear must not name a plate.

Reasons and notes are written by people and by other people's systems. Whoever types the plate into
one would leave it in the database unsealed, so the services ask here first.
"""

import uuid
from collections.abc import Collection

from core.errors import BadInput
from core.platetext import MAX_LENGTH, PlateTextError, canonical
from vault import blind

_MOST_WORDS = 5
"""A plate is rarely written in more groups (Dutch: 3, Dubai with emirate: 3)."""


def printable(text: str) -> bool:
    """False for control characters, lone surrogates and the like, which no column should hold."""
    return all(character.isprintable() for character in text)


def mentions(text: str, tokens: Collection[uuid.UUID]) -> bool:
    """True where some run of up to five words of `text` is a plate with one of the exact `tokens`.

    Asks the blind index, so that nothing needs to be opened to find out.
    """
    wanted = set(tokens)
    words = text.replace(",", " ").replace(";", " ").replace(":", " ").split()
    for start in range(len(words)):
        for end in range(start + 1, min(start + _MOST_WORDS, len(words)) + 1):
            if end > start + 1 and sum(map(len, words[start:end])) > 2 * MAX_LENGTH:
                break
            for run in {"".join(words[start:end]), "".join(words[start:end]).strip("()[]'\"“”’!?")}:
                try:
                    plate = canonical(run)
                except PlateTextError:
                    continue
                if wanted & set(blind.exact_lookup(plate)):
                    return True
    return False


def clean(text: str, *, field: str, most: int, tokens: Collection[uuid.UUID]) -> str:
    """`text`, stripped, if it may be stored in the clear; BadInput naming `field` otherwise.

    Codes: `too_long` (over `most` characters), `not_text`, `names_plate`.
    """
    text = text.strip()
    if len(text) > most:
        raise BadInput("too_long", f"At most {most} characters are allowed here.", field=field)
    if not printable(text):
        raise BadInput("not_text", "This holds characters that are not text.", field=field)
    if mentions(text, tokens):
        raise BadInput(
            "names_plate",
            "This text is stored in the clear: leave the plate out of it.",
            field=field,
        )
    return text
