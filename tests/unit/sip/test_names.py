from __future__ import annotations

import pytest

from gateway.sip import RemoteProtocolError
from gateway.sip.names import CALL_ID, COMPACT, CSEQ, FOLDED, VIA, canonical_name, resolve_name


@pytest.mark.parametrize("spelling", [b"Via", b"via", b"VIA", b"vIa", b"v", b"V"])
def test_one_object_per_header(spelling: bytes) -> None:
    assert canonical_name(spelling) is VIA
    assert resolve_name(spelling) is VIA
    assert resolve_name(spelling + b" \t ") is VIA


def test_odd_capitals() -> None:
    assert resolve_name(b"CALL-ID") is CALL_ID
    assert resolve_name(b"Cseq") is CSEQ
    assert canonical_name(b"p-asserted-identity") == b"P-Asserted-Identity"


def test_every_compact_form() -> None:
    for short, name in COMPACT.items():
        assert canonical_name(short) == canonical_name(short.upper()) == name


@pytest.mark.parametrize("name", [b"X-Via", b"Viaa", b"Vi", b"Fromage", b"C%6Fntact", b"z"])
def test_unknown_names_stand_as_received(name: bytes) -> None:
    assert canonical_name(name) == name
    assert resolve_name(name) == name


@pytest.mark.parametrize(
    "raw",
    [b"", b"From\x00", b"From\x0b", b"From\x0c", b"From\xa0", b"From\xc2\xa0", b"Fr om", b"From\r", b"(From)", b"@"],
)
def test_no_other_octet_before_the_colon(raw: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        resolve_name(raw)


@pytest.mark.parametrize("raw", [b" From", b"\tx", b" "])
def test_continuation_lines_have_no_name(raw: bytes) -> None:
    assert resolve_name(raw) == FOLDED
