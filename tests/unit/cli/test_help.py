"""Every command explains itself, and wrong use ends with a message instead of a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from gateway.cli.root import app

EXPECTED = {
    "run", "worker", "ship", "control", "check-config", "import registry", "import pack", "import consents",
    "import refusals", "export registry", "export pack", "consent grant", "consent revoke", "refusal add",
    "refusal withdraw", "token create", "token revoke", "explain", "replay", "calls", "evidence verify", "demo",
}  # fmt: skip
CONTRACT = (
    "run", "worker", "ship", "control", "check-config", "import", "export", "consent", "refusal", "token", "explain",
    "replay", "calls", "evidence", "demo",
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
    assert "packs/example.toml: good (example@1, 19 rules)" in done.output
    shown = CliRunner().invoke(app, ["check-config", "--show"])
    assert '"deadline_ms": 50' in shown.output


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
