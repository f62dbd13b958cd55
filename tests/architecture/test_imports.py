"""Which way imports point (house.md): an app imports only what is to its right."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

ROAD = [
    "alpr_site",
    "demo",
    "scenarios",
    "dashboard",
    "gateway",
    "enforcement",
    "plates",
    "cameras",
    "audit",
    "vault",
    "core",
]
ROOMS = {  # inside enforcement: who may import whom
    "retention": {"notices", "cases", "visits", "rights", "watchlist"},
    "notices": {"cases", "visits", "rights"},
    "cases": {"visits", "rights"},
    "visits": {"rights"},
    "rights": set(),
    "watchlist": {"rights"},  # the matcher's strict half lives beside the tolerant one
}
READERS = {"plates", "gateway", "edge", "training", "benchmarks", "demo"}
"""Who may import `inference`."""
STDLIB_ONLY = {"runner"}
OURS = {*ROAD, "inference", "runner", "benchmarks", "edge", "training"}
PURE = [
    "core/platetext.py",
    "core/ids.py",
    "inference/voting.py",
    "plates/likeness.py",
    "enforcement/rights/matching.py",
    "enforcement/rights/calendars.py",
    "enforcement/rights/zones.py",
    "enforcement/rights/hours.py",
    "enforcement/rights/charges.py",
    "enforcement/rights/tariffs.py",
    "enforcement/rights/covering.py",
    "enforcement/rights/stays.py",
    "enforcement/rights/verdicts.py",
    "enforcement/rights/outcomes.py",
    "enforcement/visits/pairing.py",
]


def sources(folder: str) -> Iterator[Path]:
    yield from (
        path
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "migrations" not in path.parts and path.is_file()
    )


def imported(path: Path) -> set[str]:
    """Full dotted names a module imports, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT).parts[: -node.level] if node.level else ()
            base = ".".join([*package, *([node.module] if node.module else [])])
            names.update(f"{base}.{alias.name}" for alias in node.names)
    return names


def wrong_arrows(path: Path) -> list[str]:
    parts = path.relative_to(ROOT).parts
    home = parts[0]
    wrong = []
    for name in imported(path):
        target = name.split(".")
        top = target[0]
        rules = (
            home in STDLIB_ONLY and top in OURS - {home},
            home in ROAD and top in ROAD and ROAD.index(top) < ROAD.index(home),
            top == "inference" and home not in READERS | {"inference"},
            home == "inference" and top in OURS - {"inference"},
            home == "edge" and top in OURS - {"edge", "inference"},
            home == top == "enforcement"
            and len(target) > 1
            and len(parts) > 2
            and target[1] != parts[1]
            and target[1] not in ROOMS[parts[1]],
        )
        if any(rules):
            wrong.append(name)
    return wrong


@pytest.mark.parametrize("folder", sorted({*ROAD, "inference", "edge", "runner", "benchmarks"}))
def test_imports_point_to_the_right(folder: str) -> None:
    wrong = {
        str(path.relative_to(ROOT)): arrows
        for path in sources(folder)
        if (arrows := wrong_arrows(path))
    }
    assert wrong == {}


def test_a_wrong_arrow_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check can fail: a planted wrong import of each sort is reported."""
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    planted = {
        "core/x.py": "from vault import keys",
        "cameras/x.py": "def f():\n    import inference.engine",
        "inference/x.py": "import core.ids",
        "edge/x.py": "from core.platetext import canonical",
        "enforcement/visits/x.py": "from enforcement.cases import services",
    }
    for name, text in planted.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        assert wrong_arrows(path), name


@pytest.mark.parametrize("name", PURE)
def test_rules_are_pure(name: str) -> None:
    """Arithmetic on values knows neither Django nor the clock's `now`."""
    path = ROOT / name
    assert not {n for n in imported(path) if n.split(".")[0] in {"django", "celery", "redis"}}
    assert ".now(" not in path.read_text(encoding="utf-8")


def test_only_vault_and_audit_open_what_is_sealed() -> None:
    """Everybody else goes through `audit.access`, which leaves a row."""
    wrong = [
        str(path.relative_to(ROOT))
        for folder in ROAD
        if folder not in {"vault", "audit"}
        for path in sources(folder)
        if re.search(r"\b(open_text|open_file|raw_key)\b", path.read_text(encoding="utf-8"))
    ]
    assert wrong == []


def test_selectors_are_the_only_ones_to_query_reads_by_token() -> None:
    """Search goes through selectors (plates), or a stage; never through a view or the API."""
    wrong = [
        str(path.relative_to(ROOT))
        for folder in ("dashboard", "gateway", "demo")
        for path in sources(folder)
        if "token_exact" in path.read_text(encoding="utf-8")
        or "token_class" in path.read_text(encoding="utf-8")
    ]
    assert wrong == []
