"""What the strict content policy forbids stands in none of our templates or scripts."""

import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders

ROOT = Path(__file__).resolve().parents[3]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
INLINE = re.compile(
    r"<style|\sstyle=|\son[a-z]+=|javascript:|hx-on|js:\{"
    r"|<script(?![^>]*\bsrc=)(?![^>]*application/json)",
)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_inline(path: Path) -> None:
    assert INLINE.findall(path.read_text(encoding="utf-8")) == []


def test_the_search_for_inline_parts_finds_them() -> None:
    for planted in ('<p style="a">', "<script>x()</script>", '<a onclick="x()">', "<style>"):
        assert INLINE.search(planted), planted
    for fine in ('<script src="/a.js"></script>', '<script type="application/json">{}</script>'):
        assert not INLINE.search(fine), fine


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_other_host(path: Path) -> None:
    assert re.findall(r"(?:src|href|action)=[\"']?(?:https?:)?//", path.read_text("utf-8")) == []


def test_the_stylesheet_loads_only_what_ships() -> None:
    css = (ROOT / "static" / "platewarden" / "app.css").read_text(encoding="utf-8")
    named = re.findall(r'url\("([^"]+)"\)', css)
    assert named
    for name in named:
        assert name.startswith("../")
        assert finders.find(name.removeprefix("../")), name
