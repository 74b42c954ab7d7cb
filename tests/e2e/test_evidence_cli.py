"""One refused call, found by `callgate calls` in every way, masked unless revealed, and proven whole."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateway_process import GatewayProcess
from tests.support.packs import pack_text

CALLER, CALLEE = "+8657112340001", "+8613900139000"
MASKED = "+86139****9000"


def place_call(gateway: GatewayProcess, call_id: str) -> bytes:
    """An INVITE from cc-alpha; the final answer."""
    invite = (
        f"INVITE sip:{CALLEE}@127.0.0.1:{gateway.sip_port} SIP/2.0\r\n"
        "Via: SIP/2.0/UDP 127.0.0.2:{port};branch=z9hG4bK%s\r\n"
        f"From: <sip:{CALLER}@127.0.0.2>;tag=a1\r\nTo: <sip:{CALLEE}@127.0.0.1>\r\n"
        f"Call-ID: {call_id}\r\nCSeq: 1 INVITE\r\nContact: <sip:127.0.0.2:{{port}}>\r\nMax-Forwards: 70\r\n"
        "Content-Length: 0\r\n\r\n"
    ) % call_id
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.2", 0))
        phone.settimeout(5)
        text = invite.replace("{port}", str(phone.getsockname()[1]))
        phone.sendto(text.encode(), ("127.0.0.1", gateway.sip_port))
        while True:
            answer = phone.recv(65_536)
            if not answer.startswith(b"SIP/2.0 1"):
                to = next(line for line in answer.decode().split("\r\n") if line.startswith("To:"))
                head = text.split("\r\n", 1)[0].replace("INVITE", "ACK", 1)
                ack = "\r\n".join(
                    [head, *(to if line.startswith("To:") else line for line in text.split("\r\n")[1:])]
                ).replace("1 INVITE", "1 ACK")
                phone.sendto(ack.encode(), ("127.0.0.1", gateway.sip_port))
                return answer


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway with one refused call in its evidence."""
    with GatewayProcess(tmp_path_factory.mktemp("evidence") / "state") as process:
        answer = place_call(process, "one-call")
        assert answer.startswith(b"SIP/2.0 470 "), answer
        deadline = time.monotonic() + 10
        while '"id"' not in process.cli("calls", "--json").stdout:
            assert time.monotonic() < deadline, process.output()
        yield process


def found(gateway: GatewayProcess, *arguments: str) -> list[dict[str, object]]:
    done = gateway.cli("calls", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, object]] = json.loads(done.stdout)
    return rows


def test_found_in_every_way_and_masked(gateway: GatewayProcess) -> None:
    (call,) = found(gateway)
    assert (call["caller"], call["callee"]) == (CALLER, MASKED)
    assert (call["rule"], call["status"], call["trunk"]) == ("consent-missing", 470, "cc-alpha")
    for arguments in (
        ("--caller", CALLER, "--callee", CALLEE), ("--call-id", "one-call"),
        ("--decision", str(call["id"])[:8], "--since", "2020-01-01"),
    ):  # fmt: skip
        assert found(gateway, *arguments) == [call], arguments
    for arguments in (
        ("--caller", CALLEE), ("--call-id", "another", "--until", "2020-01-01"),
    ):  # fmt: skip
        assert found(gateway, *arguments) == [], arguments


def test_the_table_holds_no_subscriber_number(gateway: GatewayProcess) -> None:
    done = gateway.cli("calls")
    assert MASKED in done.stdout
    assert CALLEE not in done.stdout
    assert "consent-missing" in done.stdout


def test_a_reveal_is_in_the_audit_trail(gateway: GatewayProcess) -> None:
    (call,) = found(gateway, "--reveal", "--principal", "auditor@example")
    assert call["callee"] == CALLEE
    why = ("--reason", "complaint 117", "--principal", "ann")
    shown = gateway.cli("reveal", str(call["id"]), *why)
    assert (shown.returncode, shown.stdout) == (0, f"{CALLEE}\n"), shown.stderr
    assert gateway.cli("reveal", "f" * 32, *why).returncode == 1
    rows = json.loads(gateway.cli("audit", "--action", "call.reveal", "--json").stdout)
    assert [(row["principal"], row["object"], row["detail"]) for row in rows] == [
        ("ann", call["id"], {"reason": "complaint 117"}),
        ("auditor@example", call["id"], {}),
    ]


def test_a_number_that_is_none(gateway: GatewayProcess) -> None:
    done = gateway.cli("calls", "--callee", "bob")
    assert done.returncode == 1
    assert "number = 'bob': not a number; fix: write it as +8613800138000" in done.stderr


def test_the_evidence_is_whole(gateway: GatewayProcess) -> None:
    done = gateway.cli("evidence", "verify")
    assert done.returncode == 0, done.stdout
    assert "node-1-0: whole; " in done.stdout
    assert "node-1-0 on this disk: whole; " in done.stdout


def test_nothing_to_set_aside(gateway: GatewayProcess) -> None:
    done = gateway.cli("evidence", "set-aside", "node-1-0")
    assert (done.returncode, done.stdout) == (0, "node-1-0: everything can be read; nothing was set aside\n")
    assert "fix: name one of node-1-0" in gateway.cli("evidence", "set-aside", "other").stderr


def test_a_recorded_call_is_explained_by_another_pack_and_at_another_time(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    (call,) = found(gateway)
    file = tmp_path / "lenient.toml"
    clauses = 'clauses = ["A06"]\nmode = "shadow"'
    file.write_text(pack_text("lenient", 3, consent_missing=clauses))
    asked = ("explain", "--decision", str(call["id"])[:12])
    assert gateway.cli(*asked).returncode == 3
    done = gateway.cli(*asked, "--pack", str(file), "--at", "2030-01-01T00:00:00", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["rule"], told["pack"]) == (0, "allow", "lenient@3")
    assert ["consent-missing", "shadow", "would refuse", "no consent stored", ["A06"]] in told["words"]
    assert told["facts"]["at"] == 1_893_456_000.0
    assert "A06" in gateway.cli(*asked, "--pack", str(file)).stdout
    made_up = ("explain", "--trunk", "cc-alpha", "--from", CALLER, "--to", CALLEE)
    assert gateway.cli(*made_up).returncode == 3
    assert gateway.cli(*made_up, "--pack", str(file)).returncode == 0
    replayed = gateway.cli("replay", "--pack", str(file))
    assert replayed.stdout.split("\n")[0] == f"{call['id']}: was consent-missing, now allow"
    file.write_text("id = 7")
    assert f"{file}:1: id: 7: write 1-64 letters" in gateway.cli("replay", "--pack", str(file)).stderr
    assert gateway.cli("explain", "--trunk", "cc-alpha").returncode == 2


def test_replay_says_the_same(gateway: GatewayProcess) -> None:
    done = gateway.cli("replay")
    assert done.stdout == "1 decisions judged again with example@1: 0 differ, 0 cannot be judged again\n"
