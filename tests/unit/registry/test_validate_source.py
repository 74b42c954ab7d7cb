"""How trunks are recognised: what is refused, and which two could take the same message."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.registry.model import DigestAccount, NextHop, Trunk
from gateway.registry.registry import Registry
from gateway.registry.validate import validate
from gateway.registry.validate_source import MAX_ACCOUNTS
from tests.unit.registry import example

ALPHA, BETA, CARRIER = example.snapshot().trunks
PBX = DigestAccount("pbx-7", "callgate")
ROAMING = Trunk("cc-roaming", "access", "alpha", digest=(PBX,))


def said(*trunks: Trunk, **changes: object) -> str:
    return "\n".join(validate(example.snapshot(trunks=(ALPHA, BETA, CARRIER, *trunks), **changes)))


def also(**changes: Any) -> Trunk:
    """A trunk at the address of cc-alpha."""
    return Trunk(id="other", side="access", operator="beta", next_hops=(NextHop("127.0.0.2"),),
                 **{"sources": ("127.0.0.2",), **changes})  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"origin": "abroad"}, ("trunk other.origin", "'abroad'", "foreign")),
        ({"purpose_header": "Subject"}, ("trunk other.purpose_header", "'Subject'", "X-Purpose")),
        ({"purpose_header": "X-" + "a" * 63}, ("trunk other.purpose_header",)),
        ({"purpose_header": "X-a:b"}, ("trunk other.purpose_header",)),
        ({"purpose_header": "X-"}, ("trunk other.purpose_header",)),
        ({"ports": (0,)}, ("trunk other.ports: 0", "1-65535")),
        ({"transports": ("sctp",)}, ("trunk other.transports", "'sctp'")),
        ({"tls_names": ("SBC.example",)}, ("trunk other.tls_names", "'SBC.example'", "lower case")),
        ({"tls_names": ("sbc.example.",)}, ("trunk other.tls_names",)),
        ({"tls_names": ("a b",)}, ("trunk other.tls_names", "'a b'")),
        ({"tls_names": ("sbc.example",), "transports": ("tcp",)}, ("tls_names need tls",)),
        ({"digest": (DigestAccount('a"b', "r"),)}, ("digest user", "no quote")),
        ({"digest": (DigestAccount("a:b", "r"),)}, ("digest user",)),
        ({"digest": (DigestAccount("", "r"),)}, ("digest user",)),
        ({"digest": (DigestAccount("a", "r\n"),)}, ("digest realm",)),
        ({"digest": (DigestAccount("a", "r", (("SHA-1", "x"),)),)}, ("digest secrets", "'SHA-1'")),
        ({"digest": (DigestAccount("a", "r", (("MD5", ""),)),)}, ("digest secrets", "export registry")),
        ({"digest": (PBX, PBX)}, ("digest user", "'pbx-7'", "twice")),
        ({"digest": (PBX,), "algorithms": ()}, ("trunk other.algorithms: empty",)),
        ({"digest": (PBX,), "algorithms": ("SHA-1",)}, ("trunk other.algorithms", "'SHA-1'")),
        ({"digest": tuple(DigestAccount(f"u{n}", "r") for n in range(MAX_ACCOUNTS + 1))}, ("1001 accounts",)),
        ({"digest": (PBX,), "side": "core", "operator": ""}, ("trunk other.digest: on a core trunk",)),
    ],
)
def test_what_is_refused(changes: dict[str, Any], words: tuple[str, ...]) -> None:
    text = said(replace(also(sources=("127.0.0.4",)), **changes))
    assert all(word in text for word in words), text


def test_a_digest_trunk_needs_neither_source_nor_hop() -> None:
    assert said(ROAMING) == ""
    assert "sources: empty" in said(replace(ROAMING, digest=()))
    assert "next_hops: empty" in said(replace(ROAMING, digest=(), sources=("127.0.0.4",)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "port any, transport any, TLS name any"),
        ({"ports": (5060, 5070)}, "port 5060, 5070"),
        ({"transports": ("tls",)}, "transport tls"),
        ({"transports": ("tls",), "tls_names": ("sbc.example",)}, "TLS name sbc.example"),
        ({"sources": ("127.0.0.4", "127.0.0.2")}, "127.0.0.2/32"),
    ],
)
def test_two_that_could_take_the_same_message_are_both_named_with_what_they_share(
    changes: dict[str, Any], words: str
) -> None:
    text = said(also(**changes))
    assert "trunk other.sources" in text and "cc-alpha" in text and words in text, text


def test_what_keeps_two_trunks_of_one_address_apart() -> None:
    at_5060, at_5070 = replace(ALPHA, ports=(5060,)), also(ports=(5070,))
    assert validate(example.snapshot(trunks=(at_5060, BETA, CARRIER, at_5070))) == []
    assert "port 5070" in "\n".join(
        validate(example.snapshot(trunks=(replace(ALPHA, ports=(5060, 5070)), BETA, CARRIER, at_5070)))
    )
    udp, tls = replace(ALPHA, transports=("udp",)), also(transports=("tcp", "tls"))
    assert validate(example.snapshot(trunks=(udp, BETA, CARRIER, tls))) == []
    one, two = replace(ALPHA, tls_names=("a.example",)), also(tls_names=("b.example",))
    assert validate(example.snapshot(trunks=(one, BETA, CARRIER, two))) == []
    assert said(also(listeners=("tls",))) == ""
    assert said(also(sources=("127.0.0.0/8",))) == "", "the smaller network goes first"


def test_digest_trunks_that_meet_have_one_realm_and_users_of_their_own() -> None:
    other = replace(ROAMING, id="cc-two", digest=(DigestAccount("pbx-8", "other"),))
    text = said(ROAMING, other)
    assert "trunk cc-two.digest realm: 'other'" in text and "cc-roaming" in text
    assert said(replace(ROAMING, listeners=("a",)), replace(other, listeners=("b",))) == ""
    assert "cc-roaming" in said(replace(ROAMING, listeners=("a",)), other)
    same = said(ROAMING, replace(ROAMING, id="cc-two"))
    assert "trunk cc-two.digest user: 'pbx-7': trunk cc-roaming has it" in same


def test_a_range_that_may_be_called_needs_a_hop_to_deliver_to() -> None:
    row = example.number_range("+8657133330000", "+8657133339999", trunks=("cc-roaming",))
    ranges = (*example.snapshot().ranges, row)
    assert f"range {row.id}.inbound" in said(ROAMING, ranges=ranges)
    assert said(ROAMING, ranges=(*ranges[:-1], replace(row, inbound=False))) == ""
    reached = replace(ROAMING, next_hops=(NextHop("127.0.0.44"),))
    assert said(reached, ranges=ranges) == ""
    both = replace(row, trunks=("cc-roaming", "cc-alpha"))
    assert said(ROAMING, ranges=(*ranges[:-1], both)) == ""
    registry = Registry(example.snapshot(trunks=(ALPHA, ROAMING), ranges=(both,)))
    assert registry.route_inbound(both) == (ALPHA,)
