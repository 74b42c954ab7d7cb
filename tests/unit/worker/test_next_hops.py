"""Which next hops are probed, what the other workers read of it, and where names lead."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.net.udp import UdpListener
from gateway.proxy.selection import Target
from gateway.registry.model import NextHop, Place, Snapshot, Trunk
from gateway.registry.registry import Registry
from gateway.settings import Probe, Settings
from gateway.worker.locating import _read
from gateway.worker.peers import PeerBook
from gateway.worker.probing import Reader, probed_hops, read_down

ALPHA = Trunk("cc-alpha", "access", "alpha", ("127.0.0.2",), next_hops=(NextHop("127.0.0.2", 5070),))
CARRIER = Trunk("carrier", "core", "", ("127.0.0.9",), next_hops=(NextHop("127.0.0.9"),))
OTHER = Trunk("other", "core", "", ("127.0.0.8",), next_hops=(NextHop("127.0.0.8"),))
NAMED = replace(CARRIER, next_hops=(NextHop("gw.example", 0, ""), NextHop("127.0.0.9", 5070)))
GW: Place = ("gw.example", 0, "")


@pytest.fixture
def listener() -> Iterator[UdpListener]:
    made = UdpListener("main", "127.0.0.1", 0, b"127.0.0.1:5060")
    yield made
    made.close()


def book(listener: UdpListener, *trunks: Trunk, **more: object) -> PeerBook:
    return PeerBook(Registry(Snapshot(1, trunks=trunks)), [listener], **more)  # type: ignore[arg-type]


def hops(made: PeerBook, trunk: str = "carrier") -> list[tuple[str, bool, bool]]:
    return [(hop.destination.name, hop.up, hop.drained) for hop in made.peers[trunk].hops]


@pytest.mark.parametrize(
    ("probe", "trunks", "wanted"),
    [
        (Probe(), (ALPHA, CARRIER), ["127.0.0.2:5070/udp", "127.0.0.9:5060/udp"]),
        (Probe(enabled=False), (ALPHA, CARRIER), []),
        (Probe(skip_trunks=("cc-alpha",)), (ALPHA, CARRIER), ["127.0.0.9:5060/udp"]),
        (Probe(single_hops=False), (ALPHA, CARRIER), []),
        (Probe(single_hops=False), (ALPHA, CARRIER, OTHER), ["127.0.0.9:5060/udp", "127.0.0.8:5060/udp"]),
        (Probe(single_hops=False), (replace(ALPHA, next_hops=(NextHop("127.0.0.2"), NextHop("127.0.0.2", 5070))),),
         ["127.0.0.2:5060/udp", "127.0.0.2:5070/udp"]),
    ],
)  # fmt: skip
def test_which_hops_are_probed(
    listener: UdpListener, probe: Probe, trunks: tuple[Trunk, ...], wanted: list[str]
) -> None:
    found = probed_hops(book(listener, *trunks), Settings(probe=probe))
    assert sorted(hop.destination.name for hop in found) == sorted(wanted)


async def test_the_other_workers_read_what_is_down(listener: UdpListener, tmp_path: Path) -> None:
    file = tmp_path / "down.json"
    made = book(listener, ALPHA, CARRIER)
    reader = Reader(file, asyncio.get_running_loop())
    reader.follow([hop for peer in made.peers.values() for hop in peer.hops])
    assert hops(made) == [("127.0.0.9:5060/udp", True, False)]
    for content, up in ((["127.0.0.9:5060/udp"], False), ([], True)):
        fresh = tmp_path / "new"
        fresh.write_text(json.dumps(content))
        fresh.replace(file)
        async with asyncio.timeout(5):
            while hops(made) != [("127.0.0.9:5060/udp", up, False)]:  # noqa: ASYNC110 - a file has no event
                await asyncio.sleep(0.02)
    reader.stop()
    file.write_text("{torn")
    assert read_down(file) == frozenset()


def test_a_name_leads_nowhere_until_it_was_found(listener: UdpListener) -> None:
    made = book(listener, NAMED)
    assert made.names == {GW}
    assert hops(made) == [("127.0.0.9:5070/udp", True, False)]
    peer = made.peers["carrier"]
    assert peer.reach(b"gw.example", 0, b"") is None
    peer.hops[0].up = False
    made.relocate({GW: (Target("udp", "127.0.0.11", 5062), Target("udp", "127.0.0.12", 5062))})
    assert hops(made) == [
        ("127.0.0.11:5062/udp", True, False),
        ("127.0.0.12:5062/udp", True, False),
        ("127.0.0.9:5070/udp", False, False),
    ]
    assert b"127.0.0.12:5062" in peer.hop_addresses
    reached = peer.reach(b"GW.example", 0, b"")
    assert reached is not None and reached.name == "127.0.0.11:5062/udp"
    assert peer.reach(b"gw.example", 5099, b"") is None
    assert peer.reach(b"127.0.0.12", 5080, b"") is not None, "an address of the trunk, as one that was configured"
    assert peer.reach(b"evil.example", 0, b"") is None
    made.relocate({GW: (Target("udp", "127.0.0.9", 5070),)})
    assert hops(made) == [("127.0.0.9:5070/udp", False, False)], "once, with the state it had"


def test_a_drained_name_drains_all_it_leads_to(listener: UdpListener) -> None:
    drained = replace(NAMED, next_hops=(replace(NAMED.next_hops[0], drained=True), NAMED.next_hops[1]))
    places = {GW: (Target("udp", "127.0.0.11", 5062), Target("udp", "::1", 5062))}
    assert hops(book(listener, drained, places=places)) == [
        ("127.0.0.11:5062/udp", True, True), ("127.0.0.9:5070/udp", True, False),
    ]  # fmt: skip


def test_where_names_led_is_kept_over_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "next-hops.json"
    assert _read(file) == {}
    file.write_text('[[["gw.example",0,""],[["udp","127.0.0.11",5062]]]]')
    assert _read(file) == {GW: (Target("udp", "127.0.0.11", 5062),)}
    file.write_text('[["gw.example"]]')
    assert _read(file) == {}
