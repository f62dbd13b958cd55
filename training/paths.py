"""Where training reads and writes.

Real pictures come from `$PLATEWARDEN_DATA` (or `../shared/data` beside the checkout) and are only
read. Everything made from them stays in the cache, which is not part of the project.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
CACHE: Final = Path(os.environ.get("PLATEWARDEN_VAR", ROOT / "var")) / "training"
WEIGHTS: Final = ROOT / "inference" / "weights"


class DataMissing(Exception):
    """The real pictures are not there; the sentence names the path."""


def data() -> Path:
    """Folder of the real pictures. Raises DataMissing."""
    folder = Path(os.environ.get("PLATEWARDEN_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "detect" / "labels.jsonl").is_file():
        raise DataMissing(f"no {folder}/detect/labels.jsonl: set PLATEWARDEN_DATA")
    return folder
