"""`./run manage evidence verify` starts nothing: a pack can be checked where there is no site."""

from __future__ import annotations

import pytest

from runner import commands, venv


class Became(Exception):
    pass


def test_verifying_evidence_needs_no_service(monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[list[str]] = []

    def become(command: list[str]) -> None:
        became.append(command)
        raise Became

    def served(*_: object) -> int:
        pytest.fail("services were asked for")

    monkeypatch.setattr(venv, "ensure", lambda: None)
    monkeypatch.setattr(commands, "_become", become)
    monkeypatch.setattr(commands, "_with_services", served)
    with pytest.raises(Became):
        commands.manage(["evidence", "verify", "pack.zip", "--key", "ab"])
    assert became[0][1:] == ["-P", "-m", "enforcement.cases.verifying", "pack.zip", "--key", "ab"]


def test_other_evidence_commands_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(venv, "ensure", lambda: None)
    monkeypatch.setattr(commands, "_with_services", lambda command: asked.append(command) or 0)
    assert commands.manage(["evidence", "keys"]) == 0
    assert asked[0][-2:] == ["evidence", "keys"]
