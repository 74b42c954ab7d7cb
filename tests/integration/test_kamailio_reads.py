"""The next hop reads the same numbers: what leaves towards the carrier, read by Kamailio's parser and held against the
evidence of what was gated.

A gate is sound only if the element behind it, which has another parser, sees the caller and the callee that the gate
let through. The evidence record of each call names both; Kamailio says what it reads.
"""

from __future__ import annotations

import gc
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gateway.gate.decision import EMERGENCY
from gateway.gate.pseudonym import Pseudonymizer
from gateway.gate.records import DecisionRecord, Record
from gateway.keys import load_or_create
from gateway.store.journal.reader import JournalReader, Position
from tests.fuzz.calls import mutations, numbered, retargeted, tabled
from tests.support.bypass import CONTROLS, NORMALISED, text
from tests.support.gateway_process import free_port
from tests.support.kamailio import KamailioReads, Reading
from tests.support.let_out import Volleys
from tests.support.redis_dataset import Dataset
from tests.support.redis_fixtures import until
from tests.support.redis_server import RedisServer, wheel_binary
from tests.support.worker_site import Phone, Site, working
from tests.unit.gate.calls import ALPHA, CALLEE, registry

MUTATIONS = 2_500
LET_OUT = 800
"""INVITEs that must get through for the comparison to mean something."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A worker changes the collector of its process, which is the tests'."""
    before = gc.get_threshold()
    alpha, carrier = Phone("127.0.0.2"), Phone("127.0.0.9")
    yield Site(tmp_path, load_or_create(tmp_path / "keys.json"), alpha, carrier, free_port())
    alpha.socket.close()
    carrier.socket.close()
    gc.unfreeze()
    gc.set_threshold(*before)


@pytest.fixture
def redis_url(site: Site) -> Iterator[str]:
    """Consent of the callee to alpha, and the example's registry."""
    directory = Path(tempfile.mkdtemp(prefix="cgr-"))
    with RedisServer(directory, wheel_binary()) as server:
        dataset = Dataset(server.client(), epoch=3, buckets=16)
        dataset.publish_registry(site.snapshot())
        dataset.publish(registry=1)
        dataset.grant(Pseudonymizer(site.keys.pseudonym).hash(CALLEE.decode()), 1, 1)
        yield server.url
    shutil.rmtree(directory, ignore_errors=True)


def decisions(site: Site) -> dict[str, list[DecisionRecord]]:
    """The allowed calls of the evidence, by Call-ID."""
    found: dict[str, list[DecisionRecord]] = {}
    reader, position = JournalReader(site.state / "journal" / "n-0"), Position()
    while True:
        rows, position = reader.read(position, 1_000)
        if not rows:
            return found
        for row in rows:
            record = msgspec.json.decode(row.payload, type=Record)
            if isinstance(record, DecisionRecord) and record.verdict == "allow":
                found.setdefault(record.call_id, []).append(record)


class Second:
    """Kamailio's word against the record's."""

    def __init__(self, site: Site) -> None:
        self._plan = registry().plan
        self._hash = Pseudonymizer(site.keys.pseudonym).hash
        self._decided = decisions(site)

    def differs(self, reading: Reading | None) -> str:
        """What Kamailio reads otherwise than was gated; "" for nothing."""
        if reading is None:
            return "unreadable"
        records = self._decided.get(reading["call-id"], [])
        if not records:
            return "no record of this Call-ID"
        differences = [self._one(reading, record) for record in records]
        return "" if "" in differences else differences[0]

    def _one(self, reading: Reading, record: DecisionRecord) -> str:
        target, caller = self._number(reading["target"]), self._number(reading["from"])
        if self._hash(target).hex() != record.party:
            return "callee"
        if self._number(reading["to"]) != target:
            return "To"
        if reading["asserted-count"] == "1" and self._number(reading["asserted"]) == record.number:
            if caller != record.number:
                return "caller"
        elif record.rule != EMERGENCY or reading["asserted-count"] != "0":
            return "asserted caller"
        elif caller not in (record.number, ALPHA.emergency_cli):
            return "emergency caller"
        if (reading["from-count"], reading["route-count"]) != ("1", "0"):
            return "headers"
        return "" if reading["bodies"] in ("0 ", "1 ") else "body"

    def _number(self, user: str) -> str:
        digits = re.sub(r"[-.()]", "", user)  # visual separators of a tel To (RFC 3966 §3)
        if not re.fullmatch(r"\+?[0-9]+", digits, re.ASCII):
            return "?" + user
        number = self._plan.read(digits.lstrip("+").encode(), digits[0] == "+", ALPHA.country, ALPHA.area)
        return number.canonical if number is not None else "?" + user


async def test_kamailio_reads_what_was_gated(site: Site, redis_url: str) -> None:
    gateway = f"127.0.0.1:{site.port}"
    caller = f"127.0.0.2:{site.alpha.port}"
    seeds = [text(case, "mark-0000000", site.alpha.via, caller, gateway) for case in (CONTROLS | NORMALISED).values()]
    corpus = [*tabled(site.alpha.via, caller, gateway), *retargeted(gateway), *mutations(seeds, MUTATIONS)]
    async with working(site.settings(redis_url)) as worker:
        await until(lambda: worker.stats.registry_version == 1 and worker.lookup.epoch == 3)
        volleys = Volleys(site)
        try:
            await volleys.fire(numbered(corpus))
        finally:
            volleys.close()
        assert not worker.stats.errors
    assert volleys.unreadable == []
    second = Second(site)
    wrong = []
    let_out = 0
    with KamailioReads() as kamailio:
        for data in volleys.reached:
            if data.startswith(b"ACK "):
                continue  # made from the INVITE's own lines, and answered by nobody
            let_out += data.startswith(b"INVITE ") and b"fence-" not in data
            difference = second.differs(kamailio.read(data))
            if difference:
                wrong.append((difference, data))
    print(f"{len(corpus)} messages, {let_out} let out")
    assert not wrong
    assert let_out >= LET_OUT
