"""The list of the shipped scenarios, for docs/scenarios.md: `python -m scenarios.catalogue`.

A scenario's group is its folder under `scenarios/rules`; its name says which wrong it prevents.
"""

import json
import sys
from pathlib import Path

RULES = Path(__file__).parent / "rules"
PAGE = Path(__file__).parent.parent / "docs" / "scenarios.md"

GROUPS = {
    "calendar": "Time and calendar",
    "vignettes-cz": "Czech vignettes",
    "vignettes-sk": "Slovak vignettes",
    "vignettes-at": "Austrian vignettes",
    "vignettes-hu": "Hungarian vignettes",
    "registry": "Matching against a registry",
    "parking": "Parking: consideration, grace and overstay",
    "payments": "Parking: payments, versions and late ones",
    "permits": "Permits, shared permits and exemptions",
    "keying": "Keying errors",
    "writing": "How a plate is written",
    "pairing": "Pairing entries with exits",
    "doubt": "Doubtful readings",
    "cameras": "Silent cameras and suspended sites",
    "clocks": "Clocks that are wrong",
    "zones": "Charging zones",
    "watchlist": "Watchlists",
}
"""Folder → heading, in the page's order; a folder that is not named here stops the page."""

_INTRO = """\
# Scenarios

A scenario is a day at a site as data: what is paid, what is seen, and what must come of it. Each of
these {count} is named after the wrong it prevents. Its `why` is the rule; its `expect` was worked
out by hand from the rules, before anything was run. An operator can write one without Python:
[scenarios/README.md](../scenarios/README.md) tells how.

```
./run scenario --check scenarios/rules/*/*.json
```

plays them all through the product's own services and says where the outcome differs.

This page is written by `.venv/bin/python -m scenarios.catalogue`; a test holds it to the files.
"""


def page(rules: Path = RULES) -> str:
    """docs/scenarios.md as it has to be, in Markdown; `KeyError` for a folder without heading."""
    folders = {path.name: path for path in rules.iterdir() if path.is_dir()}
    unknown = folders.keys() - GROUPS.keys()
    if unknown:
        raise KeyError(f"no heading for {', '.join(sorted(unknown))}")
    sections = []
    count = 0
    for name, heading in GROUPS.items():
        lines = []
        for path in sorted(folders[name].glob("*.json")):
            scenario = json.loads(path.read_text())
            title = scenario["name"][0].upper() + scenario["name"][1:]
            link = f"../scenarios/rules/{name}/{path.name}"
            lines.append(f"- [{title}]({link}): {scenario['why']}\n")
        count += len(lines)
        sections.append(f"\n## {heading}\n\n{''.join(lines)}")
    return _INTRO.format(count=count) + "".join(sections)


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.stdout.write(f"{PAGE.name} written\n")
