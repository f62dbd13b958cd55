"""Passages opened for the judge: sealed rows in, the rules' values out, each once a batch."""

import json
import uuid
from collections.abc import Iterable

from audit.access import Access
from enforcement.rights.facts import Reading
from enforcement.rights.outcomes import Role
from enforcement.visits.pairing import Passage as Passing
from plates.models import Passage


class Readings:
    """The readings of passages, opened in the batch of `access` and kept for its length."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._readings: dict[tuple[uuid.UUID, int], Reading] = {}
        self._texts: dict[tuple[uuid.UUID, int], str] = {}

    def text(self, passage: Passage) -> str:
        """The consensus text alone: all that a search for near texts needs."""
        key = (passage.pk, passage.revision)
        if key not in self._texts:
            self._texts[key] = self.access.text(passage)
        return self._texts[key]

    def open(self, passages: Iterable[Passage]) -> None:
        """Open what `passages` say, those that aren't open yet."""
        for passage in passages:
            if (passage.pk, passage.revision) in self._readings:
                continue
            text = self.text(passage)
            named = json.loads(self.access.text(passage, "candidates"))
            self._readings[passage.pk, passage.revision] = Reading(
                text=text,
                country=passage.country or None,
                confidence=passage.confidence,
                category=passage.category or "car",
                candidates=tuple(name for name, _ in named if name != text),
                char_scores=tuple(passage.char_scores),
                agreed=passage.agreed,
            )

    def of(self, passage: Passage) -> Reading:
        """What an opened passage says."""
        return self._readings[passage.pk, passage.revision]

    def passing(self, passage: Passage) -> Passing:
        """An opened passage as pairing sees it; `camera` must be loaded and not roving."""
        return Passing(
            id=str(passage.pk),
            camera=str(passage.camera_id),
            role=Role(passage.camera.role),
            at=passage.first_at,
            reading=self.of(passage),
            quarantined=passage.quarantined,
        )
