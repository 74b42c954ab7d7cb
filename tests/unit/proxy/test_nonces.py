"""Nonces: ours, for one source, for a while, each count once."""

from __future__ import annotations

import random

import pytest

from gateway.proxy import nonces as module
from gateway.proxy.nonces import LIFETIME_S, WINDOW, Nonces

NOW = 1_800_000_000.0
SOURCE, REALM = b"127.0.0.2:5060", b"callgate"


def live(nonces: Nonces, nonce: bytes, now: float = NOW, source: bytes = SOURCE, realm: bytes = REALM) -> bool:
    return nonces.is_live(nonce, now, source, realm)


def test_a_nonce_serves_its_source_and_realm_for_its_life() -> None:
    nonces = Nonces(b"secret")
    nonce = nonces.make(NOW, SOURCE, REALM)
    assert live(nonces, nonce)
    assert live(nonces, nonce, NOW + LIFETIME_S - 1)
    assert not live(nonces, nonce, NOW + LIFETIME_S + 1)
    assert not live(nonces, nonce, NOW - 10)
    assert not live(nonces, nonce, source=b"127.0.0.2:5061")
    assert not live(nonces, nonce, realm=b"other")
    assert not live(Nonces(b"another process"), nonce)
    assert len(nonces) == 0, "nothing is kept for who only asks"


def test_nonces_of_one_moment_differ() -> None:
    nonces = Nonces(b"secret")
    assert len({nonces.make(NOW, SOURCE, REALM) for _ in range(1000)}) == 1000


def test_anything_else_is_not_ours() -> None:
    nonces = Nonces(b"secret")
    nonce = nonces.make(NOW, SOURCE, REALM)
    for at in range(len(nonce)):
        for octet in (nonce[at] ^ 1, 0x3D, 0xFF):
            forged = nonce[:at] + bytes((octet,)) + nonce[at + 1 :]
            assert forged == nonce or not live(nonces, forged)
    for other in (b"", b"=", b"abc", nonce[:-1], nonce + b"=", nonce + b"\n", nonce * 2, b"x" * 10_000, b"\xff" * 32):
        assert not live(nonces, other)


def test_each_count_is_taken_once_in_any_order() -> None:
    nonces = Nonces(b"secret")
    nonce = nonces.make(NOW, SOURCE, REALM)
    draw = random.Random(7)
    counts = list(range(1, 500))
    for start in range(0, 480, 30):  # requests overtake each other, within the window
        part = counts[start : start + 30]
        draw.shuffle(part)
        counts[start : start + 30] = part
    assert all(nonces.use(nonce, count, NOW) for count in counts)
    assert not any(nonces.use(nonce, count, NOW) for count in counts)


def test_counts_below_the_window_and_no_counts_are_refused() -> None:
    nonces = Nonces(b"secret")
    nonce = nonces.make(NOW, SOURCE, REALM)
    assert nonces.use(nonce, 1000, NOW)
    assert nonces.use(nonce, 1000 - WINDOW + 1, NOW)
    assert not nonces.use(nonce, 1000 - WINDOW, NOW)
    assert not nonces.use(nonce, 0, NOW)
    assert nonces.use(nonce, 2**32 - 1, NOW), "a leap is no reason for more work"
    assert not nonces.use(nonce, 1000, NOW)
    assert not nonces.use(nonce, 2**32 - 1, NOW)


def test_counts_of_old_nonces_are_forgotten() -> None:
    nonces = Nonces(b"secret")
    for second in range(200):
        now = NOW + second
        assert nonces.use(nonces.make(now, SOURCE, REALM), 1, now)
    assert len(nonces) <= LIFETIME_S + 2


def test_a_full_table_makes_the_oldest_stale_never_usable_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_NONCES", 3)
    nonces = Nonces(b"secret")
    made = [nonces.make(NOW + step, SOURCE, REALM) for step in range(4)]
    unused = nonces.make(NOW, SOURCE, REALM)
    for nonce in made:
        assert nonces.use(nonce, 1, NOW + 4)
    assert len(nonces) == 3
    assert not live(nonces, made[0], NOW + 4), "its counts are gone, so it must not serve again"
    assert not live(nonces, unused, NOW + 4)
    assert all(live(nonces, nonce, NOW + 4) for nonce in made[1:])
    assert not nonces.use(made[1], 1, NOW + 4)
