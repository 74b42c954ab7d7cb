"""The 49 RFC 4475 and 12 RFC 5118 messages through a running gateway: each gets the verdict of the tables beside the
data, nothing of it reaches the carrier, and the same socket serves a good call afterwards."""

from __future__ import annotations

import re

import pytest

from tests.support.attack import Attacker
from tests.support.torture import DATA, VERDICTS, own_branch, table, torture, torture_names

WELL_FORMED = re.compile(rb"SIP/2\.0 [1-6][0-9][0-9] [^\r\n]+\r\n(?:[A-Za-z-]+: (?:\\[^\r\n]|[^\r\n\x00])*\r\n)+\r\n\Z")
"""Lines of a name and a value; a NUL only in a quoted-pair, which RFC 4475 `intmeth` has in its To."""


def test_every_message_has_a_verdict_that_agrees_with_the_tables() -> None:
    rows = table()
    assert sorted(rows) == sorted(VERDICTS) == torture_names()
    assert len(rows) == 61
    for name, (kind, status) in rows.items():
        statuses = VERDICTS[name].statuses
        refused = {int(code) for code in re.findall(r"\b[45]\d\d\b", status)}
        if "response" in kind:
            assert not statuses, name
        elif name == "rfc4475/zeromf.dat":
            assert statuses == (200,)  # an OPTIONS that the gateway answers itself is not forwarded
        elif name == "rfc4475/baddate.dat" or kind.startswith("valid") or ("5118" in name and status != "400"):
            assert statuses[0] in (200, 403, 405, 481), name
        elif kind == "application" and ("endpoint" in status or "registrar" in status or status == "-"):
            assert statuses[0] in (403, 405), name  # it goes on to the gate
        elif kind != "RFC 2543":
            assert statuses[0] in refused or (refused == {501, 400} and statuses[0] == 501), (name, refused)


def test_addresses_are_of_this_machine_and_bodies_as_long_as_they_were() -> None:
    for name in VERDICTS:
        data = torture(name)
        body = (DATA / name).read_bytes().partition(b"\r\n\r\n")[2]
        assert len(data.partition(b"\r\n\r\n")[2]) == len(body), name
        assert all(found.startswith(b"127.") for found in re.findall(rb"(?:\d+\.){3}\d+", data)), name
        assert not re.search(rb"example\.|2001:", data, re.I), name


@pytest.mark.parametrize("name", VERDICTS)
async def test_verdict(attacker: Attacker, name: str) -> None:
    verdict = VERDICTS[name]
    stream = attacker.wire.stream
    expected = verdict.on(stream)
    data = own_branch(torture(name), b"t") if stream else torture(name)
    seen = await attacker.send(data, expected != (), len(expected), stream and verdict.closes)
    assert seen.statuses == expected, seen.answers
    assert seen.closed == (stream and verdict.closes)
    assert seen.reached == []
    for answer in seen.answers:
        assert WELL_FORMED.match(answer), answer
        assert answer.count(b"\r\nAllow: ") == answer.startswith((b"SIP/2.0 405 ", b"SIP/2.0 200 "))


async def test_an_unsupported_extension_is_named(attacker: Attacker) -> None:
    seen = await attacker.send(torture("rfc4475/bext01.dat"))
    assert b"\r\nUnsupported: noProxiesSupportThis, norDoAnyProxiesSupportThis\r\n" in seen.answers[-1]


async def test_a_second_request_behind_the_first(attacker: Attacker) -> None:
    """RFC 4475 §3.1.1.8, with a second request that passes alone: no part of a datagram, the next one of a stream."""
    first = torture("rfc4475/dblreq.dat").partition(b"INVITE")[0]
    second = b"INVITE sip:+8613800138000@127.0.0.1 SIP/2.0\r\nVia: %b;branch=z9hG4bKsecond\r\n" % attacker.via
    second += b"From: <sip:+8657112340001@127.0.0.2>;tag=1\r\nTo: <sip:+8613800138000@127.0.0.1>\r\n"
    second += b"Call-ID: second\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
    seen = await attacker.send(first + second, finals=1 + attacker.wire.stream)
    assert (b"Call-ID: second" in b"".join(seen.answers)) is attacker.wire.stream
    assert len([data for data in seen.reached if data.startswith(b"INVITE ")]) == attacker.wire.stream
