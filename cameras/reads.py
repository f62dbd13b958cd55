"""A finished read as a device sends it: checked, and brought into the one form we keep.

Pure. The result is JSON-ready and exists only until intake seals it.
"""

from typing import Any, TypedDict

from cameras import values
from core import platetext
from core.errors import BadInput

_FIELDS = values.words("text score char_scores candidates country category quad box")
_MOST_CANDIDATES = 20
_LONGEST_RAW = 64  # of a plate before it is canonical: room for spaces and hyphens
_PIXELS = 100_000.0


class Read(TypedDict):
    """What `Capture.read` seals: canonical texts, scores 0–1, pixels of the picture sent.

    `char_scores` has one score per canonical character or none; `candidates` are (text, score);
    `country` and `category` are "" where not stated; `quad` is four (x, y), clockwise from top
    left; `box` is x1, y1, x2, y2.
    """

    text: str
    score: float
    char_scores: list[float]
    candidates: list[list[str | float]]
    country: str
    category: str
    quad: list[list[float]] | None
    box: list[float] | None


def plate(value: Any, field: str) -> str:
    """The canonical plate. Codes: `plate_missing`, `plate_empty`, `plate_too_long`,
    `plate_not_text`."""
    if value is None:
        raise BadInput("plate_missing", "The read has no text.", field=field)
    if not isinstance(value, str):
        raise BadInput("plate_not_text", "The plate is not text.", field=field)
    if len(value) > _LONGEST_RAW:
        raise BadInput(
            "plate_too_long",
            f"The plate has more than {platetext.MAX_LENGTH} characters.",
            field=field,
        )
    if "\ufffd" in value:  # what undecodable bytes of a form field have become
        raise BadInput("plate_not_text", "The plate arrived damaged.", field=field)
    try:
        return platetext.canonical(value)
    except platetext.PlateTextError as error:
        raise BadInput(error.code.replace("-", "_"), error.sentence, field=field) from None


def read(value: Any, field: str = "read") -> Read:
    """The checked read; BadInput names what is wrong (`read.score`, `read.candidates`, …)."""
    sent = values.mapping(value, field, allowed=_FIELDS)
    text = plate(sent.get("text"), f"{field}.text")
    if sent.get("score") is None:
        raise BadInput("score_missing", "The read has no score.", field=f"{field}.score")
    return Read(
        text=text,
        score=values.number(sent["score"], f"{field}.score", low=0, high=1),
        char_scores=_char_scores(sent.get("char_scores"), f"{field}.char_scores", len(text)),
        candidates=_candidates(sent.get("candidates"), f"{field}.candidates"),
        country=_country(sent.get("country"), f"{field}.country"),
        category=_category(sent.get("category"), f"{field}.category"),
        quad=_quad(sent.get("quad"), f"{field}.quad"),
        box=_box(sent.get("box"), f"{field}.box"),
    )


def _list(value: Any, field: str, *, least: int, most: int) -> list[Any]:
    if not isinstance(value, list) or not least <= len(value) <= most:
        count = f"{least}" if least == most else f"{least} to {most}"
        raise values.invalid(field, f"{field} is not a list of {count}.")
    return value


def _char_scores(value: Any, field: str, length: int) -> list[float]:
    if value is None or value == []:
        return []
    scores = _list(value, field, least=length, most=length)
    return [values.number(score, field, low=0, high=1) for score in scores]


def _candidates(value: Any, field: str) -> list[list[str | float]]:
    if value is None:
        return []
    found: list[list[str | float]] = []
    for pair in _list(value, field, least=0, most=_MOST_CANDIDATES):
        text, score = _list(pair, field, least=2, most=2)
        found.append([plate(text, field), values.number(score, field, low=0, high=1)])
    return found


def _country(value: Any, field: str) -> str:
    return "" if value is None or value == "" else values.country(value, field)


def _category(value: Any, field: str) -> str:
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or value not in values.CATEGORIES:
        raise values.invalid(field, f"{field} is not one of the known vehicle categories.")
    return value


def _quad(value: Any, field: str) -> list[list[float]] | None:
    if value is None:
        return None
    return [
        [
            values.number(part, field, low=-_PIXELS, high=_PIXELS)
            for part in _list(corner, field, least=2, most=2)
        ]
        for corner in _list(value, field, least=4, most=4)
    ]


def _box(value: Any, field: str) -> list[float] | None:
    if value is None:
        return None
    box = [
        values.number(part, field, low=-_PIXELS, high=_PIXELS)
        for part in _list(value, field, least=4, most=4)
    ]
    if box[0] >= box[2] or box[1] >= box[3]:
        raise values.invalid(field, f"{field} is not x1, y1, x2, y2 with x1 < x2 and y1 < y2.")
    return box
