"""Which dataset is asked, and what becomes of a question when the head names another one."""

from __future__ import annotations

import pytest

from gateway.gate.pseudonym import PseudonymRing
from gateway.store.ports import OTHER_KEY_TEXT
from gateway.store.redis.asked_of import ASK_ANEW, HASH_ANEW, HASH_LATER, AskedOf
from gateway.store.redis.turn import NO_DATA_SET, OTHER_KEY, AnyKey, Turn

RING_KEYS = [b"n" * 32, b"o" * 32]


def asked(asked_of: AskedOf) -> Turn:
    """A turn, sent to the dataset that is asked now."""
    turn = Turn([], 0.0)
    turn.dataset = asked_of.dataset
    return turn


def named(asked_of: AskedOf) -> tuple[int, int]:
    assert asked_of.dataset is not None
    return asked_of.dataset.epoch, asked_of.dataset.buckets


def test_the_same_name_changes_nothing() -> None:
    asked_of = AskedOf(AnyKey(), False)
    assert asked_of.dataset is None
    asked_of.name_again()
    assert asked_of.dataset is None
    asked_of.name(7, 16)
    first = asked_of.dataset
    asked_of.name(7, 16)
    assert asked_of.dataset is first
    asked_of.name(8, 16)
    assert named(asked_of) == (8, 16)
    with pytest.raises(ValueError, match="dataset epoch 0"):
        asked_of.name(0, 16)


def test_another_epoch_is_asked_once() -> None:
    asked_of = AskedOf(AnyKey(), False)
    asked_of.name(7, 16)
    turn = asked(asked_of)
    assert asked_of.follow(turn, [b"8", b"32", None, None], False) == (ASK_ANEW, "")
    assert named(asked_of) == (8, 32)
    turn.repeated = True
    reason, text = asked_of.follow(turn, [b"9", b"32", None, None], False)
    assert (reason, text) == (NO_DATA_SET, "redis holds no valid data: no dataset in force")
    assert named(asked_of) == (8, 32)


@pytest.mark.parametrize("head", [None, [None, None, None, None], [b"x", b"1", None, None], ValueError("LOADING")])
def test_a_head_that_names_nothing(head: object) -> None:
    asked_of = AskedOf(AnyKey(), False)
    asked_of.name(7, 16)
    assert asked_of.follow(asked(asked_of), head, False)[0] == NO_DATA_SET
    assert named(asked_of) == (7, 16)


def test_a_key_we_hold_is_used_from_now_on() -> None:
    ring = PseudonymRing(RING_KEYS)
    new, old = ring.checks
    assert ring.use(old, 7)
    asked_of = AskedOf(ring, False)
    asked_of.name(7, 16)
    assert asked_of.follow(asked(asked_of), [b"8", b"16", new, None], False) == (HASH_ANEW, "")
    assert (ring.check, named(asked_of)) == (new, (8, 16))


def test_a_key_we_do_not_hold() -> None:
    asked_of = AskedOf(PseudonymRing(RING_KEYS), False)
    asked_of.name(7, 16)
    assert asked_of.follow(asked(asked_of), [b"8", b"16", b"1" * 16, None], False) == (OTHER_KEY, OTHER_KEY_TEXT)
    assert named(asked_of) == (7, 16)


@pytest.mark.parametrize(
    ("clustered", "late", "expected"),
    [(True, False, HASH_LATER), (True, True, OTHER_KEY), (False, False, OTHER_KEY)],
)
def test_a_master_that_is_yet_to_be_switched(clustered: bool, late: bool, expected: str) -> None:
    ring = PseudonymRing(RING_KEYS)
    new, old = ring.checks
    assert ring.use(old, 7) and ring.use(new, 8)
    asked_of = AskedOf(ring, clustered)
    asked_of.name(8, 16)
    what, _ = asked_of.follow(asked(asked_of), [b"7", b"16", old, None], late)
    assert (what, ring.check) == (expected, new)
