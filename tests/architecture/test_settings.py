"""Every setting is documented, and no document tells of a setting that isn't there."""

import re
from pathlib import Path

from alpr_site.environment import SETTINGS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "settings.md"


def test_every_setting_is_documented_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (.*?) \|", PAGE.read_text(encoding="utf-8"), re.M))
    assert set(rows) >= {setting.name for setting in SETTINGS}
    wrong = {
        setting.name: rows[setting.name]
        for setting in SETTINGS
        if setting.default and f"`{setting.default}`" != rows[setting.name]
    }
    assert wrong == {}


def test_no_document_tells_of_a_setting_that_is_gone() -> None:
    known = {setting.name for setting in SETTINGS}
    supervisor = {"PLATEWARDEN_VAR", "PLATEWARDEN_DATA", "PG_BIN"}  # `./run`'s own
    told = set(re.findall(r"^\| `([A-Z_]+)`", PAGE.read_text(encoding="utf-8"), re.M))
    assert told - known - supervisor == set()
