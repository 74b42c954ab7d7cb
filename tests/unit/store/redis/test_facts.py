"""The commands of a lookup and the meaning of the replies, without a server."""

from __future__ import annotations

from typing import Any

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.ports import ScopedRefusal, SubscriberFacts
from gateway.store.redis import layout
from gateway.store.redis.address import command
from gateway.store.redis.facts import Dataset, Elsewhere, NotTheDataset, other_key, read_head

CALLEE = bytes(range(8))


@given(
    st.binary(min_size=8, max_size=8), st.integers(0, 65_535), st.integers(0, 255), st.integers(1, 10**9),
    st.integers(1, layout.MAX_BUCKETS),
)  # fmt: skip
def test_the_template_makes_what_the_layout_says(
    callee: bytes, operator: int, purpose: int, epoch: int, buckets: int
) -> None:
    bucket = layout.bucket_of(callee, buckets)
    assert Dataset(epoch, buckets).commands(callee, operator, purpose) == (
        command(
            b"HMGET", layout.consents_key(epoch, bucket), layout.MARKER_FIELD,
            layout.consent_field(callee, operator, purpose), layout.scoped_field(callee),
        )
        + command(
            b"SMISMEMBER", layout.refusals_key(epoch, bucket), layout.marker_member(epoch),
            layout.refusal_member(callee), layout.refusal_member(callee, purpose),
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("consents", "refusals", "facts"),
    [
        ([b"7", b"0", None], [1, 0, 0], SubscriberFacts("live")),
        ([b"7", None, None], [1, 0, 0], SubscriberFacts("none")),
        ([b"7", b"-5", None], [1, 0, 0], SubscriberFacts("revoked")),
        ([b"7", b"50", None], [1, 0, 0], SubscriberFacts("expired")),
        ([b"7", b"0", None], [1, 1, 0], SubscriberFacts("live", refuses_all=True)),
        ([b"7", b"0", None], [1, 0, 1], SubscriberFacts("live", refuses_category=True)),
        (
            [b"7", b"0", b"oalpha"], [1, 0, 0],
            SubscriberFacts("live", scoped=(ScopedRefusal("operator", "alpha"),)),
        ),
    ],
)  # fmt: skip
def test_replies(consents: list[Any], refusals: list[Any], facts: SubscriberFacts) -> None:
    assert Dataset(7, 64).read(consents, refusals, 2, 100.0) == facts


def test_without_a_purpose_no_category_is_declined() -> None:
    """Both members are the same then: the scope-`all` one."""
    facts = Dataset(7, 64).read([b"7", None, None], [1, 1, 1], 0, 100.0)
    assert facts.refuses_all and not facts.refuses_category


ERROR = hiredis.ReplyError("LOADING")
MOVED = hiredis.ReplyError("MOVED 16 127.0.0.1:7001")


@pytest.mark.parametrize(
    ("consents", "refusals"),
    [
        ([None, None, None], [1, 0, 0]),
        ([b"7", b"0", None], [0, 0, 0]),
        ([b"6", b"0", None], [1, 0, 0]),
        (ERROR, [1, 0, 0]),
        ([b"7", b"0", None], ERROR),
        (None, None),
        ([b"7", b"0"], [1, 0, 0]),
        ([b"7", b"nonsense", None], [1, 0, 0]),
        ([b"7", b"0", b"{"], [1, 0, 0]),
        (MOVED, [1, 0, 0]),
    ],
)
def test_what_is_not_the_dataset(consents: Any, refusals: Any) -> None:
    with pytest.raises(NotTheDataset) as caught:
        Dataset(7, 64).read(consents, refusals, 2, 100.0)
    assert isinstance(caught.value, Elsewhere) == (consents is MOVED)


@pytest.mark.parametrize(
    "reply",
    [
        *(None, [None] * 4, [b"0", b"64", None, None], [b"7", b"0", None, None], [b"x", b"64", None, None]),
        *(ERROR, 5, [b"7"]),
    ],
)
def test_heads_that_name_nothing(reply: Any) -> None:
    assert read_head(reply) is None


def test_a_head() -> None:
    dataset = read_head([b"7", b"64", None, b"3"])
    assert dataset is not None and (dataset.epoch, dataset.buckets, dataset.head) == (7, 64, [b"7", b"64", None, None])


@pytest.mark.parametrize(("epoch", "buckets"), [(0, 64), (-1, 64), (1, 0), (1, layout.MAX_BUCKETS + 1)])
def test_impossible_datasets(epoch: int, buckets: int) -> None:
    with pytest.raises(ValueError, match="dataset epoch"):
        Dataset(epoch, buckets)


def test_a_head_of_another_key() -> None:
    ours, other = b"0" * 16, b"1" * 16
    dataset = read_head([b"3", b"16", other, None])
    assert dataset is not None and (dataset.head, dataset.key_check) == ([b"3", b"16", other, None], other)
    assert other_key(other, ours)
    assert not other_key(ours, ours)
    assert not other_key(None, ours), "a head from before keys were named"
    assert not other_key(other, b""), "whoever takes any"
