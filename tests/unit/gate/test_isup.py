"""ISUP and QSIG bodies: found however they are written, cut out whole."""

from __future__ import annotations

import pytest

from gateway.gate.isup import MAX_PARTS, carries_isup, strip_isup

SDP_PART = b"--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n"
ISUP_PART = b"--b\r\nContent-Type: application/ISUP; version=itu-t92+\r\n\r\n\x01\r\n"
MIXED = b"multipart/mixed;boundary=b"


def kind(value: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"Content-Type", value)]


@pytest.mark.parametrize(
    ("value", "body"),
    [
        (b"application/isup", b"\x01"),
        (b"APPLICATION/ISUP;version=x", b"\x01"),
        (b"application/x-isup", b"\x01"),
        (b"application/QSIG", b"\x08"),
        (MIXED, SDP_PART + ISUP_PART + b"--b--"),
        (b"Multipart/Related; boundary=b", SDP_PART + ISUP_PART + b"--b--"),
        (MIXED, b"--b\r\nX: y\r\nCONTENT-TYPE :\r\n application/Isup\r\n\r\n\x01\r\n--b--"),
        (
            MIXED,
            b"--b\r\nContent-Type: multipart/mixed;boundary=c\r\n\r\n--c\r\nContent-Type: application/isup\r\n\r\n",
        ),
        (b"message/sip", b"INVITE ...\r\nContent-Type: application/isup\r\n"),
    ],
)
def test_found(value: bytes, body: bytes) -> None:
    assert carries_isup(kind(value), body)


def test_a_compressed_multipart_is_not_believed() -> None:
    assert carries_isup([(b"Content-Encoding", b"gzip"), *kind(MIXED)], b"\x1f\x8b")
    assert not carries_isup([(b"Content-Encoding", b"identity"), *kind(MIXED)], SDP_PART + b"--b--")


@pytest.mark.parametrize(
    ("value", "body"),
    [(b"application/sdp", b"s=isup"), (MIXED, SDP_PART + b"--b--"), (b"text/plain", b"isup"), (MIXED, b"")],
)
def test_not_found(value: bytes, body: bytes) -> None:
    assert not carries_isup(kind(value), body)


def test_strip_keeps_the_sdp_part() -> None:
    headers = [(b"Via", b"v"), (b"Mime-Version", b"1.0"), *kind(b'multipart/mixed; boundary="b"'), (b"X", b"y")]
    body = ISUP_PART + SDP_PART + b"--b--"
    assert strip_isup(headers, body) == ([(b"Via", b"v"), (b"X", b"y"), (b"Content-Type", b"application/sdp")], b"v=0")


@pytest.mark.parametrize(
    ("value", "body"),
    [
        (b"application/isup", b"\x01"),
        (MIXED, ISUP_PART + b"--b--"),
        (b"multipart/mixed", SDP_PART),
        (MIXED, ISUP_PART * MAX_PARTS + SDP_PART),
    ],
)
def test_strip_without_sdp_leaves_no_body(value: bytes, body: bytes) -> None:
    assert strip_isup(kind(value), body) == ([], b"")
