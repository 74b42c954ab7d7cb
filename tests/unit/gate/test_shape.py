"""What a list of header names says, against the plain reading of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.gate import shape as module
from gateway.gate.identity_headers import ASSERTED, JUDGED, PRIVACY, RAW_HEADERS, REMOVED, TRANSFERS, WITHHELD
from gateway.gate.shape import (
    IS_KIN,
    IS_NETWORK,
    IS_REMOVED,
    IS_TEXT,
    IS_TRANSFER,
    MAX_SHAPE_HEADERS,
    MAX_SHAPE_NAMES,
    MAX_STEPS,
    says_sdp,
    shape_of,
)
from gateway.sip.message import Headers
from gateway.sip.names import CANONICAL, CONTENT_TYPE, FROM, ROUTE, TO

NAMES = st.sampled_from([*sorted(set(CANONICAL.values())), b"X-Caller-ID", b"X-Foo", b"x-rpid", b"Answer"])


def headers_of(*names: bytes) -> Headers:
    return [(name, b"v") for name in names]


@given(st.lists(NAMES, max_size=20))
def test_places_are_those_a_reader_finds(names: list[bytes]) -> None:
    shape = shape_of(headers_of(*names))
    assert shape.asserted == tuple(at for at, name in enumerate(names) if name == ASSERTED)
    assert shape.judged == tuple(
        at for at, name in enumerate(names) if name in JUDGED and name not in (ASSERTED, PRIVACY)
    )
    assert shape.from_at == (names.index(FROM) if FROM in names else -1)
    assert shape.to_at == (names.index(TO) if TO in names else -1)
    types = [at for at, name in enumerate(names) if name == CONTENT_TYPE]
    assert shape.content_type == (types[-1] if types else -1)
    assert shape.private == (PRIVACY in names)
    assert shape.encoded == (b"Content-Encoding" in names)
    assert shape.routed == (ROUTE in names)
    assert shape.transfer == next((name.decode() for name in names if name in TRANSFERS), "")
    assert shape.raw == tuple((at, name.decode()) for at, name in enumerate(names) if name in RAW_HEADERS)


@given(st.lists(NAMES, max_size=20))
def test_what_never_leaves_is_marked_so_and_the_last_comes_first(names: list[bytes]) -> None:
    shape = shape_of(headers_of(*names))
    leaving, arriving = dict(shape.leaving), dict(shape.arriving)
    for at, name in enumerate(names):
        assert (leaving.get(at) == IS_REMOVED) == (name.lower() in REMOVED or name in (b"X-Caller-ID", b"x-rpid"))
        assert (leaving.get(at) == IS_TRANSFER) == (name in TRANSFERS)
        assert (arriving.get(at) in (IS_NETWORK, IS_KIN)) == (name.lower() in WITHHELD)
        if name in (b"User-Agent", b"Subject", b"X-Foo", b"Answer"):
            assert leaving[at] == arriving[at] == IS_TEXT
    for marks in (shape.leaving, shape.arriving):
        assert [at for at, _ in marks] == sorted((at for at, _ in marks), reverse=True)


def test_the_last_content_type_counts_and_a_coding_makes_it_another() -> None:
    sdp, other = (CONTENT_TYPE, b"application/sdp"), (CONTENT_TYPE, b"application/isup")
    for headers, expected in (
        ([sdp], True),
        ([other, sdp], True),
        ([sdp, other], False),
        ([sdp, (b"Content-Encoding", b"identity")], False),
        ([], False),
    ):
        assert says_sdp(headers, shape_of(headers)) is expected


def test_what_is_remembered_is_bounded() -> None:
    walks = module._walks
    walks.forget()
    shape_of(headers_of(*[b"X"] * (MAX_SHAPE_HEADERS + 1)))
    shape_of(headers_of(b"X" * (MAX_SHAPE_NAMES + 1)))
    assert not walks.steps
    for number in range(MAX_STEPS + 10):
        shape_of(headers_of(b"X-%d" % number))
        assert walks.steps <= MAX_STEPS
    assert shape_of(headers_of(b"X-0")) is shape_of(headers_of(b"X-0"))


def test_a_list_of_names_that_begins_like_another_is_another() -> None:
    one, two, three = headers_of(FROM, TO), headers_of(FROM, TO, ROUTE), headers_of(FROM, FROM, TO)
    for _ in range(2):
        assert [shape_of(headers).routed for headers in (one, two, three)] == [False, True, False]
        assert [shape_of(headers).to_at for headers in (one, two, three)] == [1, 1, 2]
