"""The key file: made once, the same for all, private, and refused with a clear text when it is not right."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import msgspec
import pytest

from gateway.keys import Key, Keys, KeysError, encode, generate, load, load_or_create


def test_made_at_first_start_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "state" / "keys.json"
    keys = load_or_create(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_or_create(path) == keys == load(path)
    assert len({keys.cookies[0].secret, keys.pseudonym, keys.seal}) == 3
    assert os.listdir(path.parent) == ["keys.json"]


def test_processes_that_start_together_get_the_same_keys(tmp_path: Path) -> None:
    found: list[Keys] = []
    gate = threading.Barrier(8)

    def start() -> None:
        gate.wait()
        found.append(load_or_create(tmp_path / "keys.json"))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) == 1


def test_rings_keep_their_order(tmp_path: Path) -> None:
    old = generate()
    keys = Keys(
        (Key(2, b"n" * 32), *old.cookies), (Key(9, b"p" * 32), *old.pseudonyms), (Key(7, b"s" * 32), *old.seals)
    )
    path = tmp_path / "keys.json"
    path.write_bytes(encode(keys))
    path.chmod(0o600)
    assert load(path) == keys
    assert (keys.seal_id, keys.seal, keys.older_seals) == (7, b"s" * 32, {1: old.seal})
    assert dict(keys.cookies)[1] == old.cookies[0].secret


def test_secrets_are_not_shown() -> None:
    keys = generate()
    assert keys.seal.hex() not in repr(keys) and repr(keys.seal) not in repr(keys)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_others_must_not_read_it(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys.json"
    load_or_create(path)
    path.chmod(mode)
    with pytest.raises(KeysError, match="chmod 600"):
        load_or_create(path)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda file: file.pop("seal"), "missing required field `seal`"),
        (lambda file: file.update(extra=1), "unknown field `extra`"),
        (lambda file: file.update(cookie=[]), "cookie: 0 keys"),
        (lambda file: file.update(cookie=[{"id": n, "key": "0" * 64} for n in range(1, 18)]), "17 keys"),
        (lambda file: file["seal"].append(file["seal"][0]), "seal: id 1"),
        (lambda file: file["seal"][0].update(id=0), "id 0"),
        (lambda file: file["seal"][0].update(id=256), "id 256"),
        (lambda file: file["pseudonym"][0].update(key="ab"), "64 hex digits"),
        (lambda file: file["pseudonym"][0].update(key="x" * 64), "64 hex digits"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: object, text: str) -> None:
    path = tmp_path / "keys.json"
    load_or_create(path)
    file = msgspec.json.decode(path.read_bytes())
    change(file)  # type: ignore[operator]
    path.write_bytes(msgspec.json.encode(file))
    with pytest.raises(KeysError, match=text) as caught:
        load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]"])
def test_no_json(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeysError, match="restore it from a copy"):
        load_or_create(path)


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(KeysError, match="key file"):
        load_or_create(tmp_path / "file" / "keys.json")
