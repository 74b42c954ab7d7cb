"""Bodies: what may pass, however the rest is written, and how it is cut out."""

from __future__ import annotations

import pytest

from gateway.gate.bodies import MAX_PARTS, cut_out, foreign_body

SDP_PART = b"--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n"
ISUP_PART = b"--b\r\nContent-Type: application/ISUP; version=itu-t92+\r\n\r\n\x01\r\n"
MIXED = b"multipart/mixed;boundary=b"


def kind(value: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"Content-Type", value)]


@pytest.mark.parametrize(
    ("value", "body", "named"),
    [
        (b"application/isup", b"\x01", "application/isup"),
        (b"APPLICATION/ISUP;version=x", b"\x01", "application/isup"),
        (b"application/x-isup", b"\x01", "application/x-isup"),
        (b"application/QSIG", b"\x08", "application/qsig"),
        (b"application/gtd", b"CGN,1", "application/gtd"),
        (b"application/q931", b"\x08", "application/q931"),
        (b"message/sip", b"INVITE ...", "message/sip"),
        (b"message/sipfrag", b"SIP/2.0 200 OK", "message/sipfrag"),
        (b"application/pidf+xml", b"<presence/>", "application/pidf+xml"),
        (b"application/13900139000", b"x", "of another type"),
        (b"application/" + b"x" * 60, b"x", "of another type"),
        (b"application/sdp, application/isup", b"x", "of another type"),
        (b"", b"x", "no Content-Type"),
        (MIXED, SDP_PART + ISUP_PART + b"--b--", "application/isup"),
        (b"Multipart/Related; boundary=b", SDP_PART + ISUP_PART + b"--b--", "application/isup"),
        (b"multipart/digest;boundary=b", SDP_PART + b"--b--", "multipart/digest"),
        (MIXED, b"--b\r\nX: y\r\nCONTENT-TYPE :\r\n application/Isup\r\n\r\n\x01\r\n--b--", "application/isup"),
        (MIXED, b"--b\nContent-Type: application/isup\n\n\x01", "application/isup"),
        (MIXED, b"--b\rc : application/isup\r\r\x01", "application/isup"),
        (MIXED, b"--b\x85C:application/isup", "application/isup"),
        (MIXED, b"--b\r\nContent-Type: application/sdp\r\nContent-Encoding: gzip\r\n\r\n\x1f", "encoded"),
        (MIXED, b"--b\r\ne: gzip\r\nContent-Type: application/sdp\r\n\r\n\x1f", "encoded"),
        (MIXED, SDP_PART * (MAX_PARTS + 1), "too many parts"),
        (
            MIXED,
            b"--b\r\nContent-Type: multipart/mixed;boundary=c\r\n\r\n--c\r\nContent-Type: application/isup\r\n\r\n",
            "application/isup",
        ),
    ],
)
def test_found(value: bytes, body: bytes, named: str) -> None:
    assert foreign_body(kind(value), body) == named


def test_a_compressed_body_is_not_believed() -> None:
    for value in (MIXED, b"application/sdp"):
        assert foreign_body([(b"Content-Encoding", b"gzip"), *kind(value)], b"\x1f\x8b") == "encoded"
    assert foreign_body([(b"Content-Encoding", b"identity"), *kind(MIXED)], SDP_PART + b"--b--") == ""


@pytest.mark.parametrize(
    ("value", "body"),
    [
        (b"application/sdp", b"s=isup"),
        (b"Application/SDP ; charset=utf-8", b"v=0"),
        (b"application/dtmf-relay", b"Signal=1"),
        (b"application/dtmf", b"1"),
        (b"application/media_control+xml", b"<media_control/>"),
        (b"text/plain", b"isup"),
        (b"application/isup", b""),
        (b"", b""),
        (MIXED, SDP_PART + b"--b--"),
        (MIXED, SDP_PART * MAX_PARTS),
        (b"multipart/alternative;boundary=b", b"--b\r\n\r\nhello\r\n" + SDP_PART + b"--b--"),
        (MIXED, b"--b\r\nContent-Type: multipart/related;boundary=c\r\n\r\n--c\r\nContent-Type: text/plain\r\n\r\n"),
        (MIXED, b""),
    ],
)
def test_not_found(value: bytes, body: bytes) -> None:
    assert foreign_body(kind(value), body) == ""


def test_location_passes_in_emergency_calls_alone() -> None:
    body = b"--b\r\nContent-Type: application/pidf+xml\r\n\r\n<presence/>\r\n--b--"
    assert foreign_body(kind(MIXED), body) == "application/pidf+xml"
    assert foreign_body(kind(MIXED), body, emergency=True) == ""
    assert foreign_body(kind(MIXED), body + ISUP_PART, emergency=True) == "application/isup"


def test_the_sdp_part_is_kept() -> None:
    headers = [(b"Via", b"v"), (b"Mime-Version", b"1.0"), *kind(b'multipart/mixed; boundary="b"'), (b"X", b"y")]
    body = ISUP_PART + SDP_PART + b"--b--"
    assert cut_out(headers, body) == ([(b"Via", b"v"), (b"X", b"y"), (b"Content-Type", b"application/sdp")], b"v=0")


@pytest.mark.parametrize(
    ("value", "body"),
    [
        (b"application/isup", b"\x01"),
        (MIXED, ISUP_PART + b"--b--"),
        (b"multipart/mixed", SDP_PART),
        (MIXED, ISUP_PART * MAX_PARTS + SDP_PART),
    ],
)
def test_without_sdp_no_body_is_left(value: bytes, body: bytes) -> None:
    assert cut_out(kind(value), body) == ([], b"")
