from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.registry.model import Snapshot
from gateway.store.redis.lastgood import FILE_NAME, load_last_good, save_last_good
from gateway.store.redis.layout import encode_snapshot


def test_kept_and_found(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    assert load_last_good(path) is None
    for version in (1, 2):
        save_last_good(path, encode_snapshot(Snapshot(version)))
        assert load_last_good(path) == Snapshot(version)
    assert os.listdir(tmp_path) == [FILE_NAME]


@pytest.mark.parametrize("size", [0, 10, 33, 60])
def test_a_damaged_file_is_set_aside(tmp_path: Path, size: int) -> None:
    path = tmp_path / FILE_NAME
    save_last_good(path, encode_snapshot(Snapshot(1)))
    path.write_bytes(path.read_bytes()[:size])
    assert load_last_good(path) is None
    assert os.listdir(tmp_path) == [FILE_NAME + ".damaged"]


def test_a_failed_save_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / FILE_NAME
    save_last_good(path, encode_snapshot(Snapshot(1)))

    def full(fd: int) -> None:
        raise OSError(28, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError):
        save_last_good(path, encode_snapshot(Snapshot(2)))
    assert load_last_good(path) == Snapshot(1)
    assert os.listdir(tmp_path) == [FILE_NAME]
