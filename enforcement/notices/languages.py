"""What a notice says in each language: one table of texts each, and how it writes numbers and time.

Names of months, separators and the like are Django's own; nothing here knows a case.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import formats, translation

from core.errors import BadInput
from enforcement.rights.charges import NO_MINOR_UNIT
from enforcement.rights.explain import SENTENCES

TEXTS = Path(__file__).parent / "texts"
CODES = ("en", "cs", "de")
NO_BREAK = "\N{NO-BREAK SPACE}"

_SYMBOLS = {"GBP": "£", "EUR": "€", "CZK": "Kč", "HUF": "Ft", "PLN": "zł", "USD": "$"}
_BEFORE = frozenset("£€$")
"""Symbols that English sets before the amount; others it writes by their code."""
_AMOUNT = re.compile(r"(\d+)(?:\.(\d\d))? ([A-Z]{3})")


@dataclass(frozen=True)
class Language:
    """The texts of one language, by table and name."""

    code: str
    texts: Mapping[str, Any]

    def say(self, name: str, **values: object) -> str:
        """The text `table.name` with its places filled; KeyError for one there isn't."""
        table, _, key = name.partition(".")
        text: str = self.texts[table][key]
        return text.format(**values) if values else text

    def has(self, name: str) -> bool:
        """Whether there is a text `table.name`."""
        table, _, key = name.partition(".")
        return key in self.texts[table]

    def day(self, day: date) -> str:
        """A day, its month as a word."""
        return self._written(day, "date").replace(" ", NO_BREAK)

    def moment(self, at: datetime, zone: ZoneInfo, *, seconds: bool = True) -> str:
        """An instant on the clock of `zone`, with the zone's name at that time."""
        local = at.astimezone(zone)
        # Django's own letter for the zone is silent in the hour that a clock goes through twice
        return f"{self._written(local, 'moment' if seconds else 'minute')} {local:%Z}"

    def _written(self, value: date, name: str) -> str:
        with translation.override(self.texts["django"]):
            return str(formats.date_format(value, self.texts["formats"][name]))

    def money(self, minor: int, currency: str) -> str:
        """An amount in minor units (pence, haléř, cents) with its currency."""
        digits = 0 if currency in NO_MINOR_UNIT else 2
        with translation.override(self.texts["django"]):
            amount = formats.number_format(
                Decimal(minor).scaleb(-digits), digits, use_l10n=True, force_grouping=True
            )
        symbol = _SYMBOLS.get(currency, "")
        by_symbol = bool(symbol) and (self.code != "en" or symbol in _BEFORE)
        pattern = self.say("formats.money" if by_symbol else "formats.money_code")
        return pattern.format(amount=amount, symbol=symbol, code=currency).replace(" ", NO_BREAK)

    def duration(self, minutes: int) -> str:
        """Whole minutes as minutes, hours or days."""
        days, rest = divmod(minutes, 24 * 60)
        hours, left = divmod(rest, 60)
        name = "day" if days else "hour" if hours else "minute"
        text = self.say(f"units.{name}", n=minutes, d=days, h=hours, m=left)
        return text.replace(" ", NO_BREAK)

    def explained(self, line: Mapping[str, Any]) -> str:
        """A line of a verdict's explanation (`rights.outcomes.Looked`) in this language.

        Its numbers are taken from the sentence it was stored with. A line of a code that is not in
        the table keeps the English it was stored with.
        """
        sentence, code = str(line["sentence"]), str(line["code"])
        template = self.texts["explanations"].get(code)
        if template is None:
            return sentence
        found = _pattern(SENTENCES.get(code, "")).fullmatch(sentence)
        if found is None:
            return sentence
        numbers = {name: self._amount(text) for name, text in found.groupdict().items()}
        try:
            return str(template.format(**numbers))
        except KeyError:
            return sentence

    def _amount(self, text: str) -> str:
        """An amount of an explanation (`12.50 GBP`) as this language writes it; others as they
        are."""
        found = _AMOUNT.fullmatch(text)
        return self.money(int(found[1] + (found[2] or "")), found[3]) if found else text


@lru_cache(maxsize=256)
def _pattern(template: str) -> re.Pattern[str]:
    """A pattern that takes the numbers out of a sentence made from `template`."""
    parts = re.split(r"\{(\w+)\}", template)
    return re.compile(
        "".join(
            f"(?P<{part}>.+?)" if number % 2 else re.escape(part)
            for number, part in enumerate(parts)
        )
    )


@lru_cache(maxsize=len(CODES))
def language(code: str) -> Language:
    """The language of a code; BadInput `language_unknown` for one we have no texts in."""
    if code not in CODES:
        raise BadInput("language_unknown", "Choose one of the languages.", field="language")
    return Language(code, tomllib.loads((TEXTS / f"{code}.toml").read_text(encoding="utf-8")))
