"""Whose a message is, and how messages travel between workers."""

from __future__ import annotations

import struct
from collections import Counter
from pathlib import Path
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.net.handover import KEPT, MESSAGES, Handover
from gateway.net.parcels import MAX_BATCH, batches, pack, unpack
from gateway.net.share import call_id_of, mark_of, share_of
from gateway.sip.errors import RemoteProtocolError
from gateway.sip.parser import parse

ID = b"a84b4c76e66710@pc33.atlanta.com"
VALID = [
    b"Call-ID: " + ID,
    b"Call-ID:" + ID,
    b"Call-ID :\t" + ID + b" \t",
    b"Call-ID\t : " + ID,
    b"call-id: " + ID,
    b"CALL-ID:" + ID,
    b"cAlL-iD :" + ID,
    b"i:" + ID,
    b"i : " + ID,
    b"I: " + ID,
    b"Call-ID:\r\n " + ID,
    b"Call-ID: \r\n\t" + ID,
    b"i:\r\n  \r\n\t " + ID,
    b"Call-ID: " + ID + b"\r\n ",
    b"Subject: x\r\n Call-ID: other\r\nCall-ID: " + ID,
    b"Subject: i: other\r\ni: " + ID,
    b"X-Call-ID: other\r\nCall-ID: " + ID,
    b"Call-IDs: other\r\ni: " + ID,
]


def message(line: bytes, body: bytes = b"", before: bytes = b"") -> bytes:
    return before + (
        b"INVITE sip:bob@127.0.0.9 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK77\r\n"
        b"From: <sip:a@127.0.0.2>;tag=1\r\nTo: <sip:bob@127.0.0.9>\r\n%b\r\nCSeq: 1 INVITE\r\n"
        b"Max-Forwards: 70\r\nContent-Length: %d\r\n\r\n%b" % (line, len(body), body)
    )


@pytest.mark.parametrize("line", VALID)
@pytest.mark.parametrize("before", [b"", b"\r\n", b"\r\n\r\n", b"\r\n\r\n\r\n"])
def test_every_spelling_the_parser_takes_is_read_as_it_reads_it(line: bytes, before: bytes) -> None:
    for body in (b"", b"i: x\r\nCall-ID: of-the-body\r\n\r\nCall-ID: again\r\n\r\n"):
        data = message(line, body, before)
        assert call_id_of(data) == parse(data).call_id == ID


@given(
    st.sampled_from([b"Call-ID", b"call-id", b"CALL-ID", b"i", b"I", b"Call-Id"]),
    st.text(" \t", max_size=3).map(str.encode),
    st.sampled_from([b"", b" ", b"\r\n ", b"\r\n\t", b" \r\n  "]),
    st.text("abcXYZ019.-@!%*_+`'~()<>:\\\"/[]?{} \t\r\n\x00", max_size=30).map(str.encode),
    st.binary(max_size=60),
)
def test_it_never_differs_from_the_parser(name: bytes, blank: bytes, fold: bytes, value: bytes, body: bytes) -> None:
    data = message(name + blank + b":" + fold + value, body)
    try:
        expected = parse(data).call_id
    except RemoteProtocolError:
        call_id_of(data)
        return
    assert call_id_of(data) == expected


@given(st.binary(max_size=400))
def test_any_bytes_have_a_mark_or_none(data: bytes) -> None:
    assert 0 <= share_of(call_id_of(data), 7) < 7


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"\r\n" * 40, b"\0\0\0\0", b"OPTIONS sip:x SIP/2.0\r\n\r\n"])
def test_what_names_no_call_is_nobody_elses(data: bytes, tmp_path: Path) -> None:
    assert call_id_of(data) == b""
    for index in range(2):
        assert not Handover(tmp_path, index, 2).give(data, 0, "127.0.0.2", 5060, 0.0)


def test_the_name_is_known_in_any_case_and_the_value_is_not_altered() -> None:
    assert call_id_of(message(b"CALL-id: AbC")) == b"AbC"
    assert call_id_of(message(b"i: AbC")) == call_id_of(message(b"Call-ID: AbC")) != call_id_of(message(b"i: aBC"))
    assert mark_of(b"AbC") != mark_of(b"aBC")


