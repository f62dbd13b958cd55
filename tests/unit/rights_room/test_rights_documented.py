"""docs/rights-in.md's own example signs as the server checks it."""

import base64
import re
from pathlib import Path
from typing import Any

from enforcement.rights.importing import COLUMNS, Layout
from enforcement.rights.webhooks import signature

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "rights-in.md").read_text(encoding="utf-8")


def test_the_example_signs_as_the_server_checks() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102  (our own page)
    key, body = b"k" * 32, b'{"type": "ping"}'
    said = names["headers"]("whsec_" + base64.b64encode(key).decode(), "msg_1", body)
    assert said["webhook-signature"] == signature(key, "msg_1", said["webhook-timestamp"], body)


def test_every_column_of_every_layout_is_named() -> None:
    rows = dict(re.findall(r"^\| (permits|vignettes|payments) \| (.*) \|$", PAGE, re.M))
    for layout in Layout:
        needed, optional = rows[layout.value].split("[")
        assert set(re.findall(r"`(\w+)`", needed)) == set(COLUMNS[layout][0])
        assert set(re.findall(r"`(\w+)`", optional)) == set(COLUMNS[layout][1])
