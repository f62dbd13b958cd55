"""Opening what a document of a case shows, for a person: each plate and picture with its row."""

from collections.abc import Sequence
from dataclasses import dataclass

from audit.access import reveal_file, reveal_text
from audit.services import Actor
from core.errors import NotFound
from enforcement.cases.models import Case, Correction, Evidence
from enforcement.notices.content import Sighting
from enforcement.notices.deliveries import PURPOSE
from enforcement.notices.document import Picture, picture_fit
from vault.keys import KeyDestroyed
from vault.models import SealedRow
from vault.sealing import SealBroken


@dataclass(frozen=True, slots=True)
class Opened:
    """Opens for `actor`, with the case's number as reference; `action` names what it is for."""

    case: Case
    actor: Actor
    action: str = "view"

    def text(self, row: SealedRow, field: str = "text") -> str:
        """The text of a row's sealed field; NotFound `forgotten` when it is gone."""
        try:
            return reveal_text(
                row,
                field,
                actor=self.actor,
                purpose=PURPOSE,
                case_ref=self.case.number,
                action=self.action,
            )
        except (KeyDestroyed, SealBroken) as error:
            raise NotFound("forgotten", "What this shows is no longer kept.") from error

    def sighting(self, evidence: Evidence, corrections: Sequence[Correction]) -> Sighting:
        """A read with its pictures, those that are still there."""
        return Sighting(
            evidence,
            self._picture(evidence, "picture"),
            self._picture(evidence, "crop"),
            corrected=any(one.evidence_id == evidence.pk for one in corrections),
        )

    def _picture(self, evidence: Evidence, field: str) -> Picture | None:
        if not getattr(evidence, field):
            return None
        try:
            data = reveal_file(
                evidence,
                field,
                actor=self.actor,
                purpose=PURPOSE,
                case_ref=self.case.number,
                action="picture" if self.action == "view" else self.action,
            )
        except (FileNotFoundError, KeyDestroyed, SealBroken):
            return None
        return picture_fit(data)
