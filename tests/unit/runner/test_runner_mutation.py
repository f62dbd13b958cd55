"""The mutation check's own arithmetic; what it finds is in docs/mutation.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner import mutation
from runner.console import RunError
from runner.mutation import MODULES, PAGE, Change, changed, explained
from runner.paths import ROOT, Var
from runner.sidevenv import SideVenv

DIFF = """\
--- enforcement/rights/matching.py
+++ enforcement/rights/matching.py
@@ -31,7 +31,7 @@
 def cost(one: str) -> int:
-    if one >= FAR:
+    if one > FAR:
         return FAR
"""


def test_a_diff_is_the_lines_that_went_and_came() -> None:
    assert changed(DIFF) == Change(("if one >= FAR:",), ("if one > FAR:",))
    assert str(changed(DIFF)) == "- if one >= FAR:\n+ if one > FAR:"


def test_a_page_explains_what_its_diff_blocks_show() -> None:
    page = """Why:

```diff
-    if one >= FAR:
+    if one > FAR:
+    if one >= 3:
```

```
- not this
+ nor this
```
"""
    gone = ("if one >= FAR:",)
    assert explained(page) == {
        Change(gone, ("if one > FAR:",)),
        Change(gone, ("if one >= 3:",)),
    }


def test_what_the_page_explains_is_still_in_the_code() -> None:
    code = {
        line.strip()
        for file, _ in MODULES.values()
        for line in (ROOT / file).read_text().split("\n")
    }
    gone = {line for change in explained(PAGE.read_text()) for line in change.gone}
    assert gone
    assert gone <= code


def test_the_modules_and_their_tests_are_there() -> None:
    for file, tests in MODULES.values():
        assert (ROOT / file).is_file()
        for test in tests:
            assert (ROOT / "tests" / "unit" / "rules" / f"test_{test}.py").is_file()


def test_an_unknown_module_is_told() -> None:
    with pytest.raises(RunError, match=r"no such module: matcher; there are matching, calendars"):
        mutation.main(["matcher"])


@pytest.mark.parametrize(("known", "code"), [(DIFF, 0), ("", 1)])
def test_only_an_explained_survivor_passes(
    known: str,
    code: int,
    var: Var,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = tmp_path / "mutation.md"
    page.write_text(f"```diff\n{known}```\n")
    monkeypatch.setattr(mutation, "PAGE", page)
    monkeypatch.setattr(SideVenv, "ensure", lambda self, var: Path("python"))
    monkeypatch.setattr(Var, "default", lambda: var)
    monkeypatch.setattr(mutation, "_check", lambda python, work, name: (300, [changed(DIFF)]))
    assert mutation.main(["matching"]) == code
    assert ("+ if one > FAR:" in capsys.readouterr().out) is bool(code)
