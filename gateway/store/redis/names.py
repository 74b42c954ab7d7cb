"""What a shard's keys are called: as `layout` says in a single Redis, with tags that choose the master in a cluster.

A shard is one Redis that keeps its own head, fence, watermark and registry, beside its buckets: so each question goes
to one server and is answered from that server's own state, and what one server lost is seen there and nowhere else.
A single Redis (or the master Sentinel names) is the one shard there is. In a cluster each master is one.

In a cluster the top 10 bits of a callee's hash are its *place*. Place p stands in slot 16p, whatever the bucket count:
a callee never changes its master because the buckets were counted anew, a master holds ranges of hashes (which
PostgreSQL reads by its index), and the masters share the callees as they share the slots. `T` = a place's tag:

| single               | cluster                   |
| -------------------- | ------------------------- |
| `cg:head`            | `cg:head:{T}`             |
| `cg:projector`       | `cg:projector:{T}`        |
| `cg:E:w:0`           | `cg:E:w:{T}`              |
| `cg:version:V`       | `cg:version:V:{T}`        |
| `cg:page:D`          | `cg:page:D:{T}`           |
| `cg:E:c:{B}`, `…:r:` | `cg:E:c:{T}B`, `…:r:{T}B` |
| `cg:calls`           | `cg:calls:{T}`, of place 0 |

In the first five T is the tag of the highest place the master holds (slots are mostly moved away from the lower end).
"""

from __future__ import annotations

from binascii import crc_hqx
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Final

from gateway.store.redis import layout

SLOTS: Final = 16_384
PLACES: Final = 1_024
SLOTS_PER_PLACE: Final = SLOTS // PLACES
PLACE_SHIFT: Final = 64 - 10
"""From a hash, as a number, to its place."""

FENCE_KEY: Final = b"cg:projector"


@dataclass(frozen=True, slots=True)
class ShardKeys:
    """The keys a shard has once. `tag`: in a cluster; b"": a single Redis."""

    tag: bytes = b""

    @property
    def head(self) -> bytes:
        return self._tagged(layout.HEAD_KEY)

    @property
    def fence(self) -> bytes:
        return self._tagged(FENCE_KEY)

    def registry(self, version: int) -> bytes:
        return self._tagged(layout.registry_key(version))

    def page(self, name: str) -> bytes:
        return self._tagged(layout.page_key(name))

    def watermark(self, epoch: int) -> bytes:
        return layout.watermark_key(epoch, f"{{{self.tag.decode()}}}" if self.tag else "0")

    def names(self, epoch: int, buckets: int) -> Names:
        """Of the buckets of a data set in this shard, or in the others of its cluster."""
        return Names(epoch, buckets, bool(self.tag))

    def _tagged(self, key: bytes) -> bytes:
        return b"%s:{%s}" % (key, self.tag) if self.tag else key


SINGLE: Final = ShardKeys()


@dataclass(frozen=True, slots=True)
class Names:
    """Keys of the buckets of one data set."""

    epoch: int
    buckets: int
    clustered: bool = False

    def consents(self, bucket: int) -> bytes:
        return layout.consents_key(self.epoch, bucket) if not self.clustered else self._tagged(b"c", bucket)

    def refusals(self, bucket: int) -> bytes:
        return layout.refusals_key(self.epoch, bucket) if not self.clustered else self._tagged(b"r", bucket)

    def bucket_of(self, callee_hash: bytes) -> int:
        return layout.bucket_of(callee_hash, self.buckets)

    def _tagged(self, kind: bytes, bucket: int) -> bytes:
        return b"cg:%d:%s:{%s}%06x" % (self.epoch, kind, place_tags()[place_of(bucket, self.buckets)], bucket)


def place_of(bucket: int, buckets: int) -> int:
    """Place of a bucket. In a cluster `buckets` is a multiple of `PLACES`."""
    return bucket * PLACES // buckets


def place_buckets(places: tuple[int, ...], buckets: int) -> list[int]:
    """The buckets of these places."""
    each = buckets // PLACES
    return [bucket for place in places for bucket in range(place * each, (place + 1) * each)]


def choose_cluster_buckets(entries: int, compact: int) -> int:
    """As `layout.choose_buckets`, for a cluster: as many in each place."""
    wanted = layout.choose_buckets(entries, compact)
    return min(layout.MAX_BUCKETS, -(-wanted // PLACES) * PLACES)


def slot_of(tag: bytes) -> int:
    """Slot of the keys with this tag: CRC-16/XMODEM modulo 16384 (Redis Cluster specification)."""
    return crc_hqx(tag, 0) % SLOTS


@cache
def place_tags() -> tuple[bytes, ...]:
    """For each place the first five hexadecimal digits whose slot is the place's."""
    found: dict[int, bytes] = {}
    for number in count():
        tag = b"%05x" % number
        slot = slot_of(tag)
        if slot % SLOTS_PER_PLACE == 0:
            found.setdefault(slot // SLOTS_PER_PLACE, tag)
            if len(found) == PLACES:
                return tuple([found[place] for place in range(PLACES)])
    raise AssertionError("unreachable")
