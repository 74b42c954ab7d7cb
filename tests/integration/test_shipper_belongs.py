"""A checkpoint and a journal that do not belong together are told apart, and told clearly."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from gateway.control.shipper import Shipper
from gateway.store.sql.verify import verify_evidence
from tests.support.database import stored
from tests.support.journals import NOW, decision, fill, open_at, segments, write


def other_journal(directory: Path, records: int, segment_bytes: int = 1 << 20) -> None:
    writer, _ = open_at(directory, segment_bytes=segment_bytes)
    for number in range(1, records + 1):
        write(writer, decision(number, at=NOW + 1.0))
    writer.close()


@pytest.mark.parametrize(
    ("before", "records", "segment_bytes", "words"),
    [
        ((5, 1 << 20), 10, 1 << 20, r"but here 00000001.jnl has chain [0-9a-f]{32} there"),
        ((5, 1 << 20), 2, 1 << 20, r"but here 00000001.jnl ends before that"),
        ((30, 1_500), 2, 1 << 20, r"but here the journal ends with segment 1\."),
        ((30, 1_500), 20, 1_500, r"but here the journal ends with segment \d\."),
        ((30, 1_500), 40, 1_500, r"but here 000000\d\d.jnl has chain [0-9a-f]{32} there"),
    ],
)
async def test_another_journal_under_the_same_name(
    engine: AsyncEngine, tmp_path: Path, before: tuple[int, int], records: int, segment_bytes: int, words: str
) -> None:
    """A new state directory, an old database: what was shipped as this name is not what is here."""
    shipped, size = before
    fill(tmp_path / "a" / "n-0", shipped, segment_bytes=size)
    await Shipper(tmp_path / "a", engine).ship_all()
    other_journal(tmp_path / "b" / "n-0", records, segment_bytes)
    fill(tmp_path / "b" / "n-1", 3)
    paths = segments(tmp_path / "b" / "n-0")
    for path in paths:
        os.utime(path, (10, 10))
    shipper = Shipper(tmp_path / "b", engine)
    with capture_logs() as logs:
        for _ in range(3):
            await shipper.ship_all()
    problem = shipper.problems()["n-0"]
    assert re.search(words, problem), problem
    assert f"{tmp_path / 'b' / 'n-0'} is not the journal that was shipped as n-0" in problem
    assert f"PostgreSQL has record {shipped} " in problem and "rename this directory to a name never used" in problem
    assert [line["event"] for line in logs] == ["journal is not shipped"]
    assert segments(tmp_path / "b" / "n-0") == paths
    assert await stored(engine) == [("n-0", seq) for seq in range(1, shipped + 1)] + [("n-1", n) for n in (1, 2, 3)]
    # The message's advice.
    (tmp_path / "b" / "n-0").rename(tmp_path / "b" / "n-0-second")
    assert await Shipper(tmp_path / "b", engine).ship_all() == records
    assert [(found.journal, found.problem) for found in await verify_evidence(engine)] == [
        ("n-0", ""),
        ("n-0-second", ""),
        ("n-1", ""),
    ]


async def test_a_directory_of_another_node_names_it(engine: AsyncEngine, tmp_path: Path) -> None:
    fill(tmp_path / "a" / "n-0", 5)
    await Shipper(tmp_path / "a", engine).ship_all()
    other_journal(tmp_path / "m-3", 9)
    (tmp_path / "b").mkdir()
    (tmp_path / "m-3").rename(tmp_path / "b" / "n-0")
    shipper = Shipper(tmp_path / "b", engine)
    await shipper.ship_all()
    assert "and is a segment of journal m-3" in shipper.problems()["n-0"]


async def test_a_journal_not_begun_yet_is_compared_when_it_is(engine: AsyncEngine, tmp_path: Path) -> None:
    """The shipper is up before the worker."""
    fill(tmp_path / "a" / "n-0", 5)
    await Shipper(tmp_path / "a", engine).ship_all()
    (tmp_path / "b" / "n-0").mkdir(parents=True)
    shipper = Shipper(tmp_path / "b", engine)
    assert await shipper.ship_all() == 0 and not shipper.problems()
    other_journal(tmp_path / "b" / "n-0", 1)
    await shipper.ship_all()
    assert "is not the journal that was shipped" in shipper.problems()["n-0"]


async def test_its_own_journal_is_known_wherever_the_checkpoint_stands(engine: AsyncEngine, tmp_path: Path) -> None:
    """At the beginning, in the middle and at the end of a segment, and just behind a header."""
    writer, _ = open_at(tmp_path / "n-0", segment_bytes=900)
    for number in range(1, 12):
        write(writer, decision(number))
        shipper = Shipper(tmp_path, engine)
        assert await shipper.ship_all() == 1
        assert await Shipper(tmp_path, engine).ship_all() == 0
        assert not shipper.problems()
    writer.close()
    writer, _ = open_at(tmp_path / "n-0", segment_bytes=1)
    for number in range(12, 15):
        write(writer, decision(number))
        assert await Shipper(tmp_path, engine).ship_all() == 1
    writer.close()
    for path in segments(tmp_path / "n-0"):
        os.utime(path, (10, 10))
    shipper = Shipper(tmp_path, engine)
    await shipper.ship_all()
    assert not shipper.problems() and len(segments(tmp_path / "n-0")) == 1
