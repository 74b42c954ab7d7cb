from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.registry.model import Snapshot
from gateway.store.redis.lastgood import FILE_NAME, PAGES, load_last_good
from tests.support.kept import keep
from tests.unit.registry.example import number_range


def test_kept_and_found(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    assert load_last_good(path) is None
    for version in (1, 2):
        keep(path, Snapshot(version))
        assert version_at(path) == version
    assert os.listdir(tmp_path) == [FILE_NAME]


def version_at(path: Path) -> int:
    kept = load_last_good(path)
    return kept.snapshot.version if kept else 0


def test_pages_lie_beside_it_and_stay_while_they_are_named(tmp_path: Path) -> None:
    path, pages = tmp_path / FILE_NAME, tmp_path / (FILE_NAME + PAGES)
    first = Snapshot(1, ranges=(number_range("+8657112340000", "+8657112349999"),))
    keep(path, first)
    (old,) = pages.iterdir()
    keep(path, Snapshot(2, ranges=(number_range("95588", "95588"),)))
    assert len(list(pages.iterdir())) == 2  # another worker may be a version behind
    os.utime(old, (0, 0))
    keep(path, Snapshot(3, ranges=(number_range("95588", "95588"),)))
    assert old not in pages.iterdir()
    kept = load_last_good(path)
    assert kept is not None and kept.ranges.find("95588") and not kept.ranges.find("+8657112340001")


@pytest.mark.parametrize("content", [None, b"", b"else"])
def test_a_damaged_or_missing_page_counts_as_damage(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / FILE_NAME
    keep(path, Snapshot(1, ranges=(number_range("95588", "95588"),)))
    (page,) = (tmp_path / (FILE_NAME + PAGES)).iterdir()
    page.unlink() if content is None else page.write_bytes(content)
    assert load_last_good(path) is None
    assert (tmp_path / (FILE_NAME + ".damaged")).exists()


@pytest.mark.parametrize("size", [0, 10, 33, 60])
def test_a_damaged_file_is_set_aside(tmp_path: Path, size: int) -> None:
    path = tmp_path / FILE_NAME
    keep(path, Snapshot(1))
    path.write_bytes(path.read_bytes()[:size])
    assert load_last_good(path) is None
    assert os.listdir(tmp_path) == [FILE_NAME + ".damaged"]


def test_a_failed_save_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / FILE_NAME
    keep(path, Snapshot(1))

    def full(fd: int) -> None:
        raise OSError(28, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError):
        keep(path, Snapshot(2))
    assert version_at(path) == 1
    assert os.listdir(tmp_path) == [FILE_NAME]
