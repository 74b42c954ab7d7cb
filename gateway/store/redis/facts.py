"""The two commands that ask about one callee, or the one that counts as well, and what their replies mean. No I/O.

Per turn of the loop: one HMGET of the head, then per callee HMGET of the consent and the scoped refusals and
SMISMEMBER of the others, each with its marker (see `layout`). All keys of an epoch are equally long: a callee's
commands are one template.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from gateway.store.ports import Counting, SubscriberFacts
from gateway.store.redis import counters, layout
from gateway.store.redis.address import command
from gateway.store.redis.ladder import HEAD_FIELD
from gateway.store.redis.names import PLACE_SHIFT, Names, ShardKeys, place_tags
from policies.facts import CONSENT_LIVE

REPLIES_PER_CALLEE: Final = 2

_TOP_BITS: Final = 32

_PLAIN_LIVE: Final = SubscriberFacts(CONSENT_LIVE)
"""By far the commonest answer; frozen, so one will do."""


class NotTheDataset(ValueError):
    """The replies are not those of a whole bucket of this epoch."""


class Elsewhere(NotTheDataset):
    """Another master of the cluster holds the bucket, or is about to."""


class NoScript(ValueError):
    """The server does not know the script that counts (`counters`): it is to be told, and asked again."""


class Dataset:
    """One dataset epoch: makes the commands for a callee and reads the replies."""

    __slots__ = ("_marker", "_names", "_place_shift", "_templates", "buckets", "epoch", "head", "key_check")

    def __init__(self, epoch: int, buckets: int, key_check: bytes | None = None, clustered: bool = False) -> None:
        """`key_check`: as the head says it (`layout.key_check`), None where it says nothing. `clustered`: with the keys
        of a cluster (`names`). Raises ValueError unless `epoch` >= 1 and `buckets` is 1..MAX_BUCKETS."""
        if epoch < 1 or not 1 <= buckets <= layout.MAX_BUCKETS:
            raise ValueError(f"dataset epoch {epoch} with {buckets} buckets")
        self.epoch = epoch
        self.buckets = buckets
        self.key_check = key_check
        self.head = [b"%d" % epoch, b"%d" % buckets, key_check, None]
        """Reply to `head_command` while this is the dataset in force. The last is the generation of restrictions
        that is known here (`ladder`)."""
        self._marker = layout.marker_value(epoch)
        self._names = Names(epoch, buckets, clustered)
        self._templates = _templates(epoch, clustered)
        self._place_shift = PLACE_SHIFT - _TOP_BITS if clustered else _TOP_BITS

    def commands(self, callee_hash: bytes, operator: int, purpose: int) -> bytes:
        """The two commands. `callee_hash`: 8 bytes; `operator` 0..65535, `purpose` 0..255 (0: none)."""
        # layout.bucket_of, refusal_number and consent_field, written out: this is paid by every call
        top = int.from_bytes(callee_hash[:4], "big")
        bucket = (top * self.buckets) >> 32
        field = callee_hash[2:]
        refuses_all = layout.MEMBER_BASE + (int.from_bytes(field, "big") << 8)
        return self._templates[top >> self._place_shift] % (
            bucket, field + (operator << 8 | purpose).to_bytes(3, "big"), field, bucket, refuses_all,
            refuses_all + purpose,
        )  # fmt: skip

    def counting(self, callee_hash: bytes, operator: int, purpose: int, now: float, asked: Counting) -> bytes:
        """The same question and what is to be counted, as one command. It has one reply (`read_counted`)."""
        names = self._names
        bucket = names.bucket_of(callee_hash)
        words = (
            self._marker, layout.consent_field(callee_hash, operator, purpose), layout.scoped_field(callee_hash),
            layout.marker_member(self.epoch), layout.refusal_member(callee_hash),
            layout.refusal_member(callee_hash, purpose),
        )  # fmt: skip
        keys = (names.consents(bucket), names.refusals(bucket))
        return counters.ask_command(keys, words, callee_hash, operator, now, asked)

    def read_counted(self, reply: Any, purpose: int, now: float) -> SubscriberFacts:
        """The facts in the reply to `counting`. Raises as `read`, and NoScript."""
        if isinstance(reply, Exception):
            if str(reply).startswith("NOSCRIPT"):
                raise NoScript(str(reply))
            return self.read(reply, reply, purpose, now)
        try:
            tally = counters.read_tally(reply, now)
        except (TypeError, ValueError) as error:
            raise NotTheDataset(f"counters: {error}") from error
        found = self.read(reply[0], reply[1], purpose, now)
        return SubscriberFacts(found.consent, found.refuses_all, found.refuses_category, found.scoped, tally)

    def read(self, consents: Any, refusals: Any, purpose: int, now: float) -> SubscriberFacts:
        """The facts in the two replies. With no purpose (0) no category is declined.

        Raises NotTheDataset when a marker is not this epoch's, or a reply is an error.
        """
        try:
            marker, consent, scope = consents
            refusal_marker, refuses_all, refuses_category = refusals
            if marker != self._marker or refusal_marker != 1:
                raise NotTheDataset("marker of the epoch missing")
            if consent == b"0" and scope is None and not refuses_category and not refuses_all:
                return _PLAIN_LIVE
            return SubscriberFacts(
                layout.decode_consent(consent, now),
                refuses_all == 1,
                refuses_category == 1 and purpose != 0,
                layout.decode_scoped(scope),
            )
        except (TypeError, ValueError) as error:  # an error reply, or a value the projector never wrote
            wrong = [reply for reply in (consents, refusals) if isinstance(reply, Exception)]
            text = str(wrong[0] if wrong else error)
            raise (Elsewhere if text.startswith(("MOVED ", "ASK ")) else NotTheDataset)(text) from error


def head_command(keys: ShardKeys) -> bytes:
    """Asks a shard for what its head says about the dataset."""
    return command(b"HMGET", keys.head, layout.HEAD_EPOCH, layout.HEAD_BUCKETS, layout.HEAD_KEYCHECK, HEAD_FIELD)


def read_head(reply: Any, clustered: bool = False) -> Dataset | None:
    """The dataset named by a reply to `head_command`; None where it names none."""
    try:
        epoch, buckets, found, _ = reply
        return Dataset(int(epoch), int(buckets), found, clustered)
    except (TypeError, ValueError):
        return None


def other_key(found: bytes | None, key_check: bytes) -> bool:
    """Does a head that says `found` prove another key? One without it does not: a projector from before it was there
    wrote it, and the next heartbeat adds it."""
    return bool(key_check) and found is not None and found != key_check


@lru_cache(maxsize=4)
def _templates(epoch: int, clustered: bool) -> list[bytes]:
    """One for each place of a cluster, or just one. Kept: the shards of a cluster ask of the same epoch."""
    return [_template(epoch, tag) for tag in (place_tags() if clustered else (b"",))]


def _template(epoch: int, tag: bytes) -> bytes:
    """The commands, with what differs by callee left open: buckets, consent field, scoped field, members. `tag`: of the
    place in a cluster, else empty."""

    def array(name: bytes, key: bytes, marker: bytes, *slots: bytes) -> bytes:
        fixed = [b"*%d\r\n" % (3 + len(slots))]
        fixed += [b"$%d\r\n%s\r\n" % (len(word), word) for word in (name, key, marker)]
        return b"".join(fixed).replace(bucket, open_bucket) + b"".join(slots)

    bucket, open_bucket = b"{000000}", b"{%06x}"
    if tag:
        bucket, open_bucket = b"{00000}000000", b"{%s}%%06x" % tag
    keys = [b"cg:%d:%s:%s" % (epoch, kind, bucket) for kind in (b"c", b"r")]
    field = b"$%d\r\n%%b\r\n"
    member = b"$18\r\n%d\r\n"
    return array(b"HMGET", keys[0], layout.MARKER_FIELD, field % 9, field % 6) + array(
        b"SMISMEMBER", keys[1], layout.marker_member(epoch), member, member
    )
