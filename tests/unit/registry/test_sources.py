"""Which trunk a packet came from."""

from __future__ import annotations

import pytest

from gateway.registry.model import DigestAccount, Trunk
from gateway.registry.sources import SourceTable, parse_source, takes

TABLE = SourceTable(
    (
        Trunk("exact", "access", "alpha", ("10.1.2.3", "2001:db8::5")),
        Trunk("tls", "access", "alpha", ("10.1.2.3",), listeners=("tls",)),
        Trunk("wide", "access", "alpha", ("10.0.0.0/8",)),
        Trunk("narrow", "access", "alpha", ("10.1.0.0/16",)),
        Trunk("narrow-tls", "access", "alpha", ("10.1.0.0/16",), listeners=("tls",)),
        Trunk("only-tls", "access", "alpha", ("192.0.2.0/24", "192.0.2.7"), listeners=("tls",)),
        Trunk("six", "core", "", ("2001:db8::/32",), state="suspended"),
        Trunk("broken", "core", "", ("nonsense", "10.0.0.1/8")),
    )
)


@pytest.mark.parametrize(
    ("listener", "ip", "trunk"),
    [
        ("udp", "10.1.2.3", "exact"),
        ("tls", "10.1.2.3", "tls"),
        ("udp", "10.1.2.4", "narrow"),
        ("tls", "10.1.2.4", "narrow-tls"),
        ("udp", "10.2.0.1", "wide"),
        ("tls", "192.0.2.7", "only-tls"),
        ("tls", "192.0.2.8", "only-tls"),
        ("udp", "192.0.2.7", None),
        ("udp", "192.0.2.8", None),
        ("udp", "2001:db8::5", "exact"),
        ("udp", "2001:0DB8:0::5", "exact"),
        ("udp", "2001:db8::6", "six"),
        ("udp", "::ffff:10.1.2.3", "exact"),
        ("udp", "::ffff:10.2.0.1", "wide"),
        ("udp", "2001:db9::5", None),
        ("udp", "11.0.0.1", None),
        ("udp", "010.1.2.3", None),
        ("udp", "", None),
        ("udp", "gateway.example", None),
    ],
)
def test_find(listener: str, ip: str, trunk: str | None) -> None:
    found = TABLE.find(listener, ip)
    assert (found.id if found else None) == trunk


def test_no_trunks() -> None:
    assert SourceTable(()).find("udp", "127.0.0.1") is None


@pytest.mark.parametrize("text", ["", "x", "10.0.0.1/8", "10.0.0.0/33", "10.0.0", "1.2.3.4:5060"])
def test_unreadable_sources(text: str) -> None:
    assert parse_source(text) is None


SHARED = SourceTable(
    (
        Trunk("one", "access", "alpha", ("10.1.2.3",), ports=(5060, 5062)),
        Trunk("two", "access", "alpha", ("10.1.2.3",), ports=(5070,), transports=("udp", "tcp")),
        Trunk("named", "access", "alpha", ("10.1.2.3",), listeners=("tls",), tls_names=("sbc.example", "10.1.2.3")),
        Trunk("net", "access", "alpha", ("10.1.0.0/16",)),
        Trunk("roaming", "access", "alpha", ("10.1.2.9",), digest=(DigestAccount("u", "r"),)),
    )
)


@pytest.mark.parametrize(
    ("listener", "port", "transport", "identities", "trunk"),
    [
        ("main", 5060, "udp", (), "one"),
        ("main", 5062, "tcp", (), "one"),
        ("main", 5070, "udp", (), "two"),
        ("main", 5070, "tls", (), "net"),
        ("main", 5071, "udp", (), "net"),
        ("tls", 40_000, "tls", ("other.example", "sbc.example"), "named"),
        ("tls", 40_000, "tls", ("other.example",), "net"),
        ("tls", 5060, "tls", (), "one"),
    ],
)
def test_port_transport_and_certificate(
    listener: str, port: int, transport: str, identities: tuple[str, ...], trunk: str
) -> None:
    found = SHARED.find(listener, "10.1.2.3", port, transport, identities)
    assert found is not None and found.id == trunk


def test_an_address_is_a_trunks_whatever_its_port() -> None:
    assert SHARED.owns("two", "main", "10.1.2.3")
    assert not SHARED.owns("net", "main", "10.1.2.3")
    assert SHARED.owns("net", "main", "10.1.2.4")
    assert not SHARED.owns("net", "main", "10.9.2.4")


def test_an_address_is_known_before_its_certificate_is() -> None:
    only = SourceTable((Trunk("named", "access", "alpha", ("10.1.2.3",), ("tls",), tls_names=("sbc.example",)),))
    assert only.find("tls", "10.1.2.3", 40_000, "tls") is None
    assert only.knows("tls", "10.1.2.3")
    assert not only.knows("main", "10.1.2.3")
    assert not only.knows("tls", "10.1.2.4")


def test_a_digest_trunk_is_not_found_by_its_source() -> None:
    found = SHARED.find("main", "10.1.2.9", 5060)
    assert found is not None and found.id == "net"


def test_who_may_log_in_to_a_digest_trunk() -> None:
    account = (DigestAccount("u", "r"),)
    anywhere = Trunk("t", "access", "alpha", digest=account)
    assert takes(anywhere, "main", "198.51.100.7", 1, "udp", ())
    narrow = Trunk("t", "access", "alpha", ("10.0.0.0/8", "2001:db8::/32"), ("main",), digest=account, ports=(5060,),
                   transports=("udp",))  # fmt: skip
    assert takes(narrow, "main", "10.1.2.3", 5060, "udp", ())
    assert takes(narrow, "main", "::ffff:10.1.2.3", 5060, "udp", ())
    assert takes(narrow, "main", "2001:db8::1", 5060, "udp", ())
    for listener, ip, port, transport in (("tls", "10.1.2.3", 5060, "udp"), ("main", "11.1.2.3", 5060, "udp"),
                                          ("main", "10.1.2.3", 5061, "udp"), ("main", "10.1.2.3", 5060, "tcp"),
                                          ("main", "nonsense", 5060, "udp")):  # fmt: skip
        assert not takes(narrow, listener, ip, port, transport, ())
    named = Trunk("t", "access", "alpha", digest=account, tls_names=("sbc.example",))
    assert takes(named, "tls", "10.1.2.3", 1, "tls", ("sbc.example",))
    assert not takes(named, "tls", "10.1.2.3", 1, "tls", ())
