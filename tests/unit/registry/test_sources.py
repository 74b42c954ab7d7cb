"""Which trunk a packet came from."""

from __future__ import annotations

import pytest

from gateway.registry.model import Trunk
from gateway.registry.sources import SourceTable, parse_source

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
