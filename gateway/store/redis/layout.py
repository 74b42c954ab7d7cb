"""Key names and encodings of the projection: the one file the projector and the workers agree by.

Keys (`E` = dataset epoch in decimal, `B` = bucket as 6 hex digits; `names` has the forms they take in a cluster):

| key             | type   | holds                                                                         |
| --------------- | ------ | ----------------------------------------------------------------------------- |
| `cg:head`       | hash   | `registry` version, `epoch`, `buckets`, `updated` (epoch seconds), in decimal; |
|                 |        | `keycheck`: `key_check` of the pseudonym key the hashes were made with; in a  |
|                 |        | cluster `places`: those written to this master (`slots.encode_places`)        |
| `cg:version:V`  | string | head of registry version V: `publication.Published`                           |
| `cg:page:D`     | string | number ranges of some versions, by digest D: `publication.encode_page`        |
| `cg:calls`      | stream | calls that went on by another worker: `elsewhere`                             |
| `cg:E:c:{B}`    | hash   | consents: `consent_field` -> `encode_live` or `encode_revoked`; refusals of   |
|                 |        | the other scopes: `scoped_field` -> `encode_scoped`; marker                   |
| `cg:E:r:{B}`    | set    | refusals of scope all and category, no time band: `refusal_member`; marker    |
| `cg:E:w:S`      | string | projector's watermark of shard S, kept in that shard: `encode_watermark`      |

Both keys of a bucket carry the marker of its epoch, also when they hold nothing else: the hash the field
`MARKER_FIELD` with the value `marker_value(epoch)`, the set the member `marker_member(epoch)`. A key without
it is not to be believed.

A callee is known by the 8-byte keyed hash of `gate.pseudonym`. Its top 32 bits choose the bucket and its low
48 stand in fields and members: with 65,536 buckets or more that is all 64 bits. A bucket stays in Redis's
compact encodings (listpack/ziplist hash and intset: up to 512 entries by default in 6.2 and 7). A key costs
about 100 bytes of its own, so buckets are as full as is safe; two keys instead of three save a command per
question as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Final

from gateway.store.ports import ScopedRefusal
from policies.facts import CONSENT_EXPIRED, CONSENT_LIVE, CONSENT_NONE, CONSENT_REVOKED

HASH_BYTES: Final = 8

MAX_BUCKETS: Final = 1 << 24
"""Six hex digits. The fixed width makes all keys of an epoch equally long: a command is one template."""

MIN_BUCKETS: Final = 64
"""Small data sets: a rebuild writes two markers per bucket, so a handful of buckets makes it instant."""

COMPACT_ENTRIES: Final = 512
"""Entries a hash or set may have in its compact encoding: Redis's default, in all versions."""

FILL: Final = 0.4
"""Of `COMPACT_ENTRIES`, the mean aimed at when buckets are counted: room for a data set that nearly doubles."""

OVERFULL: Final = 0.75
"""Of `COMPACT_ENTRIES`, the mean at which buckets are counted anew: even then (a mean of 384, deviation 20) not one
in a million buckets has lost its compact encoding."""

HEAD_KEY: Final = b"cg:head"
HEAD_REGISTRY: Final = b"registry"
HEAD_EPOCH: Final = b"epoch"
HEAD_BUCKETS: Final = b"buckets"
HEAD_UPDATED: Final = b"updated"
HEAD_KEYCHECK: Final = b"keycheck"
HEAD_PLACES: Final = b"places"

_KEY_CHECK: Final = "callgate key check"
"""No number: its hash proves which key a data set was made with, and is the same as in PostgreSQL's `dataset`."""

MARKER_FIELD: Final = b"m"
"""One byte: data fields have 9 (consents) or 6 (scoped refusals). It is another one when the layout changes, so that
no reader believes what it would not understand."""

REFUSES_ALL: Final = 0
"""Category code of a refusal of scope `all`; 1..255 are purposes (scope `category`)."""

MEMBER_BASE: Final = 10**17
"""Added to refusal members: all have 18 decimal digits then (56 bits are below 7.3e16): one template fits."""

LOW48: Final = (1 << 48) - 1

_SCOPE_LETTERS: Final = {"all": "a", "category": "k", "caller_prefix": "p", "caller": "c", "operator": "o"}
_SCOPES: Final = {letter: scope for scope, letter in _SCOPE_LETTERS.items()}


def choose_buckets(entries: int, compact: int = COMPACT_ENTRIES) -> int:
    """Bucket count for a data set whose hashes (or sets, the larger) hold about `entries` in all. `compact`: what the
    server's compact encodings take."""
    return min(MAX_BUCKETS, max(MIN_BUCKETS, math.ceil(entries / (compact * FILL))))


def overfull(entries: int, buckets: int, compact: int = COMPACT_ENTRIES) -> bool:
    """Whether so many entries should have more buckets."""
    return entries > buckets * compact * OVERFULL and buckets < MAX_BUCKETS


def bucket_of(callee_hash: bytes, buckets: int) -> int:
    """Bucket of a callee: the hash's top 32 bits scaled to 0..buckets-1."""
    return (int.from_bytes(callee_hash[:4], "big") * buckets) >> 32


