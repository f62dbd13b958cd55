"""How the plates of a country are written, as far as judging a right's text needs it.

Used for one question only: can a right's text, *as it was typed*, be a plate of its country at
all? If not, the typing slipped, and an OCR-equivalent reading of it excuses (domain-rules.md, 4).
The patterns are therefore generous: personalised and older series count as well-formed, since a
well-formed text may be another vehicle's own. Written from the countries' public descriptions of
their series; full matches on canonical text.
"""

import re
from functools import cache

_CZ_DISTRICTS = (
    "A[A-Z]|B[KMNOPRSVZ]|C[BHKLRV]|D[CO]|FM|GT|H[BKO]|J[CEHIN]|K[DHILMORTV]|L[INT]|M[BEO]|N[ABJ]|"
    "O[CLPV]|P[ABEHIJMNPRSTUVYZ]|R[AKO]|S[MOTUY]|T[ACPRU]|U[HLO]|V[SY]|Z[LNR]"
)

SYNTAXES: dict[str, tuple[str, ...]] = {
    "AT": (
        r"[A-Z]{1,2}[1-9]\d{0,4}[A-Z]{1,3}",
        r"[A-Z]{1,2}[A-Z]{1,5}[1-9]\d{0,3}",  # personalised
        r"[A-Z]{1,2}\d{1,6}",  # authorities
    ),
    "BE": (r"[1-9][A-Z]{3}\d{3}", r"[A-Z]{3}\d{3}", r"\d{3}[A-Z]{3}"),
    "BR": (r"[A-Z]{3}\d[A-Z]\d{2}", r"[A-Z]{3}\d{4}"),
    "CH": (
        (
            r"(?:AG|AI|AR|BE|BL|BS|FR|GE|GL|GR|JU|LU|NE|NW|OW|SG|SH|SO|SZ|TG|TI|UR|VD|VS|ZG|ZH)"
            r"\d{1,6}"
        ),
    ),
    "CZ": (
        r"[1-9][ABCEHJKLMPSTUZ][0-9A-FH-NPR-VX-Z]\d{4}",  # without G, O, Q, W
        r"[1-9][ABCEHJKLMPSTUZ]\d{4}",  # motorcycles
        rf"(?:{_CZ_DISTRICTS})[A-Z]?\d{{4}}",  # until 2001
        r"EL\d{3}[A-FH-NPR-VX-Z]{2}",  # electric
        r"\d{2}V\d{4}",  # historic
        r"\d{3}(?:CD|CC|XX|XS)\d{2}",  # diplomatic
        r"(?=.*\d)[0-9A-FH-NPR-VX-Z]{8}",  # personalised
    ),
    "DE": (r"[A-ZÄÖÜ]{1,3}[A-Z]{1,2}[1-9]\d{0,3}[EH]?",),
    "DK": (r"[A-Z]{2}\d{5}",),
    "ES": (r"\d{4}[BCDFGHJ-NPR-TV-Z]{3}", r"[A-Z]{1,2}\d{4}[A-Z]{1,2}"),
    "FI": (r"[A-ZÅÄÖ]{2,3}\d{1,3}",),
    "FR": (r"[A-HJ-NP-TV-Z]{2}\d{3}[A-HJ-NP-TV-Z]{2}", r"\d{1,4}[A-Z]{1,3}(?:\d{2}|2[AB])"),
    "GB": (
        r"[A-HJ-PR-Y][A-HJ-PR-Y]\d{2}[A-HJ-PR-Z]{3}",
        r"[A-HJ-NPR-TV-Y]\d{1,3}[A-Z]{3}",  # prefix series
        r"[A-Z]{3}\d{1,3}[A-Z]",  # suffix series
        r"[A-Z]{1,3}\d{1,4}",  # dateless
        r"\d{1,4}[A-Z]{1,3}",
    ),
    "HR": (r"[A-ZČĆĐŠŽ]{2}\d{3,4}[A-Z]{1,2}",),
    "HU": (
        r"[A-Z]{4}\d{3}",
        r"[A-Z]{3}\d{3}",
        r"[A-Z]{4}\d{2}",  # personalised
        r"[A-Z]{5}\d",
        r"[A-Z]\d{5}",  # trailers, temporary, special
        r"[A-Z]{2}\d{4}",
    ),
    "IT": (r"[A-HJ-NPR-TV-Z]{2}\d{3}[A-HJ-NPR-TV-Z]{2}",),
    "LT": (r"[A-Z]{3}\d{3}",),
    "LV": (r"[A-Z]{2}\d{1,4}",),
    "NL": (
        r"[A-Z]{2}\d{4}",
        r"\d{4}[A-Z]{2}",
        r"\d{2}[A-Z]{2}\d{2}",
        r"[A-Z]{2}\d{2}[A-Z]{2}",
        r"[A-Z]{4}\d{2}",
        r"\d{2}[A-Z]{4}",
        r"\d{2}[A-Z]{3}\d",
        r"\d[A-Z]{3}\d{2}",
        r"[A-Z]{2}\d{3}[A-Z]",
        r"[A-Z]\d{3}[A-Z]{2}",
        r"[A-Z]{3}\d{2}[A-Z]",
        r"[A-Z]\d{2}[A-Z]{3}",
    ),
    "NO": (r"[A-Z]{2}\d{4,5}",),
    "PL": (
        r"[A-Z]{2}(?:\d{5}|\d{4}[A-Z]|\d{3}[A-Z]{2}|\d[A-Z]\d{3}|\d[A-Z]{2}\d{2})",
        r"[A-Z]{3}(?:[A-Z]\d{3}|\d{2}[A-Z]{2}|\d[A-Z]\d{2}|\d{2}[A-Z]\d|\d[A-Z]{2}\d)",
        r"[A-Z]{3}(?:[A-Z]{2}\d{2}|\d{5}|\d{4}[A-Z]|\d{3}[A-Z]{2}|[A-Z]\d{2}[A-Z]|[A-Z]\d[A-Z]{2})",
        r"[A-Z]\d[A-Z0-9]{3,5}",  # personalised
    ),
    "PT": (
        r"[A-Z]{2}\d{2}[A-Z]{2}",
        r"\d{2}[A-Z]{2}\d{2}",
        r"\d{4}[A-Z]{2}",
        r"[A-Z]{2}\d{4}",
    ),
    "RO": (r"B\d{2,3}[A-Z]{3}", r"[A-Z]{2}\d{2}[A-Z]{3}"),
    "SE": (r"[A-HJ-PR-UW-Z]{3}\d{2}[0-9A-HJ-NPR-UW-Z]",),
    "SI": (r"(?:CE|GO|KK|KP|KR|LJ|MB|MS|NM|PO|SG)[0-9A-Z]{3,6}",),
    "SK": (
        r"[A-Z]{2}\d{3}[A-Z]{2}",
        r"[A-Z]{2}[A-Z]{5}",  # personalised
        r"[A-Z]{2}[A-Z]{4}\d",
        r"[A-Z]{2}[A-Z]{3}\d{2}",
    ),
    "UA": (r"[ABCEHIKMOPTX]{2}\d{4}[ABCEHIKMOPTX]{2}", r"[АВСЕНІКМОРТХ]{2}\d{4}[АВСЕНІКМОРТХ]{2}"),
}


def breaks_syntax(text: str, country: str | None) -> bool:
    """True where canonical `text` fits no series of `country` (ISO alpha-2).

    False for a country that is unknown or not described here: what we don't know, nobody broke.
    """
    pattern = _pattern(country)
    return pattern is not None and pattern.fullmatch(text) is None


@cache
def _pattern(country: str | None) -> re.Pattern[str] | None:
    series = SYNTAXES.get(country or "")
    return re.compile("|".join(f"(?:{one})" for one in series)) if series else None
