"""Two nodes of one deployment: they share Redis, PostgreSQL, the key file and the name that Record-Route gives.

Where requests of a dialog arrive is then nobody's choice but the network's: whatever node gets one must pass it on.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import asyncpg
import msgspec
import pytest

from gateway.cli.phones import AnsweringPhone, Phone, place_call
from gateway.keys import load_or_create
from gateway.sip.message import Request, Response
from gateway.store.embedded.postgres import EmbeddedPostgres
from tests.support.gateway_process import GatewayProcess, free_port
from tests.support.redis_fixtures import until
from tests.support.servers import postgres_server, redis_server, redis_url
from tests.support.sip_text import CALLEE, SDP, Party, answer, callee_party, caller_party, invite
from tests.support.telephony import ALPHA, CONSENTED

__all__ = ["postgres_server", "redis_server", "redis_url"]  # fixtures

SERVICE = "callgate.example"
"""The name both nodes go by: what a DNS entry or a moving address is in real life."""
TO = b"<sip:" + CALLEE + b"@" + SERVICE.encode() + b">"
TYPE = ((b"Content-Type", b"application/sdp"),)
HOSTS = ("127.0.0.1", "127.0.0.4")
CONSENT = ("--callee", CONSENTED, "--operator", "alpha", "--purpose", "consultation")
WAIT_S = 5.0
IN_EFFECT_S = 1.0
"""What is promised of a change."""


class Ends:
    """The phones of cc-alpha and of the carrier."""

    def __init__(self, alpha: Phone, carrier: Phone, port: int) -> None:
        self.alpha = alpha
        self.carrier = carrier
        self._port = port
        self._calls = 0

    async def invite(self, node: int) -> bytes:
        """Send an initial INVITE to a node; its text."""
        self._calls += 1
        name = b"%d-%d" % (os.getpid(), self._calls)
        sent = invite(call_id=name, branch=b"z9hG4bK-" + name, to=TO, extra=TYPE)
        sent = sent.replace(b" sip:" + CALLEE + b"@127.0.0.1 ", b" " + TO[1:-1] + b" ")
        self.alpha.send(sent, (HOSTS[node], self._port))
        return sent

    async def call(self, node: int) -> tuple[Party, Party]:
        """Set up a call through a node; the caller's and the callee's end of it."""
        return await self._answered(await self.invite(node), node)

    async def _answered(self, sent: bytes, node: int) -> tuple[Party, Party]:
        arrived = await request(self.carrier, b"INVITE")
        callee = callee_party(arrived)
        self.carrier.send(answer(arrived, 200, extra=TYPE, body=SDP), (HOSTS[node], self._port))
        got = await response(self.alpha, 200)
        caller = caller_party(sent, got)
        self.alpha.send(caller.request(b"ACK", b"z9hG4bK-ack" + caller.call_id, cseq=1), (HOSTS[node], self._port))
        await request(self.carrier, b"ACK")
        return caller, callee

    async def refresh(self, near: Phone, party: Party, far: Phone, node: int) -> None:
        """A re-INVITE from one end through a node, answered and acknowledged."""
        branch = b"z9hG4bK-re%d" % party.cseq + party.call_id
        near.send(party.request(b"INVITE", branch, extra=TYPE, body=SDP), (HOSTS[node], self._port))
        arrived = await request(far, b"INVITE")
        assert arrived.to.tag
        contact = b"<sip:" + CALLEE + b"@127.0.0.9:5060>" if far is self.carrier else b"<sip:agent@127.0.0.2:5060>"
        far.send(answer(arrived, 200, contact=contact, extra=TYPE, body=SDP), (HOSTS[node], self._port))
        assert (await response(near, 200)).cseq == party.cseq
        near.send(party.request(b"ACK", branch + b"a", cseq=party.cseq), (HOSTS[node], self._port))
        party.cseq -= 1  # an ACK has the number of its INVITE
        await request(far, b"ACK")

    async def hang_up(self, near: Phone, party: Party, far: Phone, node: int) -> None:
        """A BYE from one end through a node."""
        near.send(party.request(b"BYE", b"z9hG4bK-bye" + party.call_id), (HOSTS[node], self._port))
        arrived = await request(far, b"BYE")
        far.send(answer(arrived, 200, contact=b""), (HOSTS[node], self._port))
        got = await response(near, 200)
        assert got.cseq_method == b"BYE"


async def request(phone: Phone, method: bytes) -> Request:
    """The next request of this method; others are passed over, repeats too."""
    async with asyncio.timeout(WAIT_S):
        while True:
            message, _, _ = await phone.inbox.get()
            if isinstance(message, Request) and message.method == method:
                return message


async def response(phone: Phone, status: int = 0) -> Response:
    """The next response; the next with this status, where one is named."""
    async with asyncio.timeout(WAIT_S):
        while True:
            message, _, _ = await phone.inbox.get()
            if isinstance(message, Response) and status in (0, message.status):
                return message


@asynccontextmanager
async def ends(port: int) -> AsyncIterator[Ends]:
    """Phones where the registry has them."""
    alpha, carrier = await Phone.open("127.0.0.2", 5060), await Phone.open("127.0.0.9", 5060)
    try:
        yield Ends(alpha, carrier, port)
    finally:
        alpha.close()
        carrier.close()


@pytest.fixture
def nodes(postgres_server: EmbeddedPostgres, redis_url: str) -> Iterator[list[GatewayProcess]]:
    """Two nodes, ready, on a database of their own."""
    home = Path(tempfile.mkdtemp(prefix="cgnodes-"))
    database = f"two_nodes_{home.name.partition('-')[2].lower()}"
    asyncio.run(run(postgres_server.url, f"CREATE DATABASE {database}"))
    load_or_create(home / "keys.json")
    port = free_port()
    shared = {
        "CALLGATE_REDIS__URL": redis_url,
        "CALLGATE_DATABASE__URL": postgres_server.database_url(database),
        "CALLGATE_KEYS__FILE": str(home / "keys.json"),
    }
    started: list[GatewayProcess] = []
    try:
        for number, host in enumerate(HOSTS, 1):
            listener = {"name": "main", "address": host, "port": port, "advertised_host": SERVICE}
            env = {
                **shared,
                "CALLGATE_NODE__NAME": f"node-{number}",
                "CALLGATE_LISTENER": msgspec.json.encode([listener]).decode(),
            }
            started.append(GatewayProcess(home / f"state-{number}", sip_port=port, env=env))
        for node in started:  # at the same moment: one loads the example, one projects
            node.spawn()
        for node in started:
            node.wait_ready(60.0)
        yield started
    finally:
        for node in started:
            node.close()
        asyncio.run(run(postgres_server.url, f"DROP DATABASE {database} WITH (FORCE)"))
        shutil.rmtree(home, ignore_errors=True)


async def run(url: str, statement: str) -> list[Any]:
    """One statement on a connection of its own."""
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(statement))
    finally:
        await connection.close()


async def evidence(node: GatewayProcess, records: int) -> dict[str, list[tuple[str, str]]]:
    """Decision id to (journal, kind) of its records, once there are `records` of them and a moment more."""
    url = node.env["CALLGATE_DATABASE__URL"]
    deadline = monotonic() + 10
    while True:
        query = "SELECT id, journal, kind FROM evidence WHERE kind IN ('decision', 'outcome', 'end') ORDER BY at"
        rows = await run(url, query)
        if len(rows) >= records:
            await asyncio.sleep(0.5)  # one too many would still be on its way
            found: dict[str, list[tuple[str, str]]] = {}
            for decision, journal, kind in await run(url, query):
                found.setdefault(decision, []).append((journal, kind))
            return found
        assert monotonic() < deadline, f"{len(rows)} records of {records}: {rows}"
        await asyncio.sleep(0.1)


def verified(node: GatewayProcess) -> str:
    """What `evidence verify` says on a node; everything must be whole."""
    done = node.cli("evidence", "verify")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def test_dialogs_go_on_through_the_other_node(nodes: list[GatewayProcess]) -> None:
    async with ends(nodes[0].sip_port) as phones:
        for released_by_caller in (True, False):
            caller, callee = await phones.call(0)
            await phones.refresh(phones.alpha, caller, phones.carrier, 1)
            await phones.refresh(phones.carrier, callee, phones.alpha, 1)
            if released_by_caller:
                await phones.hang_up(phones.alpha, caller, phones.carrier, 1)
            else:
                await phones.hang_up(phones.carrier, callee, phones.alpha, 1)
        caller, _ = await phones.call(1)
        await phones.hang_up(phones.alpha, caller, phones.carrier, 0)
    found = await evidence(nodes[0], 9)
    # Whoever set a call up hears from the other that it has ended.
    await until(lambda: all("\ncallgate_active_calls 0.0" in node.get("/metrics")[1] for node in nodes), 10.0)
    first, second = "node-1-0", "node-2-0"
    assert sorted(found.values()) == [
        [(first, "decision"), (first, "outcome"), (second, "end")],
        [(first, "decision"), (first, "outcome"), (second, "end")],
        [(second, "decision"), (second, "outcome"), (first, "end")],
    ]
    for node in nodes:  # PostgreSQL holds both journals, each node's disk its own
        said = verified(node)
        assert f"{first}: whole" in said and f"{second}: whole" in said and said.count("on this disk: whole") == 1


async def test_a_consent_taken_back_once_is_refused_by_both(nodes: list[GatewayProcess]) -> None:
    alpha, carrier = await Phone.open("127.0.0.2"), await AnsweringPhone.open("127.0.0.9", 5060)
    gateways = [(host, nodes[0].sip_port) for host in HOSTS]

    async def status(gateway: tuple[str, int]) -> int:
        return (await place_call(alpha, gateway, f"<sip:{ALPHA}@127.0.0.2>", CONSENTED, [])).status

    try:
        assert [await status(gateway) for gateway in gateways] == [200, 200]
        revoked = nodes[1].cli("consent", "revoke", *CONSENT)
        assert revoked.returncode == 0, revoked.stderr
        done = monotonic()
        left = gateways
        while left := [gateway for gateway in left if await status(gateway) != 470]:
            assert monotonic() - done < IN_EFFECT_S, f"still pass the call: {left}"
    finally:
        alpha.close()
        carrier.close()
    verified(nodes[0])


async def test_calls_of_a_killed_node_end_through_the_other(nodes: list[GatewayProcess]) -> None:
    up = 4
    async with ends(nodes[0].sip_port) as phones:
        calls = [await phones.call(0) for _ in range(up)]
        await evidence(nodes[1], 2 * up)
        for pid in nodes[0].processes():
            os.kill(pid, signal.SIGKILL)
        nodes[0].kill()
        for number, (caller, callee) in enumerate(calls):
            if number % 2:
                await phones.hang_up(phones.carrier, callee, phones.alpha, 1)
            else:
                await phones.hang_up(phones.alpha, caller, phones.carrier, 1)
        caller, _ = await phones.call(1)  # and new calls are taken
        await phones.hang_up(phones.alpha, caller, phones.carrier, 1)
        found = await evidence(nodes[1], 3 * up + 3)
        kinds = sorted(tuple(kind for _, kind in records) for records in found.values())
        assert kinds == [("decision", "outcome", "end")] * (up + 1)
        assert {journal for records in found.values() for journal, kind in records if kind == "end"} == {"node-2-0"}
        nodes[0].start()
        nodes[0].wait_ready()
        caller, _ = await phones.call(0)
        await phones.hang_up(phones.alpha, caller, phones.carrier, 0)
    found = await evidence(nodes[1], 3 * up + 6)
    assert all([kind for _, kind in records].count("end") == 1 for records in found.values())
    for node in nodes:
        verified(node)