def registry_key(version: int) -> bytes:
    return b"cg:version:%d" % version


def page_key(name: str) -> bytes:
    return b"cg:page:%s" % name.encode()


def epoch_prefix(epoch: int) -> bytes:
    """What every key of a dataset epoch begins with (to find and drop an old epoch's keys)."""
    return b"cg:%d:" % epoch


def consents_key(epoch: int, bucket: int) -> bytes:
    return b"cg:%d:c:{%06x}" % (epoch, bucket)


def refusals_key(epoch: int, bucket: int) -> bytes:
    return b"cg:%d:r:{%06x}" % (epoch, bucket)


def watermark_key(epoch: int, shard: str) -> bytes:
    return b"cg:%d:w:%s" % (epoch, shard.encode())


def marker_value(epoch: int) -> bytes:
    """Value of `MARKER_FIELD` in the hash of a bucket."""
    return b"%d" % epoch


def marker_member(epoch: int) -> bytes:
    """The set's marker: the epoch negated. The set stays one of integers, and refusals are positive."""
    return b"-%d" % epoch


def consent_field(callee_hash: bytes, operator: int, purpose: int) -> bytes:
    """9 bytes: low 48 bits of the hash, operator number (1..65535), purpose number (1..255)."""
    return callee_hash[2:] + ((operator << 8) | purpose).to_bytes(3, "big")


def encode_live(expires_at: float | None) -> bytes:
    """Value of a granted consent. `expires_at`: epoch seconds, rounded down; None = no expiry."""
    return b"0" if expires_at is None else b"%d" % max(1, int(expires_at))


def encode_revoked(revoked_at: float) -> bytes:
    """Value of a revoked consent, kept so that the answer can say so. `revoked_at`: epoch seconds."""
    return b"-%d" % max(1, int(revoked_at))


def decode_consent(value: bytes | None, now: float) -> str:
    """`live`, `none`, `revoked` or `expired` at `now` (epoch seconds). ValueError on a foreign value."""
    if value is None:
        return CONSENT_NONE
    if value == b"0":
        return CONSENT_LIVE
    expires = int(value)
    if expires < 0:
        return CONSENT_REVOKED
    return CONSENT_LIVE if now < expires else CONSENT_EXPIRED


def refusal_number(callee_hash: bytes) -> int:
    """Member of this callee's scope-`all` refusal as a number; plus a purpose (1..255): that category's."""
    return MEMBER_BASE + ((int.from_bytes(callee_hash, "big") & LOW48) << 8)


def refusal_member(callee_hash: bytes, category: int = REFUSES_ALL) -> bytes:
    """Set member of a refusal: `REFUSES_ALL`, or the purpose number whose category is declined."""
    return b"%d" % (refusal_number(callee_hash) + category)


def scoped_field(callee_hash: bytes) -> bytes:
    """6 bytes: low 48 bits of the hash."""
    return callee_hash[2:]


def encode_scoped(refusals: Iterable[ScopedRefusal]) -> bytes:
    """All scoped refusals of one callee, a line of each: the scope's letter, the value and, behind a tab, the time band
    if it has one. As short as it can be: one value above 64 bytes takes the compact encoding from its whole bucket. No
    refusals: delete the field."""
    return "\n".join(
        [_SCOPE_LETTERS[one.scope] + one.value + ("\t" + one.band if one.band else "") for one in refusals]
    ).encode()


def decode_scoped(value: bytes | None) -> tuple[ScopedRefusal, ...]:
    """Raises ValueError on a foreign value."""
    if value is None:
        return ()
    try:
        lines = [line.partition("\t") for line in value.decode().split("\n")]
        return tuple([ScopedRefusal(_SCOPES[place[:1]], place[1:], band) for place, _, band in lines])
    except KeyError:
        raise ValueError(f"scoped refusals {value!r}") from None


def key_check(hash_number: Callable[[str], bytes]) -> bytes:
    """What the head says about the pseudonym key: 16 hex digits. `hash_number`: `Pseudonymizer(key).hash`."""
    return hash_number(_KEY_CHECK).hex().encode()


def encode_head(registry: int, epoch: int, buckets: int, updated: float, key_check: bytes = b"") -> dict[bytes, bytes]:
    """Fields of `cg:head`. Written last: what it names must be there in full."""
    fields = {
        HEAD_REGISTRY: b"%d" % registry,
        HEAD_EPOCH: b"%d" % epoch,
        HEAD_BUCKETS: b"%d" % buckets,
        HEAD_UPDATED: b"%d" % int(updated),
    }
    if key_check:
        fields[HEAD_KEYCHECK] = key_check
    return fields


def encode_watermark(xid: int, row: int) -> bytes:
    """Last outbox row applied to a shard: (transaction id, row id), in that order."""
    return b"%d:%d" % (xid, row)


def decode_watermark(value: bytes) -> tuple[int, int]:
    """Raises ValueError on a foreign value."""
    xid, _, row = value.partition(b":")
    return int(xid), int(row)