def test_the_first_of_two_counts_and_the_parser_refuses_both() -> None:
    data = message(b"Call-ID: one\r\ni: two")
    assert call_id_of(data) == b"one"
    with pytest.raises(RemoteProtocolError):
        parse(data)


@pytest.mark.parametrize(
    "hostile",
    [
        message(b"Call-ID: " + b"x" * 60_000),
        message(b"i" * 60_000),
        message(b"\r\n".join([b"i"] * 20_000)),
        message(b"\r\n".join([b"call-id"] * 7_000)),
        message(b"i:" + b"\r\n " * 20_000),
        message(b"i:" + b" " * 60_000),
        b"\r\n" * 30_000 + b"i:",
    ],
)
def test_long_nonsense_costs_no_more_than_its_length(hostile: bytes) -> None:
    began = perf_counter()
    call_id_of(hostile)
    assert perf_counter() - began < 0.1


@pytest.mark.parametrize("pattern", ["{}-4711@127.0.0.2", "call{:08x}", "{}", "{0}{0}", "2026-11-21.{:06}@sbc"])
@pytest.mark.parametrize("count", [2, 3, 7, 64])
def test_counted_call_ids_are_spread_evenly(pattern: str, count: int) -> None:
    calls = 1_000 * count
    shares = Counter(share_of(pattern.format(n).encode(), count) for n in range(calls))
    assert len(shares) == count
    assert max(shares.values()) < 1.33 * calls / count and min(shares.values()) > 0.67 * calls / count
    if count == 2:
        assert 0.45 < shares[0] / calls < 0.55


parcels = st.lists(
    st.tuples(
        st.integers(0, 65_535), st.sampled_from(["127.0.0.2", "::1", "fe80::1%eth0"]), st.integers(0, 65_535),
        st.binary(max_size=2_000),
    ),
    max_size=80,
)  # fmt: skip


@given(parcels)
def test_what_is_packed_is_unpacked_in_its_order(given_parcels: list[tuple[int, str, int, bytes]]) -> None:
    packed = [pack(listener, host, port, data) for listener, host, port, data in given_parcels]
    made = list(batches(packed))
    assert all(made) and [parcel for batch in made for parcel in batch] == packed
    assert all(len(b"".join(batch)) <= MAX_BATCH for batch in made)
    assert [parcel for batch in made for parcel in unpack(b"".join(batch))] == given_parcels


def test_the_longest_datagram_fits_one_hand_over() -> None:
    longest = pack(65_535, "f" * 46, 65_535, b"x" * 65_535)
    assert len(longest) <= MAX_BATCH
    assert list(batches([longest, longest])) == [[longest], [longest]]


@given(st.binary(max_size=200))
def test_damaged_batches_raise_one_error(data: bytes) -> None:
    try:
        unpack(data)
    except ValueError:
        return


def test_a_cut_batch_is_refused() -> None:
    whole = pack(0, "127.0.0.2", 5060, b"INVITE")
    for size in range(1, len(whole)):
        with pytest.raises(ValueError):
            unpack(whole[:size])


class Fake:
    """A socket that has one batch."""

    def __init__(self, batch: bytes) -> None:
        self.batch = batch

    def recv(self, size: int) -> bytes:
        return self.batch


@given(st.sampled_from([b"", KEPT, MESSAGES, b"?"]), st.binary(max_size=60))
def test_no_hand_over_makes_anything_but_messages(kind: bytes, rest: bytes) -> None:
    handover = Handover(Path("/nonexistent"), 0, 2)
    handover.receive(Fake(kind + rest), 0.0)  # type: ignore[arg-type]


def test_what_others_keep_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.net.handover.MAX_ELSEWHERE", 10)
    monkeypatch.setattr("gateway.net.sibling.MAX_KEPT", 10)
    handover = Handover(Path("/nonexistent"), 0, 2)
    handover.receive(Fake(KEPT + b"\1" + struct.pack("!20I", *range(20))), 0.0)  # type: ignore[arg-type]
    assert list(handover._elsewhere) == list(range(10, 20))
    for mark in range(20):
        handover._keep(1, mark)
    assert list(handover._siblings[1].kept) == list(range(10, 20))
