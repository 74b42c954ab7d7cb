from __future__ import annotations

import pytest

from gateway.proxy.branch import DECISION_LENGTH, derive, derive_again, is_loop, loop_hash
from gateway.transaction.keys import MAGIC_COOKIE, server_key
from tests.unit.proxy.messages import an_invite

SECRET = b"s" * 32
OURS = (b"127.0.0.1:5060",)


def test_identifiers_are_derived_and_always_the_same() -> None:
    request = an_invite()
    key = server_key(request, b"t")
    one, two = (derive(SECRET, key, an_invite(), b"", b"d") for _ in range(2))
    assert (one.branch, one.decision, one.tag) == (two.branch, two.decision, two.tag)
    assert one.branch.startswith(MAGIC_COOKIE)
    assert len(one.decision) == DECISION_LENGTH
    assert len({one.branch[7:], one.decision.hex().encode(), one.tag}) == 3


@pytest.mark.parametrize(
    "change", [{"call_id": b"x"}, {"cseq": 2}, {"from_": b"<sip:a@h>;tag=x"}, {"to": b"<sip:a@h>;tag=x"}]
)
def test_another_request_has_other_identifiers(change: dict[str, object]) -> None:
    request = an_invite()
    key = server_key(request, b"t")
    one, other = derive(SECRET, key, request, b"", b"d"), derive(SECRET, key, an_invite(**change), b"", b"d")
    assert one.branch != other.branch
    assert one.decision != other.decision
    assert one.tag != other.tag


def test_every_byte_of_the_message_counts() -> None:
    request = an_invite()
    one, other = (derive(SECRET, b"k", request, b"", data) for data in (b"INVITE", b"INVITe"))
    assert one.decision != other.decision
    assert one.branch != other.branch


def test_the_same_message_again_is_another_call() -> None:
    ids = derive(SECRET, b"k", an_invite(), b"loop", b"d")
    again = [derive_again(SECRET, ids, b"loop", *use) for use in ((1, 7), (2, 7), (1, 8))]
    assert len({found.decision for found in (ids, *again)}) == 4
    assert len({found.branch for found in (ids, *again)}) == 4
    assert all(found.branch.endswith(b"-loop") for found in again)


def test_the_key_and_the_secret_count() -> None:
    request = an_invite()
    branches = {
        derive(secret, key, request, b"", b"d").branch
        for secret in (SECRET, b"x" * 32)
        for key in (server_key(request, b"t"), server_key(request, b"u"))
    }
    assert len(branches) == 4


def test_the_loop_hash_is_part_of_the_branch() -> None:
    request = an_invite()
    loop = loop_hash(request, b"t")
    assert derive(SECRET, b"k", request, loop, b"d").branch.endswith(b"-" + loop)


@pytest.mark.parametrize(
    "change",
    [
        {"cseq": 2},
        {"call_id": b"x"},
        {"from_": b"<sip:a@h>;tag=ft"},
        {"to": b"<sip:a@h>"},
        {"extra": ((b"Route", b"<sip:x;lr>"),)},
    ],
)
def test_what_decides_the_way_decides_the_loop_hash(change: dict[str, object]) -> None:
    assert loop_hash(an_invite(), b"t") != loop_hash(an_invite(**change), b"t")


def test_the_trunk_decides_and_vias_do_not() -> None:
    assert loop_hash(an_invite(), b"t") != loop_hash(an_invite(), b"u")
    assert loop_hash(an_invite(), b"t") == loop_hash(an_invite(branch=b"z9hG4bK-2", max_forwards=3), b"t")


def test_a_loop_is_our_own_via_with_the_same_hash() -> None:
    loop = loop_hash(an_invite(), b"t")
    branch = derive(SECRET, b"k", an_invite(), loop, b"d").branch
    ours = (b"Via", b"SIP/2.0/UDP 127.0.0.1:5060;branch=" + branch + b".2")
    strange = (b"Via", b"SIP/2.0/UDP 192.0.2.1:5060;branch=" + branch)
    spiral = (b"Via", b"SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKx-0000")
    assert is_loop(an_invite(extra=(ours,)), OURS, loop)
    assert not is_loop(an_invite(extra=(strange,)), OURS, loop)
    assert not is_loop(an_invite(extra=(spiral,)), OURS, loop)
    assert not is_loop(an_invite(), OURS, loop)
