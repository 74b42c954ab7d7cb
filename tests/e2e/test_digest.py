"""A trunk without a fixed address, from the registry file and its password to the call and its record; two workers."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.proxy.logins import CHALLENGES_AT_ONCE, CHALLENGES_PER_S
from gateway.sip.message import Response
from tests.support.carrier_leg import CarrierLeg
from tests.support.digest import credentials, pick
from tests.support.gateway_process import PATIENT, GatewayProcess
from tests.support.sip_text import caller_party, invite
from tests.support.sipp import SCENARIOS, Sipp, answering, calling
from tests.support.worker_site import Phone

CONSENTED, GAMMA = "+8613800138000", "+8657133330001"
URI = f"sip:{CONSENTED}@127.0.0.1".encode()
FILE = """
[[trunk]]
id = "cc-gamma"
side = "access"
operator = "alpha"
area = "571"
carrier = "Example Telecom"
circuit = "EX-LINE-7"
contract = "EX-CONTRACT-7"
agreement = "alpha-agreement"
digest = [{ user = "pbx-7" }, { user = "pbx-8" }]
algorithms = ["SHA-256", "SHA-512-256", "MD5"]

[[range]]
id = "gamma-hangzhou"
first = "+8657133330000"
last = "+8657133339999"
operator = "alpha"
trunks = ["cc-gamma"]
outbound = true
inbound = false
purposes = ["consultation"]
certificate = "C"
filing = "F"

