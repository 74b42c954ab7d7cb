"""Look-ups by a real name server on a loopback port, and the way of RFC 3263 from a name to targets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import dns.rcode
import pytest

from gateway.net import dns as net_dns
from gateway.net.dns import ResolveError, Resolver
from gateway.net.locate import LocateError, Locator, Query
from gateway.proxy.selection import Naptr, Srv, Target
from tests.support.dns_server import DnsServer
from tests.support.redis_fixtures import until

ERRORS: list[BaseException] = []


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def server() -> AsyncIterator[DnsServer]:
    server = DnsServer()
    await server.start()
    yield server
    server.close()
    assert not ERRORS


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def resolver(server: DnsServer, clock: Clock) -> Resolver:
    return Resolver(lambda name, error: ERRORS.append(error), ["127.0.0.1"], server.port, 0.5, clock)


def located(resolver: Resolver, *transports: str, ipv6: bool = False) -> Locator:
    return Locator(resolver, transports or ("udp", "tcp", "tls"), True, ipv6, lambda n: 0)


# -- look-ups ----------------------------------------------------------------------------------------------------------


async def test_records_of_each_type(server: DnsServer, resolver: Resolver) -> None:
    server.zone = {
        ("a.example", "A"): (60, ["127.0.0.1", "127.0.0.2"]),
        ("a.example", "AAAA"): (60, ["::1"]),
        ("alias.example", "CNAME"): (60, ["a.example."]),
        ("_sip._udp.x.example", "SRV"): (60, ["10 20 5070 a.example."]),
        ("x.example", "NAPTR"): (60, ['1 2 "s" "SIP+D2U" "" _sip._udp.x.example.']),
    }
    assert sorted(map(str, await resolver.lookup("A.Example.", "A"))) == ["127.0.0.1", "127.0.0.2"]
    assert await resolver.lookup("a.example", "AAAA") == ("::1",)
    assert len(await resolver.lookup("alias.example", "A")) == 2
    assert await resolver.lookup("_sip._udp.x.example", "SRV") == (Srv(10, 20, 5070, "a.example"),)
    assert await resolver.lookup("x.example", "NAPTR") == (Naptr(1, 2, "s", "SIP+D2U", "", "_sip._udp.x.example"),)


async def test_an_answer_serves_for_its_ttl(server: DnsServer, resolver: Resolver, clock: Clock) -> None:
    server.zone = {("a.example", "A"): (60, ["127.0.0.1"])}
    for _ in range(3):
        assert await resolver.lookup("a.example", "A") == ("127.0.0.1",)
    assert server.asked["a.example", "A"] == 1
    clock.now += 61
    server.zone = {("a.example", "A"): (60, ["127.0.0.9"])}
    assert await resolver.lookup("a.example", "A") == ("127.0.0.9",)


async def test_no_such_name_and_no_such_record_are_kept_too(
    server: DnsServer, resolver: Resolver, clock: Clock
) -> None:
    server.zone = {("a.example", "A"): (60, ["127.0.0.1"])}
    for name, kind in (("none.example", "A"), ("a.example", "AAAA")):
        for _ in range(3):
            assert await resolver.lookup(name, kind) == ()
        assert server.asked[name, kind] == 1
    clock.now += 76  # the SOA says 77
    await resolver.lookup("none.example", "A")
    assert server.asked["none.example", "A"] == 1
    clock.now += 2
    await resolver.lookup("none.example", "A")
    await resolver.lookup("a.example", "AAAA")
    assert server.asked["none.example", "A"] == server.asked["a.example", "AAAA"] == 2


async def test_many_who_ask_at_once_make_one_query(server: DnsServer, resolver: Resolver) -> None:
    server.zone = {("a.example", "A"): (60, ["127.0.0.1"])}
    answers = await asyncio.gather(*(resolver.lookup("a.example", "A") for _ in range(50)))
    assert set(answers) == {("127.0.0.1",)}
    assert server.asked["a.example", "A"] == 1
    assert not resolver._running


@pytest.mark.parametrize("failure", ["silent", "servfail", "refused"])
async def test_a_failing_name_server_leaves_the_old_answer(
    server: DnsServer, resolver: Resolver, clock: Clock, failure: str
) -> None:
    server.zone = {("a.example", "A"): (60, ["127.0.0.1"])}
    await resolver.lookup("a.example", "A")
    server.silent = failure == "silent"
    server.rcode = {"servfail": dns.rcode.SERVFAIL, "refused": dns.rcode.REFUSED}.get(failure, dns.rcode.NOERROR)
    clock.now += 100
    assert await resolver.lookup("a.example", "A") == ("127.0.0.1",)
    with pytest.raises(ResolveError, match=r"A of b\.example"):
        await resolver.lookup("b.example", "A")
    await until(lambda: not resolver._running)
    asked = server.asked.total()
    assert await resolver.lookup("a.example", "A") == ("127.0.0.1",)
    with pytest.raises(ResolveError):
        await resolver.lookup("b.example", "A")
    assert server.asked.total() == asked, "a name server that fails is left alone for a while"
    server.silent, server.rcode = False, dns.rcode.NOERROR
    server.zone = {("a.example", "A"): (60, ["127.0.0.9"])}
    clock.now += 6
    assert await resolver.lookup("a.example", "A") == ("127.0.0.9",), "and asked again by itself"


async def test_an_old_answer_does_not_wait_long_for_the_new(
    server: DnsServer, resolver: Resolver, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(net_dns, "STALE_WAIT_S", 0.05)
    server.zone = {("a.example", "A"): (60, ["127.0.0.1"])}
    await resolver.lookup("a.example", "A")
    clock.now += 61
    server.zone = {("a.example", "A"): (60, ["127.0.0.9"])}
    server.hold = []
    assert await resolver.lookup("a.example", "A") == ("127.0.0.1",)
    server.release()
    await until(lambda: not resolver._running)
    assert await resolver.lookup("a.example", "A") == ("127.0.0.9",), "the query went on"
    assert server.asked["a.example", "A"] == 2


async def test_queries_under_way_are_bounded(
    server: DnsServer, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(net_dns, "MAX_QUERIES", 2)
    server.zone = {(f"{n}.example", "A"): (60, ["127.0.0.1"]) for n in range(5)}
    answers = await asyncio.gather(*(resolver.lookup(f"{n}.example", "A") for n in range(5)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [tuple, tuple, ResolveError, ResolveError, ResolveError]


@pytest.mark.parametrize("name", ["a" * 64 + ".example", "a..example", ".".join(["a" * 60] * 6), ""])
async def test_names_that_are_none(resolver: Resolver, server: DnsServer, name: str) -> None:
    try:
        found = await resolver.lookup(name, "A")
    except ResolveError:
        return
    assert found == (), "the root exists, and has no address"


async def test_records_of_one_answer_are_bounded(server: DnsServer, resolver: Resolver) -> None:
    server.zone = {("a.example", "A"): (60, [f"127.0.1.{n}" for n in range(60)])}
    assert len(await resolver.lookup("a.example", "A")) == 32


# -- RFC 3263 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "target"),
    [
        (Query("127.0.0.9"), Target("udp", "127.0.0.9", 5060)),
        (Query("127.0.0.9", 5070), Target("udp", "127.0.0.9", 5070)),
        (Query("127.0.0.9", transport="tcp"), Target("tcp", "127.0.0.9", 5060)),
        (Query("[::1]", secure=True), Target("tls", "::1", 5061)),
        (Query("::1", 5071, "tls"), Target("tls", "::1", 5071)),
        (Query("a.example", 5070), Target("udp", "127.0.0.1", 5070)),
        (Query("a.example", 5070, "tcp"), Target("tcp", "127.0.0.1", 5070)),
        (Query("a.example", 5070, secure=True), Target("tls", "127.0.0.1", 5070)),
        (Query("a.example"), Target("udp", "127.0.0.1", 5060)),
        (Query("a.example", transport="tls"), Target("tls", "127.0.0.1", 5061)),
        (Query("a.example", secure=True), Target("tls", "127.0.0.1", 5061)),
    ],
)
async def test_numbers_ports_and_names_without_srv(
    server: DnsServer, resolver: Resolver, query: Query, target: Target
) -> None:
    server.zone = {("a.example", "A"): (60, ["127.0.0.1"])}
    assert await located(resolver).locate(query) == (target,)
    kinds = {kind for _, kind in server.asked}
    if query.port or query.host != "a.example":
        assert kinds <= {"A"}, "numbers are not looked up, and a port means an address record"
    elif query.transport:
        assert kinds == {"SRV", "A"}, "a transport means no NAPTR"


async def test_naptr_then_srv_then_addresses_in_order(server: DnsServer, resolver: Resolver) -> None:
    server.zone = {
        ("x.example", "NAPTR"): (
            60,
            ['20 1 "s" "SIP+D2U" "" _sip._udp.x.example.', '10 1 "S" "sip+d2t" "" srv.x.example.'],
        ),
        ("srv.x.example", "SRV"): (60, ["20 0 5062 b.example.", "10 0 5061 a.example."]),
        ("_sip._udp.x.example", "SRV"): (60, ["10 0 5063 a.example."]),
        ("a.example", "A"): (60, ["127.0.0.1"]),
        ("a.example", "AAAA"): (60, ["::1"]),
        ("b.example", "A"): (60, ["127.0.0.2"]),
    }
    assert await located(resolver).locate(Query("x.example")) == (
        Target("tcp", "127.0.0.1", 5061),
        Target("tcp", "127.0.0.2", 5062),
        Target("udp", "127.0.0.1", 5063),
    )
    assert (await located(resolver, ipv6=True).locate(Query("x.example")))[0] == Target("tcp", "::1", 5061)
    assert await located(resolver, "udp").locate(Query("x.example")) == (Target("udp", "127.0.0.1", 5063),)
    with pytest.raises(LocateError, match="offer none of tls"):
        await located(resolver, "tls").locate(Query("x.example"))


async def test_without_naptr_srv_of_our_transports_in_our_order(server: DnsServer, resolver: Resolver) -> None:
    server.zone = {
        ("_sip._udp.x.example", "SRV"): (60, ["1 1 5060 a.example."]),
        ("_sip._tcp.x.example", "SRV"): (60, ["1 1 5060 a.example."]),
        ("a.example", "A"): (60, ["127.0.0.1"]),
    }
    targets = await located(resolver, "tcp", "udp").locate(Query("x.example"))
    assert [target.transport for target in targets] == ["tcp", "udp"]


async def test_a_service_that_is_refused_and_names_that_lead_nowhere(server: DnsServer, resolver: Resolver) -> None:
    server.zone = {
        ("_sip._udp.no.example", "SRV"): (60, ["0 0 0 ."]),
        ("no.example", "A"): (60, ["127.0.0.1"]),
        ("_sip._udp.half.example", "SRV"): (60, ["1 0 5060 gone.example.", "2 0 5060 a.example."]),
        ("six.example", "AAAA"): (60, ["::1"]),
        ("a.example", "A"): (60, ["127.0.0.1"]),
    }
    for name in ("no.example", "gone.example", "six.example"):
        with pytest.raises(LocateError, match=name):
            await located(resolver).locate(Query(name, transport="udp"))
    assert await located(resolver).locate(Query("half.example", transport="udp")) == (Target("udp", "127.0.0.1", 5060),)
    with pytest.raises(LocateError, match="needs tls"):
        await located(resolver).locate(Query("a.example", transport="udp", secure=True))


async def test_a_silent_name_server_is_an_error_in_bounded_time(server: DnsServer, resolver: Resolver) -> None:
    server.silent = True
    async with asyncio.timeout(8):
        with pytest.raises(LocateError, match="give no answer"):
            await located(resolver).locate(Query("x.example"))


async def test_targets_are_bounded(server: DnsServer, resolver: Resolver) -> None:
    server.zone = {("_sip._udp.x.example", "SRV"): (60, [f"{n} 0 {5060 + n} a.example." for n in range(25)])}
    server.zone["a.example", "A"] = (60, ["127.0.0.1", "127.0.0.2"])
    assert len(await located(resolver).locate(Query("x.example", transport="udp"))) == 32
