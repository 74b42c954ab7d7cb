"""Every command explains itself, and wrong use ends with a message instead of a traceback."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from gateway.cli.common import friendly, typed
from gateway.cli.root import app
from policies import RULES
from tests.support.packs import LABEL

EXPECTED = {
    "run", "worker", "ship", "control", "check-config", "import registry", "import pack", "import consents",
    "import refusals", "export registry", "export pack", "consent grant", "consent revoke", "refusal add",
    "refusal withdraw", "token create", "token list", "token revoke", "approval list", "approval approve",
    "approval reject", "approval show", "audit", "reveal", "explain", "replay", "calls", "evidence verify",
    "evidence set-aside", "demo", "trunk secret", "peer drain", "peer undrain", "peer list",
    *(f"{kind} {verb}" for kind in ("operator", "tenant", "trunk") for verb in
      ("list", "show", "set", "activate", "suspend")),
    *(f"range {verb}" for verb in ("list", "show", "set", "state")),
    "document add", "document list",
    *(f"restriction {verb}" for verb in ("add", "lift", "list", "notice", "appeal")),
    "registry check", "registry versions", "registry diff", "registry rollback",
    "export consents", "export refusals", "feed define", "feed import", "feed list", "list versions", "list rollback",
    "wish set", "wish show", "wish statistics", "wish withdraw", "packs", "pack withdraw", "keys rotate", "keys status",
    "keys retire", "keys new", "import ranges", "export ranges",
    "report traffic", "report findings", "report trace", "restriction appeal", "restriction notice",
}  # fmt: skip
CONTRACT = (
    "run", "worker", "ship", "control", "check-config", "import", "export", "consent", "refusal", "token", "explain",
    "replay", "calls", "evidence", "demo", "trunk", "peer", "approval", "audit",
    "reveal", "feed", "list", "wish", "packs", "pack", "keys", "report",
    "operator", "tenant", "range", "document", "restriction", "registry",
)  # fmt: skip


def commands(command: object, path: str = "") -> Iterator[str]:
    for name, sub in getattr(command, "commands", {}).items():
        full = f"{path} {name}".strip()
        if getattr(sub, "commands", None):
            yield from commands(sub, full)
        else:
            yield full


def test_the_commands_are_those_of_the_contract() -> None:
    found = set(commands(get_command(app)))
    assert found == EXPECTED
    assert {name.split()[0] for name in found} == set(CONTRACT)


@pytest.mark.parametrize("name", sorted(EXPECTED | set(CONTRACT)))
def test_every_command_has_help(name: str) -> None:
    done = CliRunner().invoke(app, [*name.split(), "--help"])
    assert done.exit_code == 0
    assert "Usage: " in done.output
    assert "--help" in done.output
    text = done.output.split("\n\n")
    assert len(text) > 1 and len(text[1].strip()) > 8, "a command says what it does"


def test_no_arguments_shows_the_help() -> None:
    assert "check-config" in CliRunner().invoke(app, []).output


def test_wrong_usage_is_exit_2() -> None:
    assert CliRunner().invoke(app, ["explain"]).exit_code == 2
    assert CliRunner().invoke(app, ["no-such-command"]).exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [["run"], ["worker"], ["calls"], ["check-config"], ["evidence", "verify"], ["consent", "grant", "--callee", "+861",
     "--operator", "a", "--purpose", "b"]],
)  # fmt: skip
def test_a_bad_configuration_stops_every_command(tmp_path: Path, arguments: list[str]) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("[gate]\ndeadline_ms = 0\n[node]\nstate = 'x'\n")
    done = CliRunner().invoke(app, [*arguments, "--config", str(path)])
    assert done.exit_code == 1
    assert f"callgate: {path}: the settings cannot be used" in done.output
    assert "gate.deadline_ms = 0: should be greater than or equal to 1; fix: set it to" in done.output
    assert "node.state = 'x': no such setting; fix: remove it" in done.output
    assert "Traceback" not in done.output


def test_check_config(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["check-config"])
    assert done.exit_code == 0
    assert "config/example/callgate.toml: good" in done.output
    assert f"packs/example.toml: good ({LABEL}, {len(RULES)} rules)" in done.output
    for words in ("registry.toml: good (3 trunks, 3 ranges)", "consents.csv: good (2", "refusals.csv: good (1"):
        assert words in done.output
    shown = CliRunner().invoke(app, ["check-config", "--show"])
    assert '"deadline_ms": 50' in shown.output
    secret = {"CALLGATE_REDIS__URL": "redis://:secret@h/0"}
    assert '"url": "redis://:***@h/0"' in CliRunner().invoke(app, ["check-config", "--show"], env=secret).output


def test_check_config_tells_every_problem_of_the_example_in_one_round(tmp_path: Path) -> None:
    home = tmp_path / "deploy"
    shutil.copytree("config/example", home)
    (tmp_path / "packs").mkdir()
    (tmp_path / "packs/deploy.toml").write_text('id = "p"\nversion = 0\n')
    registry = (home / "registry.toml").read_text()
    (home / "registry.toml").write_text(registry.replace('trunks = ["cc-beta"]', 'trunks = ["nowhere"]'))
    with open(home / "consents.csv", "a") as file:
        file.write("+8613800138000,nobody,consultation,yesterday,,\n")
    with open(home / "refusals.csv", "a") as file:
        file.write("13800138000,everything,,,,\n")
    config = tmp_path / "callgate.toml"
    config.write_text(f"[example]\ndirectory = '{home}'\n")
    done = CliRunner().invoke(app, ["check-config", "--config", str(config)])
    assert done.exit_code == 1
    for words in (
        "deploy.toml:2: version: 0: write a whole number from 1",
        "'nowhere'",
        "consents.csv: line 4: operator: nobody: name one of the operators (alpha, beta)",
        "consents.csv: line 4: granted_at: yesterday: write an RFC 3339 time",
        "refusals.csv: line 3: scope: everything: write one of all, category",
    ):
        assert words in done.output
    assert "Traceback" not in done.output


def test_examples_in_the_help_name_commands_there_are() -> None:
    seen = 0
    for name in sorted(EXPECTED):
        text = CliRunner().invoke(app, [*name.split(), "--help"]).output
        for line in text.partition("Examples:")[2].splitlines():
            words = line.partition("    (")[0].split() if line.strip().startswith("callgate ") else []
            if words and " ".join(words[1:3]) not in EXPECTED:
                assert words[1] in EXPECTED, line
            seen += bool(words)
            for option in (word for word in words if word.startswith("--")):
                family = words[1] if words[1] in EXPECTED else " ".join(words[1:3])
                assert option in CliRunner().invoke(app, [*family.split(), "--help"]).output, line
    assert seen >= 15


def test_the_demo_without_a_gateway_changes_nothing(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        listener = f'[{{"name": "main", "address": "127.0.0.1", "port": {port}}}]'
        environ = {"CALLGATE_NODE__STATE_DIR": str(tmp_path / "state"), "CALLGATE_LISTENER": listener}
        done = CliRunner().invoke(app, ["demo"], env=environ)
    assert done.exit_code == 1
    assert done.output == f"callgate: no answer from 127.0.0.1:{port}; fix: start the gateway (make run) first\n"
    assert not (tmp_path / "state").exists()


def test_an_error_without_words_is_named() -> None:
    with pytest.raises(typer.Exit), friendly():
        raise TimeoutError


def test_a_command_is_shown_as_it_can_be_typed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [str(tmp_path / ".venv/bin/callgate"), "run"])
    assert typed("demo") == ".venv/bin/callgate demo"
    assert typed("calls", Path("my file.toml")) == ".venv/bin/callgate calls --config 'my file.toml'"
    assert typed("--help", Path("c.toml")) == ".venv/bin/callgate --help"
    monkeypatch.setattr("sys.argv", ["/somewhere/gateway/cli/__main__.py", "run"])
    assert typed("demo").endswith(" -m gateway.cli demo")
    program = tmp_path / "bin/callgate"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setattr("sys.argv", [str(program), "run"])
    assert typed("demo") == "callgate demo"


def test_a_part_alone_needs_its_stores(tmp_path: Path) -> None:
    environ = {"CALLGATE_NODE__STATE_DIR": str(tmp_path)}
    for part in ("worker", "ship", "control"):
        done = CliRunner().invoke(app, [part], env=environ)
        assert done.exit_code == 1
        assert "redis.url and database.url are empty" in done.output
        assert "fix: set both URLs, or start everything with `callgate run`" in done.output


def test_explain_without_a_gateway(tmp_path: Path) -> None:
    environ = {"CALLGATE_NODE__STATE_DIR": str(tmp_path)}
    arguments = ["explain", "--trunk", "cc-alpha", "--from", "+8657112340001", "--to", "+8613800138000"]
    done = CliRunner().invoke(app, arguments, env=environ)
    assert done.exit_code == 1
    assert "no gateway runs on" in done.output


def test_a_worker_alone_makes_no_keys_of_its_own(tmp_path: Path) -> None:
    environ = {
        "CALLGATE_NODE__STATE_DIR": str(tmp_path),
        "CALLGATE_REDIS__URL": "redis://127.0.0.1:1/0",
        "CALLGATE_DATABASE__URL": "postgresql://nobody@127.0.0.1:1/none",
    }
    done = CliRunner().invoke(app, ["worker"], env=environ)
    assert done.exit_code == 1
    assert f"keys.file = '{tmp_path}/keys.json': no such file; fix: copy it" in done.output
    assert not (tmp_path / "keys.json").exists()