[[document]]
id = "alpha-capability"
kind = "capability"
operator = "alpha"
consent_store = true
recorder = true
frequency_control = true
complaint_channel = true
probed_on = {today}
"""
PASSWORD = "correct horse"
ALGORITHMS = ("SHA-256", "SHA-512-256", "MD5")


def secret_of(algorithm: str) -> str:
    return hashlib.new(algorithm, f"pbx-7:callgate:{PASSWORD}".encode()).hexdigest()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    directory = tmp_path_factory.mktemp("digest")
    with GatewayProcess(directory / "state", env={**PATIENT, "CALLGATE_NODE__WORKERS": "2"}) as running:
        (directory / "gamma.toml").write_text(FILE.replace("{today}", time.strftime("%Y-%m-%d")))
        running.agreed("import", "registry", str(directory / "gamma.toml"), "--ask", "--reason", "contract 7")
        said = running.cli("trunk", "secret", "cc-gamma", "pbx-7", stdin=PASSWORD + "\n")
        assert said.returncode == 0, said.stderr
        assert said.stdout == "password of pbx-7 set for SHA-256, SHA-512-256, MD5; registry version 4\n"
        yield running


@pytest.fixture
def phone() -> Iterator[Phone]:
    made = Phone("127.0.0.44")
    yield made
    made.socket.close()


class Caller:
    """The exchange behind cc-gamma."""

    def __init__(self, gateway: GatewayProcess, phone: Phone) -> None:
        self.phone = phone
        self.address = ("127.0.0.1", gateway.sip_port)
        self.branches = 0

    def text(self, call_id: bytes, cseq: int = 1, *values: bytes) -> bytes:
        self.branches += 1
        caller = f"<sip:{GAMMA}@127.0.0.44>;tag=g".encode()
        return invite(
            via=self.phone.via + b";rport", branch=b"z9hG4bK-%d" % self.branches, from_=caller, call_id=call_id,
            cseq=cseq, extra=tuple((b"Proxy-Authorization", value) for value in values), body=b"",
            contact=b"<sip:pbx@10.0.0.7>",
        )  # fmt: skip

    def send(self, data: bytes) -> None:
        self.phone.socket.sendto(data, self.address)

    async def challenged(self, call_id: bytes) -> list[bytes]:
        self.send(self.text(call_id))
        got = await self.phone.final()
        assert got.status == 407, got.reason
        return got.get_all(b"Proxy-Authenticate")

    async def call(self, call_id: bytes, password: str = PASSWORD, algorithm: str = "") -> tuple[bytes, Response]:
        """The INVITE that answers the challenge, and the final response to it."""
        challenge = pick(await self.challenged(call_id), algorithm)
        text = self.text(call_id, 2, credentials(challenge, "pbx-7", password, URI))
        self.send(text)
        return text, await self.answered()

    async def answered(self) -> Response:
        """The final response to a call."""
        while True:
            got = await self.phone.final()
            if got.status >= 200:
                return got


async def ready(caller: Caller) -> None:
    """Until both workers have the registry with the password."""
    async with asyncio.timeout(10):
        for number in range(8):  # call-ids of either worker
            while True:
                caller.send(caller.text(b"ready-%d" % number))
                try:
                    async with asyncio.timeout(0.2):
                        await caller.phone.final()
                        break
                except TimeoutError:
                    continue


async def test_calls_of_a_digest_trunk(gateway: GatewayProcess, phone: Phone) -> None:
    caller = Caller(gateway, phone)
    carrier = await CarrierLeg.open("127.0.0.9", 5060)
    try:
        await ready(caller)
        for number in range(6):  # of either worker
            text, got = await caller.call(b"call-%d@gamma" % number, algorithm=ALGORITHMS[number % 3])
            assert got.status == 200, (got.status, got.get(b"Warning"))
            party = caller_party(text, got, via=phone.via + b";rport")
            caller.send(party.request(b"ACK", b"z9hG4bK-a%d" % number, cseq=2))
            other = Phone("127.0.0.44")
            try:  # the same host, another port: neither may end the call
                other.socket.sendto(party.request(b"BYE", b"z9hG4bK-o%d" % number, via=other.via), caller.address)
                assert (await other.final()).status == 481
            finally:
                other.socket.close()
            caller.send(party.request(b"BYE", b"z9hG4bK-b%d" % number))
            assert (await phone.final()).status == 200
        assert len(carrier.requests(b"INVITE")) == 6
        assert len(carrier.requests(b"BYE")) == 6
        assert not any(b"Authorization" in data for data in carrier.seen)
        assert (await caller.call(b"wrong@gamma", "guess"))[1].status == 407
        assert len(carrier.requests(b"INVITE")) == 6
    finally:
        carrier.close()
    metrics = gateway.get("/metrics")[1]
    assert 'callgate_logins_total{result="proven"} 6' in metrics
    assert 'callgate_logins_total{result="wrong"} 1' in metrics
    async with asyncio.timeout(10):
        while True:
            listed = json.loads(gateway.cli("calls", "--caller", GAMMA, "--json").stdout)
            if len(listed) >= 6:
                break
            await asyncio.sleep(0.1)
    assert {(row["trunk"], row["identified"]) for row in listed} == {("cc-gamma", "digest")}


def flood(gateway: GatewayProcess, seconds: float) -> tuple[int, int, float]:
    """INVITEs without credentials from one source, some 2,000/s; how many were sent, and answered 407, and how long."""
    stranger = Phone("127.0.0.46")
    caller = Caller(gateway, stranger)
    sent = answered = 0
    began = time.monotonic()

    def hear() -> int:
        """Answers that are there."""
        heard = 0
        while True:
            try:
                heard += b"SIP/2.0 407 " in stranger.socket.recv(65_535)
            except BlockingIOError:
                return heard

    try:
        while (passed := time.monotonic() - began) < seconds:
            for _ in range(20):
                caller.send(caller.text(b"flood-%d" % sent))  # calls of either worker
                sent += 1
            answered += hear()
            time.sleep(max(0.0, sent / 2_000 - passed))
        time.sleep(0.5)
        return sent, answered + hear(), time.monotonic() - began
    finally:
        stranger.socket.close()


def test_a_flood_gets_the_named_rate_of_challenges_and_harms_no_call(gateway: GatewayProcess, tmp_path: Path) -> None:
    address = ("127.0.0.1", gateway.sip_port)
    numbers = [("+8657112340001", CONSENTED)]
    with answering(tmp_path, scenario="uas_patient") as carrier:
        calls = calling(tmp_path, address, calls=200, rate=50, pause_ms=200, numbers=numbers)
        sent, answered, took = flood(gateway, 4.0)
        result = calls.wait(60)
        assert (result.successful, result.failed) == (200, 0), calls.errors()
        assert carrier.result().failed == 0
    print(f"{answered} challenges for {sent} INVITEs in {took:.1f} s")
    assert sent > 1_000
    assert CHALLENGES_AT_ONCE / 2 < answered <= CHALLENGES_AT_ONCE + CHALLENGES_PER_S * took


async def test_what_was_overheard_does_not_serve_again(gateway: GatewayProcess, phone: Phone) -> None:
    caller = Caller(gateway, phone)
    carrier = await CarrierLeg.open("127.0.0.9", 5060)
    other = Phone("127.0.0.47")
    try:
        text, got = await caller.call(b"overheard@gamma")
        assert got.status == 200
        party = caller_party(text, got, via=phone.via + b";rport")
        caller.send(party.request(b"ACK", b"z9hG4bK-oa", cseq=2))
        caller.send(party.request(b"BYE", b"z9hG4bK-ob"))
        assert (await phone.final()).status == 200
        carrier.seen.clear()
        again = text.replace(b";branch=z9hG4bK-", b";branch=z9hG4bK-again-")
        caller.send(again)  # the same nonce and count, in another transaction
        refused = await caller.answered()
        assert refused.status == 407 and b"stale=true" in refused.get_all(b"Proxy-Authenticate")[0]
        other.socket.sendto(again.replace(phone.via, other.via), caller.address)
        assert (await other.final()).status == 407
        assert carrier.requests(b"INVITE") == []
    finally:
        carrier.close()
        other.socket.close()


def test_no_secret_is_shown_and_the_export_is_read_back(gateway: GatewayProcess, tmp_path: Path) -> None:
    exported = gateway.cli("export", "registry")
    assert 'digest = [{ user = "pbx-7", realm = "callgate", secrets = { SHA-256 = "' in exported.stdout
    assert '{ user = "pbx-8", realm = "callgate", secrets = {} }' in exported.stdout
    seen = exported.stdout + gateway.output()
    for path in gateway.state_dir.rglob("*"):
        if path.is_file() and not path.is_symlink():
            seen += path.read_bytes().decode("latin-1")
    for secret in (PASSWORD, *(secret_of(name) for name in ("sha256", "sha512_256", "md5"))):
        assert secret not in seen
    (tmp_path / "export.toml").write_text(exported.stdout)
    again = gateway.cli("import", "registry", str(tmp_path / "export.toml"))
    assert again.returncode == 0 and "0 changed something" in again.stdout, again.stdout
    explained = gateway.cli("explain", "--trunk", "cc-gamma", "--from", GAMMA, "--to", CONSENTED)
    assert explained.returncode == 0, explained.stdout + explained.stderr
    assert "known by digest" in explained.stdout


@pytest.mark.parametrize(
    ("arguments", "stdin", "word"),
    [
        (("cc-gamma", "pbx-9"), "x\n", 'digest = [{user = "pbx-9"}]'),
        (("cc-none", "pbx-7"), "x\n", "cc-gamma"),
        (("cc-gamma", "pbx-7"), "\n", "printable"),
    ],
)
def test_a_secret_that_cannot_be_set(
    gateway: GatewayProcess, arguments: tuple[str, str], stdin: str, word: str
) -> None:
    said = gateway.cli("trunk", "secret", *arguments, stdin=stdin)
    assert said.returncode == 1
    assert word in said.stderr


def test_sipp_logs_in_with_md5(gateway: GatewayProcess, tmp_path: Path) -> None:
    scenario = str(SCENARIOS / "uac_digest.xml")
    arguments = [
        *(f"127.0.0.1:{gateway.sip_port}", "-sf", scenario, "-i", "127.0.0.45", "-p", "5070", "-m", "20", "-r", "10"),
        *("-s", CONSENTED, "-au", "pbx-7", "-ap", PASSWORD, "-timeout", "60s", "-timeout_error"),
        # The target, as RFC 3261 §22.4 asks: by itself it says where the datagrams go.
        *("-auth_uri", f"{CONSENTED}@127.0.0.1:{gateway.sip_port}"),
    ]
    # It gives up where the first challenge is of another algorithm, so this trunk is to offer MD5 alone.
    rows, _, _ = FILE.partition("[[document]]")
    (tmp_path / "md5.toml").write_text(rows.replace('"SHA-256", "SHA-512-256", "MD5"', '"MD5"'))
    assert gateway.cli("import", "registry", str(tmp_path / "md5.toml")).returncode == 0
    time.sleep(1.0)  # what is promised
    with answering(tmp_path):
        result = Sipp(tmp_path, "digest", arguments).wait(70)
    assert (result.successful, result.failed) == (20, 0)
