from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.gate import seal
from gateway.gate.seal import Sealer, SealError, sealed_with

KEY = b"k" * 32


@given(st.binary(max_size=2_000))
def test_what_is_sealed_opens_again(data: bytes) -> None:
    sealed = Sealer(1, KEY).seal(data)
    assert Sealer(1, KEY).open(sealed) == data


def test_a_dict_is_json() -> None:
    sealer = Sealer(1, KEY)
    assert msgspec.json.decode(sealer.open(sealer.seal({"callee": "+8613800138000"}))) == {"callee": "+8613800138000"}


def test_nothing_shows_and_nothing_repeats() -> None:
    sealer = Sealer(1, KEY)
    texts = {sealer.seal(b"+8613800138000") for _ in range(1_000)}
    assert len(texts) == 1_000
    assert not any(b"13800138000" in base64.b64decode(text) for text in texts)


def test_no_two_threads_get_one_nonce(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "TEXTS_PER_SALT", 700)
    sealer = Sealer(1, KEY)
    with ThreadPoolExecutor(4) as pool:
        texts = list(pool.map(lambda _: sealer.seal(b"x"), range(4_000)))
    assert len({base64.b64decode(text)[2:30] for text in texts}) == 4_000, "salt and nonce"
    assert all(Sealer(1, KEY).open(text) == b"x" for text in texts[::100])


def test_every_altered_byte_is_seen() -> None:
    sealer = Sealer(1, KEY)
    raw = base64.b64decode(sealer.seal(b"content"))
    for at in range(len(raw)):
        altered = bytearray(raw)
        altered[at] ^= 1
        with pytest.raises(SealError):
            sealer.open(base64.b64encode(altered).decode())


@given(st.one_of(st.text(max_size=200), st.binary(max_size=100).map(lambda raw: base64.b64encode(raw).decode())))
def test_anything_else_is_a_seal_error(text: str) -> None:
    with pytest.raises(SealError):
        Sealer(1, KEY).open(text)


def test_older_keys_open_and_do_not_seal() -> None:
    old = Sealer(1, KEY).seal(b"old")
    sealer = Sealer(2, b"n" * 32, {1: KEY})
    assert sealer.open(old) == b"old"
    assert base64.b64decode(sealer.seal(b"new"))[1] == 2
    with pytest.raises(SealError, match="key 1, which is not in the key file"):
        Sealer(2, b"n" * 32).open(old)
    with pytest.raises(SealError, match="altered"):
        Sealer(1, b"n" * 32).open(old)


def test_a_new_salt_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "TEXTS_PER_SALT", 10)
    sealer = Sealer(1, KEY)
    texts = [sealer.seal(b"x") for _ in range(30)]
    assert len({base64.b64decode(text)[2:18] for text in texts}) == 3
    assert all(Sealer(1, KEY).open(text) == b"x" for text in texts)


def test_derived_keys_are_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "MAX_CIPHERS", 5)
    opener = Sealer(1, KEY)
    for _ in range(20):
        opener.open(Sealer(1, KEY).seal(b"x"))
    assert len(opener._ciphers) <= 5


@pytest.mark.parametrize(("key_id", "key"), [(0, KEY), (256, KEY), (1, b"short")])
def test_bad_keys(key_id: int, key: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Sealer(key_id, key)


def test_a_text_says_which_key_sealed_it() -> None:
    sealer = Sealer(1, KEY)
    old = sealer.seal(b"x")
    sealer.renew(200, b"n" * 32, {1: KEY})
    new = sealer.seal(b"x")
    assert (sealed_with(old), sealed_with(new)) == (1, 200)
    assert sealer.open(old) == sealer.open(new) == b"x"
    for text in ("", "x", "////", "+8613800138000"):
        with pytest.raises(SealError):
            sealed_with(text)
    with pytest.raises(ValueError, match="32 bytes"):
        sealer.renew(1, b"short")
    assert sealer.open(sealer.seal(b"y")) == b"y", "the keys stay as they were"
