"""Any bytes give a message or a RemoteProtocolError, nothing else, in bounded time; what is accepted survives writing
and reading (`oracle`). The same oracle runs for minutes, guided by coverage, with `make fuzz`.
"""

from __future__ import annotations

import os

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.fuzz.oracle import check
from tests.fuzz.strategies import SEAMS, mutated

EXAMPLES = 20_000 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 300
"""A message takes microseconds, so the fast profile affords more than its default."""


@settings(max_examples=EXAMPLES, deadline=None)
@given(mutated())
def test_wounded_messages(data: bytes) -> None:
    check(data)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=2_000))
@example(b"\r\n" * 32_767)
@example(b"INVITE sip:a@b SIP/2.0\r\nVia: " + b"SIP/2.0/UDP a," * 4_000 + b"\r\n\r\n")
@example(b"INVITE sip:a@b SIP/2.0\r\nRoute: " + b'"' * 8_000 + b"\r\n\r\n")
@example(b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP a\r\n" + b" x\r\n" * 15_000 + b"\r\n\r\n")
@example(b"SIP/2.0 200 OK\r\n" + b"\xff" * 65_000 + b"\r\n\r\n")
def test_any_bytes(data: bytes) -> None:
    check(data)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.sampled_from(SEAMS), max_size=40).map(b"".join))
def test_seams_alone(data: bytes) -> None:
    check(data)
    check(b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h" + data + b"\r\n\r\n")
