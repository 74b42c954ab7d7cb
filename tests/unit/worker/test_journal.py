"""A journal that cannot be opened refuses what must be recorded, and comes back by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.settings import Node, Settings
from gateway.store.journal.recovery import Recovery
from gateway.worker.journal import WorkerJournal


def journal_in(state: Path, recovered: list[Recovery]) -> WorkerJournal:
    posted: list[Callable[[], object]] = []
    return WorkerJournal(Settings(node=Node(state_dir=str(state))), 0, posted.append, recovered.append)


def test_it_is_opened_later_when_it_cannot_be_opened_now(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.write_text("in the way")
    recovered: list[Recovery] = []
    journal = journal_in(state, recovered)
    assert not journal.open()
    assert journal.trouble and not recovered
    journal.commit()  # nothing to write: nothing to complain about
    journal.append(b"{}")
    with pytest.raises(OSError, match="cannot be opened"):
        journal.commit()
    journal.commit()
    state.unlink()
    journal.check()
    assert not journal.trouble and len(recovered) == 1
    journal.append(b"{}")
    journal.commit()
    assert journal.records == 1 and journal.bytes_written > 0
    journal.close()


def test_a_second_process_on_the_same_journal_is_refused(tmp_path: Path) -> None:
    first, second = journal_in(tmp_path, []), journal_in(tmp_path, [])
    assert first.open() and not second.open()
    assert "another process" in second.trouble
    first.close()
