"""Rights found by blind index: what a registry of millions has to say about a few reads."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from string import ascii_uppercase, digits

from audit.access import Access
from cameras.models import Site
from core.platetext import alike, ocr_class
from enforcement.rights.facts import Reading, Right
from enforcement.rights.selectors import registry_rights, rule_rights


class Registry:
    """The rights that may speak of a site's readings, looked up and opened for all at once."""

    def __init__(self, site: Site, access: Access, extra: Sequence[str] = ()) -> None:
        """`extra` are the site's own OCR classes."""
        self.site, self.access, self.extra = site, access, extra
        self._by_class: dict[str, list[Right]] = defaultdict(list)
        self._around: dict[str, set[str]] = {}

    def look_up(self, readings: Iterable[Reading]) -> None:
        """Find the rights that share an OCR class with the texts or the reader's candidates."""
        self._find({name for one in readings for name in self._classes(one)})

    def look_around(self, readings: Iterable[Reading]) -> None:
        """Find the rights one slip away from the texts, too."""
        self._around = {one.text: one_slip_away(ocr_class(one.text)) for one in readings}
        self._find(set().union(*self._around.values()))

    def _classes(self, reading: Reading) -> set[str]:
        candidates = {ocr_class(text) for text in reading.candidates}
        return alike(reading.text, self.extra) | candidates

    def _find(self, classes: set[str]) -> None:
        new = classes - self._by_class.keys()
        if not new:
            return
        for right in rule_rights(registry_rights(self.site, new), self.access):
            for plate_class in {ocr_class(plate) for plate in right.plates}:
                self._by_class[plate_class].append(right)

    def near(self, reading: Reading) -> list[Right]:
        """Every version of the rights found for this reading."""
        classes = self._classes(reading)
        classes |= self._around.get(reading.text, set())
        found = [right for name in classes for right in self._by_class.get(name, ())]
        return list({(right.id, right.version): right for right in found}.values())


_ALPHABET = "".join(sorted({ocr_class(character) for character in ascii_uppercase + digits}))


def one_slip_away(text: str) -> set[str]:
    """The OCR classes one wrong, missing, extra or swapped character away from the class `text`.

    A blind index can only be asked for what one already thinks of; these are some 400.
    """
    splits = [(text[:place], text[place:]) for place in range(len(text) + 1)]
    found = {left + right[1:] for left, right in splits if right}
    found |= {left + right[1] + right[0] + right[2:] for left, right in splits if len(right) > 1}
    found |= {left + one + right[1:] for left, right in splits if right for one in _ALPHABET}
    found |= {left + one + right for left, right in splits for one in _ALPHABET}
    return found - {text, ""}
