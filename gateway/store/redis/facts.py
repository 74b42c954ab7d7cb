"""The three commands that ask about one callee, and what their replies mean. No I/O.

Per turn of the loop: one HMGET of the head, then per callee HMGET of the consent, SMISMEMBER of the refusals
and HMGET of the scoped refusals, each with its marker (see `layout`). All keys of an epoch are equally long:
a callee's commands are one template.
"""

from __future__ import annotations

from typing import Any, Final

from gateway.store.ports import SubscriberFacts
from gateway.store.redis import layout
from gateway.store.redis.address import command
from policies.facts import CONSENT_LIVE

REPLIES_PER_CALLEE: Final = 3

HEAD_COMMAND: Final = command(b"HMGET", layout.HEAD_KEY, layout.HEAD_EPOCH, layout.HEAD_BUCKETS, layout.HEAD_KEYCHECK)

OTHER_KEY_TEXT: Final = "pseudonym key differs from the data set's"

_PLAIN_LIVE: Final = SubscriberFacts(CONSENT_LIVE)
"""By far the commonest answer; frozen, so one will do."""


class NotTheDataset(ValueError):
    """The replies are not those of a whole bucket of this epoch."""


class OtherKey(ValueError):
    """The dataset's hashes were made with another pseudonym key: nobody would be found in it."""


class Dataset:
    """One dataset epoch: makes the commands for a callee and reads the replies."""

    __slots__ = ("_marker", "_template", "buckets", "epoch", "head")

    def __init__(self, epoch: int, buckets: int, key_check: bytes | None = None) -> None:
        """`key_check`: as the head says it (`layout.key_check`), None where it says nothing. Raises ValueError unless
        `epoch` >= 1 and `buckets` is 1..MAX_BUCKETS."""
        if epoch < 1 or not 1 <= buckets <= layout.MAX_BUCKETS:
            raise ValueError(f"dataset epoch {epoch} with {buckets} buckets")
        self.epoch = epoch
        self.buckets = buckets
        self.head = [b"%d" % epoch, b"%d" % buckets, key_check]
        """Reply to `HEAD_COMMAND` while this is the dataset in force."""
        self._marker = layout.marker_value(epoch)
        self._template = _template(epoch)

    def commands(self, callee_hash: bytes, operator: int, purpose: int) -> bytes:
        """The three commands. `callee_hash`: 8 bytes; `operator` 0..65535, `purpose` 0..255 (0: none)."""
        # layout.bucket_of, refusal_number and consent_field, written out: this is paid by every call
        bucket = (int.from_bytes(callee_hash[:4], "big") * self.buckets) >> 32
        field = callee_hash[2:]
        refuses_all = layout.MEMBER_BASE + (int.from_bytes(field, "big") << 8)
        return self._template % (
            bucket, field + (operator << 8 | purpose).to_bytes(3, "big"), bucket, refuses_all, refuses_all + purpose,
            bucket, field,
        )  # fmt: skip

    def read(self, consents: Any, refusals: Any, scoped: Any, purpose: int, now: float) -> SubscriberFacts:
        """The facts in the three replies. With no purpose (0) no category is declined.

        Raises NotTheDataset when a marker is not this epoch's, or a reply is an error.
        """
        try:
            consent_marker, consent = consents
            refusal_marker, refuses_all, refuses_category = refusals
            scoped_marker, scope = scoped
            marker = self._marker
            if consent_marker != marker or refusal_marker != 1 or scoped_marker != marker:
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
            wrong = [reply for reply in (consents, refusals, scoped) if isinstance(reply, Exception)]
            raise NotTheDataset(str(wrong[0] if wrong else error)) from error


def read_head(reply: Any, key_check: bytes = b"") -> Dataset | None:
    """The dataset named by a reply to `HEAD_COMMAND`; None where it names none. `key_check`: of our own key; b"":
    whatever the head says is taken. Raises OtherKey."""
    try:
        epoch, buckets, found = reply
        dataset = Dataset(int(epoch), int(buckets), found)
    except (TypeError, ValueError):
        return None
    if other_key(found, key_check):
        raise OtherKey(OTHER_KEY_TEXT)
    return dataset


def other_key(found: bytes | None, key_check: bytes) -> bool:
    """Does a head that says `found` prove another key? One without it does not: a projector from before it was there
    wrote it, and the next heartbeat adds it."""
    return bool(key_check) and found is not None and found != key_check


def _template(epoch: int) -> bytes:
    """The commands, with what differs by callee left open: buckets, consent field, members, scoped field."""

    def array(name: bytes, key: bytes, marker: bytes, *slots: bytes) -> bytes:
        fixed = [b"*%d\r\n" % (3 + len(slots))]
        fixed += [b"$%d\r\n%s\r\n" % (len(word), word) for word in (name, key, marker)]
        return b"".join(fixed).replace(b"{000000}", b"{%06x}") + b"".join(slots)

    consent = b"$9\r\n%b\r\n"
    member = b"$18\r\n%d\r\n"
    return (
        array(b"HMGET", layout.consents_key(epoch, 0), layout.MARKER_FIELD, consent)
        + array(b"SMISMEMBER", layout.refusals_key(epoch, 0), layout.marker_member(epoch), member, member)
        + array(b"HMGET", layout.scoped_key(epoch, 0), layout.MARKER_FIELD, b"$6\r\n%b\r\n")
    )
