"""Real plates with their texts, for training and choosing the reader."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from inference.syntaxes import grammar_for
from training.labels.agree import settle
from training.labels.boxes import picture_of, plates
from training.labels.choices import ChoiceError, decode, load_choices
from training.labels.propose import PROPOSALS, read_proposals
from training.paths import data
from training.split import Split, split_of_crop

Sure = Literal["given", "by eye", "agreed"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RealCrop:
    """One real plate and its text.

    `file` is relative to the data folder. `box`: x1, y1, x2, y2 in pixels of the picture as
    labelled; for `crops/china` the whole picture. `quad`: corners of the text found in it
    (characters, not the plate's edge; clockwise from the top left), or None. `text` is canonical.
    `region`: a code of syntaxes.json, or None where the text does not tell. `sure`: "given" with
    the data, decided "by eye", or "agreed" by rule without anybody looking.
    """

    file: str
    box: tuple[float, float, float, float]
    quad: tuple[tuple[float, float], ...] | None
    text: str
    region: str | None
    sure: Sure
    split: Split
    source: str


def load_labels(*parts: Split, proposals: Path = PROPOSALS) -> list[RealCrop]:
    """Every plate of these parts whose text is known, in the data's order.

    Plates that were looked at have the text that was decided, or are left out; others have the
    agreed one. A choice made for other proposals is left out and logged.
    """
    folder, grammar = data(), grammar_for()
    known, chosen = read_proposals(proposals), load_choices()
    found = []
    for plate in plates(folder, *parts):
        proposal = known.get(plate.key)
        if proposal is None:
            continue
        settled = settle(proposal, grammar)
        text: str | None = settled.text if settled.verdict == "agreed" else None
        sure: Sure = "agreed"
        if plate.key in chosen:
            sure = "by eye"
            try:
                text = decode(chosen[plate.key], proposal.candidates)
            except ChoiceError as error:
                _log.warning("%s: %s", plate.key, error)
                text = None
        if text:
            found.append(
                RealCrop(
                    file=f"detect/{plate.file}",
                    box=plate.box,
                    quad=proposal.quad,
                    text=text,
                    region=grammar.fit(text).region,
                    sure=sure,
                    split=plate.split,
                    source=plate.source,
                )
            )
    return found + _china(folder, parts)


def _china(folder: Path, parts: tuple[Split, ...]) -> list[RealCrop]:
    found = []
    for line in (folder / "crops" / "labels.jsonl").read_text().splitlines():
        row = json.loads(line)
        split = split_of_crop(row["file"])
        if split not in parts:
            continue
        height, width = picture_of(folder / "crops", row["file"]).shape[:2]
        found.append(
            RealCrop(
                file=f"crops/{row['file']}",
                box=(0.0, 0.0, float(width), float(height)),
                quad=None,
                text=row["text"],
                region="CN",
                sure="given",
                split=split,
                source="china",
            )
        )
    return found
