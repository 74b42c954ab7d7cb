"""`callgate run` as a person meets it: one ready line, a fast second start, nothing left behind, parts
that come back."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.compiled import FLAVOUR
from gateway.store.embedded.strays import working_in
from tests.support.gateway_process import ROOT, GatewayProcess

SECOND_START_S = 5.0
RESPAWN_S = 2.0
READY = '"status":"ready"'


@pytest.fixture(scope="module")
def one_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """One gateway for all tests here."""
    process = GatewayProcess(tmp_path_factory.mktemp("gateway") / "state")
    yield process
    process.close()


@pytest.fixture
def gateway(one_gateway: GatewayProcess) -> GatewayProcess:
    """Running and ready, also where the test before this one failed halfway."""
    if not one_gateway.running:
        one_gateway.start()
    return one_gateway


def wait_for_new(gateway: GatewayProcess, old: int, *words: str) -> float:
    """Seconds until another child of that name runs."""
    began = time.monotonic()
    while gateway.child_pid(*words) in (0, old):
        assert time.monotonic() - began < 10, gateway.output()
        time.sleep(0.01)
    return time.monotonic() - began


def test_one_ready_line_names_everything(gateway: GatewayProcess) -> None:
    lines = [line for line in gateway.output().splitlines() if line.startswith("callgate is ready")]
    assert len(lines) == 1
    assert f"({FLAVOUR}): SIP udp 127.0.0.1:{gateway.sip_port}" in lines[0]
    assert f"http://127.0.0.1:{gateway.http_port}/" in lines[0]
    config = f" --config {gateway.config}"
    assert f"Try: {sys.executable} -m gateway.cli demo{config}, " in lines[0]
    assert "Traceback" not in gateway.output()


def test_http_side(gateway: GatewayProcess) -> None:
    assert gateway.get("/healthz") == (200, '{"status":"ok"}')
    code, ready = gateway.get("/readyz")
    assert code == 200
    for part in ('"worker-0"', '"redis"', '"database"'):
        assert part in ready
    code, metrics = gateway.get("/metrics")
    assert code == 200
    assert 'callgate_worker_up{worker="0"} 1.0' in metrics
    assert 'callgate_registry_version{worker="0"} ' in metrics
    assert "callgate_database_up 1.0" in metrics
    assert f'callgate_build_info{{flavour="{FLAVOUR}"}} 1.0' in metrics
    assert "callgate_projection_lag_seconds " in metrics
    assert re.search(r"callgate_projection_shard_in_step\{redis=\"\S+\"\} 1.0", metrics)
    assert "ready</span>" in gateway.get("/")[1]


def test_the_shipper_tells_its_counters(gateway: GatewayProcess) -> None:
    deadline = time.monotonic() + 5
    while 'callgate_journal_backlog_records{journal="node-1-0"} 0.0' not in gateway.get("/metrics")[1]:
        assert time.monotonic() < deadline, gateway.output()
        time.sleep(0.05)


def test_a_second_gateway_on_the_same_state_is_refused(gateway: GatewayProcess) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "run", "--config", str(gateway.config)],
        cwd=ROOT, env=gateway.env, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "another gateway runs on the state directory" in done.stderr
    assert "Traceback" not in done.stderr
    assert gateway.get("/readyz")[0] == 200


def test_commands_beside_the_running_gateway(gateway: GatewayProcess) -> None:
    question = ("explain", "--trunk", "cc-alpha", "--from", "+8657112340001", "--to")
    allowed = gateway.cli(*question, "+8613800138000")
    assert allowed.returncode == 0, allowed.stdout + allowed.stderr
    refused = gateway.cli(*question, "+8613900139000")
    assert (refused.returncode, "consent-missing" in refused.stdout) == (3, True), refused.stderr
    exported = gateway.cli("export", "registry")
    assert 'id = "cc-alpha"' in exported.stdout
    assert gateway.cli("calls").stdout == "no calls found\n"
    token = gateway.cli("token", "create", "prometheus").stdout.strip()
    assert token.startswith("cg_")
    taken = gateway.cli("token", "create", "prometheus")
    assert taken.returncode == 1
    assert "name: 'prometheus': is taken" in taken.stderr and "Traceback" not in taken.stderr
    assert "viewer" in gateway.cli("token", "list").stdout
    assert "CALLGATE_TOKEN: empty: this takes two persons" in gateway.cli("approval", "approve", "1").stderr
    approved = gateway.cli("approval", "approve", "1", token=token)
    assert approved.returncode == 1 and approved.stderr.startswith("callgate: "), approved.stdout


def test_a_killed_worker_is_back_within_two_seconds(gateway: GatewayProcess) -> None:
    old = gateway.worker_pid()
    os.kill(old, signal.SIGKILL)
    began = time.monotonic()
    wait_for_new(gateway, old, "worker", "0")
    gateway.wait_ready(RESPAWN_S)
    assert time.monotonic() - began < RESPAWN_S


@pytest.mark.parametrize("part", ["shipper", "control"])
def test_killed_parts_come_back(gateway: GatewayProcess, part: str) -> None:
    old = gateway.child_pid(part)
    os.kill(old, signal.SIGKILL)
    wait_for_new(gateway, old, part)
    gateway.wait_ready()


@pytest.mark.parametrize(("name", "mark"), [("redis", "redis-server"), ("database", "bin/postgres")])
def test_killed_servers_come_back(gateway: GatewayProcess, name: str, mark: str) -> None:
    victims = [pid for pid, command in gateway.processes().items() if mark in command]
    assert victims
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while READY in gateway.get("/readyz")[1]:
        assert time.monotonic() < deadline, f"{name} is dead and /readyz says ready"
        time.sleep(0.01)
    wait_until(lambda: READY in gateway.get("/readyz")[1], gateway)


def test_an_emptied_run_directory_mends_itself(gateway: GatewayProcess) -> None:
    shutil.rmtree(gateway.run_dir)
    wait_until(lambda: (gateway.run_dir / "worker-0.sock").exists(), gateway)
    wait_until(lambda: READY in gateway.get("/readyz")[1], gateway)
    assert gateway.cli("calls").returncode == 0


def test_a_hung_worker_is_killed_and_back(gateway: GatewayProcess) -> None:
    old = gateway.worker_pid()
    os.kill(old, signal.SIGSTOP)
    wait_until(lambda: gateway.worker_pid() not in (0, old), gateway)
    gateway.wait_ready()
    assert "worker does not answer and is killed" in gateway.output()


def test_ctrl_c_with_a_frozen_database_leaves_nothing(gateway: GatewayProcess) -> None:
    for pid in working_in(gateway.state_dir / "postgres"):
        os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: '"status":"degraded"' in gateway.get("/readyz")[1], gateway)
    began = time.monotonic()
    assert gateway.get("/readyz")[0] == 200 and time.monotonic() - began < 1.5
    assert gateway.stop() == 0
    assert time.monotonic() - began < 12
    assert gateway.processes() == {} and working_in(gateway.state_dir / "postgres") == []
    assert gateway.start() < 2 * SECOND_START_S


def test_a_missing_key_file_is_not_made_anew(gateway: GatewayProcess) -> None:
    gateway.stop()
    keys = gateway.state_dir / "keys.json"
    kept = keys.rename(keys.with_suffix(".kept"))
    assert gateway.spawn().wait(30) == 1
    assert f"callgate: keys.file = '{keys}': no such file, but {gateway.state_dir}/postgres" in gateway.output()
    question = ("consent", "grant", "--callee", "+8613800138000", "--operator", "alpha", "--purpose", "consultation")
    assert "fix: put its copy back" in gateway.cli(*question).stderr
    assert not keys.exists()
    kept.rename(keys)
    gateway.start()


def test_a_state_directory_that_cannot_be_one(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    gateway = GatewayProcess(tmp_path / "state")
    assert gateway.spawn().wait(30) == 1
    assert f"callgate: node.state_dir = '{tmp_path}/state': {tmp_path}/state" in gateway.output()
    assert "Traceback" not in gateway.output()
    gateway.close()


def test_second_start_is_fast_and_undoes_nothing(gateway: GatewayProcess, tmp_path: Path) -> None:
    change = gateway.cli(
        "consent", "revoke", "--callee", "+8613800138000", "--operator", "alpha", "--purpose", "consultation"
    )
    assert change.stdout == "consent revoked\n", change.stderr
    assert gateway.restart() < SECOND_START_S
    done = gateway.cli("explain", "--trunk", "cc-alpha", "--from", "+8657112340001", "--to", "+8613800138000")
    assert (done.returncode, "consent-missing" in done.stdout) == (3, True)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_drains_and_leaves_nothing(gateway: GatewayProcess, sign: signal.Signals) -> None:
    assert gateway.stop(sign) == 0
    assert gateway.processes() == {}
    assert "Traceback" not in gateway.output()
    said = [line for line in gateway.output().splitlines() if line.startswith("callgate ")]
    assert "Ctrl-C again stops at once" in said[-2] and "draining: calls in set-up get 5 s" in said[-2]
    assert said[-1] == "callgate stopped"
    gateway.start()


def test_commands_work_while_the_gateway_is_stopped(gateway: GatewayProcess) -> None:
    gateway.stop()
    assert 'id = "cc-alpha"' in gateway.cli("export", "registry").stdout
    assert gateway.processes() == {}
    gateway.start()


def test_a_killed_supervisor_takes_everything_with_it(gateway: GatewayProcess) -> None:
    gateway.kill()
    assert gateway.wait_gone(5.0) == {}
    assert gateway.start() < SECOND_START_S


def test_a_taken_port_stops_the_start_with_key_and_fix(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        gateway = GatewayProcess(tmp_path / "state", http_port=port)
        assert gateway.spawn().wait(60) == 1
    assert f"http.port = {port}: cannot listen on 127.0.0.1:{port}: Address already in use; fix: " in gateway.output()
    assert "callgate: control could not start" in gateway.output()
    assert gateway.processes() == {}
    gateway.close()


def test_a_bad_configuration_stops_the_start(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path / "state", env={"CALLGATE_GATE__DEADLINE_MS": "soon"})
    assert gateway.spawn().wait(30) == 1
    assert "gate.deadline_ms = 'soon': should be a valid integer" in gateway.output()
    assert not (tmp_path / "state").exists()
    gateway.close()


def test_an_empty_database_says_what_to_import(tmp_path: Path) -> None:
    config = tmp_path / "callgate.toml"
    config.write_text("")
    with_nothing = GatewayProcess(tmp_path / "state", config=config)
    with_nothing.spawn()
    try:
        told = "callgate is up and takes no calls yet: no rule pack imported: callgate import pack FILE; no registry"
        wait_until(lambda: told in with_nothing.output(), with_nothing)
        imported = with_nothing.cli("import", "registry", "config/example/registry.toml")
        assert "no call is taken yet: no rule pack imported: callgate import pack FILE" in imported.stdout
        wait_until(lambda: '"imports"' in with_nothing.get("/readyz")[1], with_nothing)
        explained = with_nothing.cli("explain", "--trunk", "cc-alpha", "--from", "+8657112340001", "--to", "110")
        assert (explained.returncode, explained.stderr) == (
            1, "callgate: no rule pack imported: callgate import pack FILE\n",
        )  # fmt: skip
        for command in (("export", "pack"), ("replay",)):
            assert with_nothing.cli(*command).stderr == "callgate: no rule pack imported: callgate import pack FILE\n"
        assert with_nothing.cli("import", "pack", "example").returncode == 0
        wait_until(lambda: "callgate is ready after" in with_nothing.output(), with_nothing)
        passed = with_nothing.cli("explain", "--trunk", "cc-alpha", "--from", "+8657112340001", "--to", "110")
        assert passed.returncode == 0 and "an emergency call passes before every rule" in passed.stdout
    finally:
        with_nothing.close()


def wait_until(condition: Callable[[], bool], gateway: GatewayProcess) -> None:
    """Wait for something the gateway does by itself."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, gateway.output()
        time.sleep(0.05)
