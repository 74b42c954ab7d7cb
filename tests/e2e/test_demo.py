"""`callgate demo` and `callgate explain` against the running example."""

from __future__ import annotations

from pathlib import Path

from tests.support.evidence import wait_for
from tests.support.gateway_process import ROOT, GatewayProcess


def readme_commands() -> list[list[str]]:
    """The commands of README's first call, but the demo itself."""
    part = (ROOT / "README.md").read_text(encoding="utf-8").split("## Place a first call", 1)[1].split("\n## ", 1)[0]
    lines = [line.split()[1:] for line in part.splitlines() if line.startswith("    .venv/bin/callgate ")]
    return [words for words in lines if words != ["demo"]]


def test_demo_places_one_call_of_every_kind(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "state") as gateway:
        for line in readme_commands():  # whatever of README was typed before, the demo passes
            done = gateway.cli(*line)
            assert done.returncode in (0, 3), done.stdout + done.stderr
        shown = gateway.cli("demo")
        assert shown.returncode == 0, shown.stdout + shown.stderr
        for rule in ("caller-hidden", "caller-mismatch", "number-foreign", "direction-outbound", "number-length"):
            assert rule in shown.stdout
        assert " calls --decision ID" in shown.stdout
        records = wait_for(gateway, 13, 4)
        assert set(records.decisions.values()) == {1}
        assert records.rules["consent-missing"] >= 2 and records.rules["callee-refused"] == 1
        assert records.rules["emergency"] == 1


def test_explain_says_what_live_calls_get(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "state") as gateway:
        call = ("explain", "--trunk", "cc-alpha", "--from", "+8657112340001", "--to")
        passed = gateway.cli(*call, "+8613800138000")
        assert passed.returncode == 0, passed.stdout + passed.stderr
        refused = gateway.cli(*call, "+8613900139000")
        assert refused.returncode == 3, refused.stdout + refused.stderr
        assert "consent-missing" in refused.stdout
        declined = gateway.cli(*call, "+8613800138001")
        assert declined.returncode == 3 and "callee-refused" in declined.stdout
        wrong = gateway.cli("explain", "--trunk", "nobody", "--from", "+8657112340001", "--to", "110")
        assert wrong.returncode == 1 and "cc-alpha" in wrong.stderr
