"""Changes of the key file: in one step, private, never half a ring; and seen by who holds it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.first_keys import ensure_keys
from gateway.gate.pseudonym import Pseudonymizer
from gateway.key_ring import KeyFile, with_new_keys, without, write
from gateway.keys import MAX_RING, VARIABLE, Key, KeysError, encode, generate, load, load_or_create
from gateway.settings import Settings


def test_new_keys_come_first_and_the_old_ones_stay() -> None:
    old = generate()
    new = with_new_keys(old)
    assert new.cookies == old.cookies
    assert [key.id for key in new.pseudonyms] == [key.id for key in new.seals] == [2, 1]
    assert (new.pseudonyms[1:], new.seals[1:], new.seal_id) == (old.pseudonyms, old.seals, 2)
    assert new.pseudonym not in (old.pseudonym, new.seal)
    assert new.lasting == old.lasting == old.pseudonym, "derived ids stay"


def test_ids_are_used_again_when_they_are_through() -> None:
    ring = (Key(255, b"n" * 32), Key(1, b"o" * 32))
    assert [key.id for key in with_new_keys(replace(generate(), seals=ring)).seals] == [2, 255, 1]


def test_a_full_ring_is_told() -> None:
    keys = generate()
    for _ in range(MAX_RING - 1):
        keys = with_new_keys(keys)
    with pytest.raises(KeysError, match=f"pseudonym: the ring holds {MAX_RING} keys: retire one first"):
        with_new_keys(keys)


def test_one_is_taken_out() -> None:
    keys = with_new_keys(generate())
    assert without(keys, 1, 0) == replace(keys, pseudonyms=keys.pseudonyms[:1])
    assert without(keys, 0, 1) == replace(keys, seals=keys.seals[:1])


def test_written_in_one_step_and_private(tmp_path: Path) -> None:
    path, link = tmp_path / "real" / "keys.json", tmp_path / "keys.json"
    path.parent.mkdir()
    keys = with_new_keys(load_or_create(path))
    link.symlink_to(path)
    before = path.stat().st_ino
    write(link, keys)
    assert load(link) == load(path) == keys
    assert path.stat().st_mode & 0o777 == 0o600 and path.stat().st_ino != before
    assert link.is_symlink() and os.listdir(path.parent) == ["keys.json"]


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KeysError, match="make its directory writable"):
        write(tmp_path / "nowhere" / "keys.json", generate())


def test_a_change_is_seen_once(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    keys = load_or_create(path)
    watched = KeyFile(path)
    assert watched.keys() == keys
    assert watched.changed() is None
    longer = with_new_keys(keys)
    write(path, longer)
    assert watched.changed() == longer
    assert watched.changed() is None and watched.keys() == longer
    write(path, longer)
    assert watched.changed() is None, "another file, the same keys"
    path.write_bytes(b"{")
    with pytest.raises(KeysError):
        watched.changed()
    assert watched.changed() is None, "told once"
    path.unlink()
    assert watched.changed() is None


def test_a_check_proves_a_key() -> None:
    keys = with_new_keys(generate())
    assert keys.pseudonyms[0].check == Pseudonymizer(keys.pseudonym).hash("callgate key check")
    older = keys.using(keys.pseudonyms[1].check)
    assert older is not None and older.pseudonym == keys.pseudonyms[1].secret
    assert older.lasting == keys.lasting and older.seals == keys.seals
    assert keys.using(bytes(8)) is None


def test_keys_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = generate()
    monkeypatch.setenv(VARIABLE, encode(keys).decode())
    path = tmp_path / "keys.json"
    (tmp_path / "postgres").mkdir()
    settings = Settings()
    settings = replace(settings, node=replace(settings.node, state_dir=str(tmp_path)))
    assert load(path) == load_or_create(path) == ensure_keys(settings) == keys
    assert not path.exists()
    assert KeyFile(path).keys() == keys and KeyFile(path, keys).changed() is None
    with pytest.raises(KeysError, match=f"{VARIABLE} is set: the keys come by the environment"):
        write(path, keys)
    monkeypatch.setenv(VARIABLE, "{}")
    with pytest.raises(KeysError, match=f"{VARIABLE}: .*missing required field"):
        load(path)
