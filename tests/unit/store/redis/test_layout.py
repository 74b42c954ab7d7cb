"""The encodings, and what the compact forms promise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.ports import ScopedRefusal
from gateway.store.redis import layout

hashes = st.binary(min_size=8, max_size=8)


@given(hashes, st.integers(1, layout.MAX_BUCKETS))
def test_a_bucket_is_in_range_and_spread_by_the_top_bits(callee: bytes, buckets: int) -> None:
    assert 0 <= layout.bucket_of(callee, buckets) < buckets
    assert layout.bucket_of(b"\xff" * 8, buckets) == buckets - 1
    assert layout.bucket_of(b"\0" * 8, buckets) == 0


@given(hashes, hashes)
def test_two_hashes_never_meet_in_a_large_dataset(one: bytes, two: bytes) -> None:
    """With 65,536 buckets and more, bucket and field together are all 64 bits."""
    buckets = 1 << 16
    same_place = layout.bucket_of(one, buckets) == layout.bucket_of(two, buckets) and one[2:] == two[2:]
    assert same_place == (one == two)


@given(hashes, st.integers(0, 255))
def test_refusal_members_are_small_integers_of_one_length(callee: bytes, category: int) -> None:
    member = layout.refusal_member(callee, category)
    assert len(member) == 18 and 0 < int(member) < 2**63
    assert member != layout.refusal_member(callee, (category + 1) % 256)


@given(st.integers(1, 10**9), st.integers(0, layout.MAX_BUCKETS - 1))
def test_keys_of_an_epoch_are_equally_long_and_share_a_slot(epoch: int, bucket: int) -> None:
    for key in (layout.consents_key, layout.refusals_key):
        name = key(epoch, bucket)
        assert len(name) == len(key(epoch, 0))
        assert name.startswith(layout.epoch_prefix(epoch))
        assert name.endswith(b"{%06x}" % bucket)


@given(hashes, st.integers(0, 65_535), st.integers(0, 255))
def test_consent_fields_have_nine_bytes(callee: bytes, operator: int, purpose: int) -> None:
    field = layout.consent_field(callee, operator, purpose)
    assert field == callee[2:] + operator.to_bytes(2, "big") + bytes([purpose])
    assert len(layout.scoped_field(callee)) == 6 and len(layout.MARKER_FIELD) == 1


@pytest.mark.parametrize(
    ("value", "now", "word"),
    [
        (None, 0.0, "none"),
        (layout.encode_live(None), 9e9, "live"),
        (layout.encode_live(100.9), 99.9, "live"),
        (layout.encode_live(100.9), 100.0, "expired"),
        (layout.encode_live(0.0), 0.5, "live"),
        (layout.encode_live(0.0), 1.0, "expired"),
        (layout.encode_live(-5.0), 1.0, "expired"),
        (layout.encode_revoked(100.5), 0.0, "revoked"),
        (layout.encode_revoked(0.0), 0.0, "revoked"),
    ],
)
def test_consents(value: bytes | None, now: float, word: str) -> None:
    assert layout.decode_consent(value, now) == word


@pytest.mark.parametrize("value", [b"", b"x", b"1.5"])
def test_foreign_consents_are_no_consents(value: bytes) -> None:
    with pytest.raises(ValueError):
        layout.decode_consent(value, 0.0)


def test_scoped_refusals() -> None:
    refusals = (ScopedRefusal("caller_prefix", "+86571"), ScopedRefusal("operator", "alpha"))
    assert layout.encode_scoped(refusals) == b"p+86571\noalpha"
    assert layout.decode_scoped(layout.encode_scoped(refusals)) == refusals
    banded = (ScopedRefusal("all", "", "mon-fri 12:00-14:00"), ScopedRefusal("category", "marketing", "21:00-09:00"))
    assert layout.decode_scoped(layout.encode_scoped((*banded, *refusals))) == (*banded, *refusals)
    assert layout.decode_scoped(None) == ()
    for foreign in (b"", b"{}", b"[[1]]", b"p+86571\n", b"\xff"):
        with pytest.raises(ValueError):
            layout.decode_scoped(foreign)





def test_watermarks() -> None:
    assert layout.decode_watermark(layout.encode_watermark(12, 34)) == (12, 34)
    with pytest.raises(ValueError):
        layout.decode_watermark(b"12")


def test_bucket_counts() -> None:
    assert layout.choose_buckets(0) == layout.MIN_BUCKETS
    for entries in (10**4, 10**6, 10**8, 10**10):
        buckets = layout.choose_buckets(entries)
        assert buckets <= layout.MAX_BUCKETS and not layout.overfull(entries, buckets)
        assert layout.overfull(2 * entries, buckets) == (layout.MIN_BUCKETS < buckets < layout.MAX_BUCKETS)
        assert layout.choose_buckets(entries, 128) >= buckets
