"""Places, slots and tags of a cluster, and what a cluster says about itself."""

from __future__ import annotations

from typing import Any

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.redis import layout
from gateway.store.redis.address import command
from gateway.store.redis.facts import Dataset
from gateway.store.redis.names import (
    PLACE_SHIFT,
    PLACES,
    SLOTS_PER_PLACE,
    Names,
    ShardKeys,
    choose_cluster_buckets,
    place_buckets,
    place_of,
    place_tags,
    slot_of,
)
from gateway.store.redis.slots import Master, SlotMap, decode_places, encode_places, ranges_of, read_map

hashes = st.binary(min_size=8, max_size=8)


def test_slots_are_those_of_the_specification() -> None:
    """The example of the Redis Cluster specification: CRC-16/XMODEM of 123456789 is 0x31C3."""
    assert slot_of(b"123456789") == 0x31C3 % 16_384


def test_each_place_has_its_tag() -> None:
    tags = place_tags()
    assert [slot_of(tag) for tag in tags] == [place * SLOTS_PER_PLACE for place in range(PLACES)]
    assert {len(tag) for tag in tags} == {5}


@given(hashes, st.integers(0, 10**8), st.integers(64, 512))
def test_a_callee_keeps_its_place_whatever_the_bucket_count(callee: bytes, entries: int, compact: int) -> None:
    buckets = choose_cluster_buckets(entries, compact)
    place = int.from_bytes(callee, "big") >> PLACE_SHIFT
    bucket = layout.bucket_of(callee, buckets)
    assert buckets % PLACES == 0 and place_of(bucket, buckets) == place and bucket in place_buckets((place,), buckets)
    assert entries <= buckets * compact or buckets == layout.MAX_BUCKETS


@given(hashes, st.integers(0, 65_535), st.integers(0, 255), st.integers(1, 10**9), st.integers(1, 100))
def test_the_template_makes_what_the_names_say(
    callee: bytes, operator: int, purpose: int, epoch: int, each: int
) -> None:
    names = Names(epoch, each * PLACES, True)
    bucket = names.bucket_of(callee)
    assert Dataset(epoch, names.buckets, None, True).commands(callee, operator, purpose) == (
        command(
            b"HMGET", names.consents(bucket), layout.MARKER_FIELD, layout.consent_field(callee, operator, purpose),
            layout.scoped_field(callee),
        )
        + command(
            b"SMISMEMBER", names.refusals(bucket), layout.marker_member(epoch), layout.refusal_member(callee),
            layout.refusal_member(callee, purpose),
        )
    )  # fmt: skip


def test_the_keys_of_a_shard() -> None:
    one, many = ShardKeys(), ShardKeys(b"00abc")
    assert (one.head, one.fence, one.registry(3), one.watermark(7)) == (
        b"cg:head", b"cg:projector", b"cg:version:3", b"cg:7:w:0",
    )  # fmt: skip
    assert (many.head, many.fence, many.registry(3), many.watermark(7)) == (
        b"cg:head:{00abc}", b"cg:projector:{00abc}", b"cg:version:3:{00abc}", b"cg:7:w:{00abc}",
    )  # fmt: skip
    assert one.names(7, 64).consents(5) == layout.consents_key(7, 5)


@given(st.sets(st.integers(0, PLACES - 1)))
def test_places_are_written_as_runs(places: set[int]) -> None:
    ascending = sorted(places)
    assert decode_places(encode_places(ascending)) == places
    assert [place for first, last in ranges_of(ascending) for place in range(first, last + 1)] == ascending


def test_foreign_places() -> None:
    with pytest.raises(ValueError):
        decode_places(b"soup")
    assert len(decode_places(b"0-99999999999999999999")) == PLACES


INFO = b"cluster_state:ok\r\ncluster_current_epoch:9\r\n"


def test_a_map() -> None:
    """A replica behind its master, a node that does not know its own name, and one that holds no place."""
    slots = [
        [0, 31, [b"10.0.0.1", 7001, b"id"], [b"10.0.0.9", 7001, b"id"]],
        [100, 100, [b"10.0.0.3", 7001, b"id"]],
        [32, 48, [None, 7002, b"id", []]],
        [64, 64, [b"10.0.0.1", 7001, b"id"]],
    ]
    found = read_map([INFO, slots], "asked")
    assert found == SlotMap(9, (Master("10.0.0.1", 7001, (0, 1, 4)), Master("asked", 7002, (2, 3))))
    assert found.masters[0].keys == ShardKeys(place_tags()[4])


@pytest.mark.parametrize(
    "replies",
    [
        [INFO, []],
        [INFO, None],
        [INFO, [[0, 5]]],
        [INFO, [[0, 5, [b"h"]]]],
        [b"", [[0, 5, [b"h", 1]]]],
        [hiredis.ReplyError("ERR This instance has cluster support disabled"), []],
    ],
)
def test_what_is_no_map(replies: list[Any]) -> None:
    with pytest.raises(ValueError, match="redis cluster"):
        read_map(replies, "asked")
