"""The command line, and what `run` itself promises about where it runs."""

from __future__ import annotations

import ast
import json
import runpy
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from runner import cli, commands, processes
from runner.console import RunError
from runner.paths import ROOT, Var
from runner.sidevenv import TRAINING


def test_run_parses_on_an_old_python() -> None:
    ast.parse((ROOT / "run").read_text(), feature_version=(3, 6))


def test_an_old_python_gets_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    version = namedtuple("version", "major minor micro releaselevel serial")
    monkeypatch.setattr(sys, "version_info", version(3, 10, 0, "final", 0))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="needs Python 3"):
        runpy.run_path(str(ROOT / "run"), run_name="__main__")


def test_the_runner_needs_nothing_but_the_standard_library() -> None:
    for path in [ROOT / "run", *(ROOT / "runner").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                assert node.level == 0
                names = [node.module]
            for name in names:
                top = name.partition(".")[0]
                assert top == "runner" or top in sys.stdlib_module_names, (path, name)


def test_every_command_is_in_the_help() -> None:
    text = cli.parser().format_help()
    for name in (
        "demo", "serve", "setup", "test", "read", "bench", "train", "mutate", "manage", "status",
        "doctor", "services", "env", "wheel", "lock",
    ):  # fmt: skip
        assert f"    {name} " in text


@pytest.mark.parametrize("name", ["test", "read", "bench", "train", "manage"])
def test_arguments_that_look_like_options_are_passed_on(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    given: list[list[str]] = []

    def take(arguments: list[str]) -> int:
        given.append(arguments)
        return 4

    monkeypatch.setitem(cli.PASSING_ON, name, (take, ""))
    assert cli.main([name, "-k", "x", "--help"]) == 4
    assert given == [["-k", "x", "--help"]]


def test_demo_hands_its_flags_to_the_player(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, object] = {}
    monkeypatch.setattr(commands, "demo", lambda **kw: given.update(kw) or 0)
    cli.main(["demo", "--once", "--json", "--images", "my pictures", "--port", "81"])
    assert given == {
        "once": True,
        "port": 81,
        "flags": ["--once", "--json", "--images", "my pictures"],
        "video": False,
    }
    cli.main(["demo", "--video", "lane.mp4"])
    assert (given["flags"], given["video"]) == (["--video", "lane.mp4"], True)


def test_a_failure_is_a_sentence_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: object) -> int:
        raise RunError("The disk is full.")

    monkeypatch.setattr(commands, "serve", fail)
    assert cli.main(["serve"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "./run: The disk is full.\n"


def test_status_of_nothing(
    var: Var, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PLATEWARDEN_VAR", str(var.root))
    assert cli.main(["status", "--json"]) == 3
    answer = json.loads(capsys.readouterr().out)
    assert answer == {"running": False, "pid": None, "url": "", "processes": []}
    assert cli.main(["env"]) == 1


def test_an_unknown_benchmark_names_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "nonsense"]) == 1
    assert "with NAME one of" in capsys.readouterr().err


def test_the_bridge_runs_where_there_is_a_broker(var: Var, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATEWARDEN_MQTT_URL", "mqtt://bridge:secret@broker")
    bridge = processes.table(var, bind="127.0.0.1", port=8123)[-1]
    assert (bridge.name, bridge.argv[1:]) == ("bridge", ("manage.py", "mqtt_bridge"))


def test_the_table_of_processes(var: Var, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLATEWARDEN_MQTT_URL", raising=False)
    table = processes.table(var, bind="127.0.0.1", port=8123)
    by_name = {process.name: process.argv for process in table}
    assert list(by_name) == ["web", "beat", "worker-recognise", "worker-flow", "worker-house"]
    assert {"alpr_site.asgi:application", "8123", "--no-access-log"} <= set(by_name["web"])
    for queue in ("recognise", "flow", "house"):
        argv = by_name[f"worker-{queue}"]
        assert argv[argv.index("-Q") + 1] == queue
        assert {"--without-gossip", "--without-mingle", "--prefetch-multiplier=1"} <= set(argv)
    recognise = by_name["worker-recognise"]
    assert recognise[recognise.index("-c") + 1] == str(processes.cores())
    # A password on a command line can be read by every account of the machine.
    assert not any(
        "redis://" in part or "postgres://" in part for row in table for part in row.argv
    )


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, str]]]:
    """What the process would have been replaced by: its command and environment."""
    taken: list[tuple[list[str], dict[str, str]]] = []

    def become(path: str, command: list[str], env: dict[str, str]) -> None:
        assert path == command[0]
        taken.append((command, env))
        raise SystemExit(0)

    monkeypatch.setattr("os.execve", become)
    monkeypatch.setattr("runner.venv.ensure", lambda **_: None)
    return taken


def test_train_runs_in_an_environment_of_its_own(
    var: Var,
    monkeypatch: pytest.MonkeyPatch,
    became: list[tuple[list[str], dict[str, str]]],
) -> None:
    monkeypatch.setenv("PLATEWARDEN_VAR", str(var.root))
    monkeypatch.setenv("PLATEWARDEN_DATA", "/pictures")
    monkeypatch.setattr(
        "runner.sidevenv.SideVenv.ensure", lambda self, var: self.python(var), raising=True
    )
    with pytest.raises(SystemExit):
        cli.main(["train", "reader", "--minutes", "5"])
    ((command, env),) = became
    assert command[0] == str(var.root / "training" / "venv" / "bin" / "python")
    assert command[1:] == ["-P", "-m", "training", "reader", "--minutes", "5"]
    assert env["PYTHONPATH"] == str(ROOT)
    assert env["PLATEWARDEN_DATA"] == "/pictures"


@pytest.mark.parametrize(
    ("arguments", "made"), [([], []), (["--peers"], ["peers"]), (["--peers", "--help"], [])]
)
def test_benchmarks_without_a_site_start_no_service(
    var: Var,
    monkeypatch: pytest.MonkeyPatch,
    became: list[tuple[list[str], dict[str, str]]],
    arguments: list[str],
    made: list[str],
) -> None:
    ensured: list[str] = []
    monkeypatch.setenv("PLATEWARDEN_VAR", str(var.root))
    monkeypatch.setattr(
        "runner.sidevenv.SideVenv.ensure", lambda self, var: ensured.append(self.name)
    )
    with pytest.raises(SystemExit):
        cli.main(["bench", "accuracy", *arguments])
    ((command, env),) = became
    assert command[-2 - len(arguments) :] == ["--tools", str(var.root), *arguments]
    assert env["OMP_NUM_THREADS"] == "1"
    assert ensured == made


@pytest.mark.parametrize("whole", [True, False])
def test_accuracy_draws_only_with_a_whole_environment(
    var: Var,
    monkeypatch: pytest.MonkeyPatch,
    became: list[tuple[list[str], dict[str, str]]],
    whole: bool,
) -> None:
    monkeypatch.setenv("PLATEWARDEN_VAR", str(var.root))
    python = TRAINING.python(var)
    python.parent.mkdir(parents=True)
    python.touch()  # half-made: an interpreter alone
    monkeypatch.setattr("runner.sidevenv.SideVenv.is_ready", lambda self, var: whole)
    for name in ("accuracy", "speed"):
        with pytest.raises(SystemExit):
            cli.main(["bench", name, "--json"])
    accuracy, speed = (command for command, _ in became)
    assert (accuracy[-3:-1] == ["--training-python", str(python)]) == whole
    assert "--training-python" not in speed
