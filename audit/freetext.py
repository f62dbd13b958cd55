"""Free text that is stored in the clear must not name a plate.

Reasons and notes are written by people and by other people's systems. Whoever types the plate into
one would leave it in the database unsealed, so the services ask here first.
"""

import re
import unicodedata
import uuid
from collections.abc import Collection, Iterator

from core.errors import BadInput
from core.platetext import MAX_LENGTH, PlateTextError, canonical
from vault import blind

_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")
_LONGEST_REFERENCE = 64
_MOST_PARTS = 8
"""Parts a plate may be written in: `AB 12 CDE`, `AB-12-CDE`, even letter by letter."""


def printable(text: str) -> bool:
    """False for control characters, lone surrogates and the like, which no column should hold."""
    return all(character.isprintable() for character in text)


def mentions(text: str, tokens: Collection[uuid.UUID]) -> bool:
    """True where some part of `text`, or some parts in a row, is a plate of the exact `tokens`.

    Parts end at anything but letters and digits, and again at white space alone. Asks the blind
    index, so that nothing needs to be opened to find out.
    """
    wanted = set(tokens)
    return any(
        wanted & set(blind.exact_lookup(plate))
        for parts in (_NOT_ALPHANUMERIC.split(text), text.split())
        for plate in _plates(parts)
    )


def _plates(parts: list[str]) -> Iterator[str]:
    """Everything that parts in a row can be the canonical plate of."""
    for start in range(len(parts)):
        run = ""
        for part in parts[start : start + _MOST_PARTS]:
            run += part
            if len(run) > 2 * MAX_LENGTH:
                break
            try:
                yield canonical(run)
            except PlateTextError:
                continue


def clean(
    text: str,
    *,
    field: str,
    most: int,
    tokens: Collection[uuid.UUID] = (),
    plates: Collection[str] = (),
) -> str:
    """`text`, stripped, if it may be stored in the clear; BadInput naming `field` otherwise.

    It must name none of the canonical `plates`, nor one with one of the exact `tokens`. Codes:
    `too_long` (over `most` characters), `not_text`, `names_plate`.
    """
    text = text.strip()
    if len(text) > most:
        raise BadInput("too_long", f"At most {most} characters are allowed here.", field=field)
    if not printable(text):
        raise BadInput("not_text", "This holds characters that are not text.", field=field)
    # a file has a million rows: tokens are only made of texts that hold the plate's characters
    bare = _bare(text)
    suspected = [plate for plate in plates if _bare(plate) in bare]
    wanted = {*tokens, *(blind.exact(plate) for plate in suspected)}
    if wanted and text and mentions(text, wanted):
        raise BadInput(
            "names_plate",
            "This text is stored in the clear: leave the plate out of it.",
            field=field,
        )
    return text


def reference(case_ref: str, tokens: Collection[uuid.UUID]) -> str:
    """A case or file reference as the audit log stores it: short, and without the plate itself."""
    return clean(case_ref, field="case_ref", most=_LONGEST_REFERENCE, tokens=tokens)


def _bare(text: str) -> str:
    """Letters and digits in upper case, run together."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).upper())
    return "".join(character for character in folded if character.isalnum())
