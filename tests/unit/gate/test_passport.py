"""Claims of an Identity header against the call."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.gate.passport import contradiction

CALLER, CALLEE = "+8657112340001", "+8613800138000"


def token(payload: bytes) -> bytes:
    return (
        b"eyJhbGciOiJFUzI1NiJ9." + base64.urlsafe_b64encode(payload).rstrip(b"=") + b".c2ln;info=<https://c.example/c>"
    )


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b'{"orig":{"tn":"8657112340001"},"dest":{"tn":["8613800138000"]},"iat":1}', ""),
        (b'{"orig":{"tn":"+8657112340001"},"dest":{"tn":["1","8613800138000"]}}', ""),
        (b'{"orig":{"tn":"8657112340001"}}', ""),
        (b'{"orig":{"tn":"8613900139000"},"dest":{"tn":["8613800138000"]}}', "Identity orig"),
        (b'{"dest":{"tn":["8613800138000"]}}', "Identity orig"),
        (b'{"orig":{"tn":"8657112340001"},"dest":{"tn":[]}}', "Identity dest"),
        (b'{"orig":{"tn":"8657112340001"},"dest":{"uri":["sip:a@b"]}}', "Identity dest"),
        (b'{"orig":"8657112340001"}', "Identity"),
        (b"[]", "Identity"),
        (b"{", "Identity"),
        (b"\xff", "Identity"),
    ],
)
def test_claims(payload: bytes, said: str) -> None:
    assert contradiction(token(payload), CALLER, CALLEE) == said


@pytest.mark.parametrize("value", [b"", b"..sig;info=<https://c/c>", b'"c2ln"', b"a.b", b"a.b.c.d"])
def test_a_value_without_claims_contradicts_nothing(value: bytes) -> None:
    assert contradiction(value, CALLER, CALLEE) == ""


def test_callee_unknown_is_not_held_against_dest() -> None:
    assert contradiction(token(b'{"orig":{"tn":"8657112340001"},"dest":{"tn":["1"]}}'), CALLER, "") == ""


@given(st.binary(min_size=1, max_size=80), st.binary(max_size=80))
def test_any_bytes_are_answered(payload: bytes, value: bytes) -> None:
    assert contradiction(token(payload), CALLER, CALLEE).startswith("Identity")
    assert contradiction(b"a." + value + b".c", CALLER, CALLEE) in ("", "Identity", "Identity orig", "Identity dest")
