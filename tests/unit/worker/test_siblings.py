"""What a worker learns from the journals beside its own."""

from __future__ import annotations

from pathlib import Path

from gateway.gate.records import Record
from gateway.settings import Node, Settings
from gateway.store.journal.recovery import Recovery, read_back
from gateway.worker.journal import journal_of
from gateway.worker.siblings import LAST_BYTES, last_decided, leave_to_siblings
from tests.support.journals import NOW, decision, end, open_at, outcome, write


def settings_of(state: Path, workers: int = 3) -> Settings:
    return Settings(node=Node(name="n", state_dir=str(state), workers=workers))


def ident(number: int) -> str:
    return decision(number).id


def test_calls_that_others_went_on_with_are_left_to_them(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    journals: dict[int, list[Record]] = {
        0: [decision(1), outcome(1), decision(2), outcome(2), decision(3), decision(4)],
        1: [end(1, NOW + 5), outcome(3, at=NOW + 6), decision(9, at=NOW + 7)],
    }
    for index, records in journals.items():
        writer, _ = open_at(journal_of(settings, index))
        write(writer, *records)
        writer.close()
    own = Recovery(answered={ident(1): NOW, ident(2): NOW})
    read_back(journal_of(settings, 0), 0, own)
    assert own.open_calls == {ident(3), ident(4)}
    leave_to_siblings(settings, 0, own)
    assert own.open_calls == {ident(4)}, "only what nobody settled is lost"
    assert set(own.answered) == {ident(2)}, "the first has its end record"
    assert own.ended == {ident(1)}
    assert set(own.decided) == {ident(1), ident(2), ident(3), ident(4)}


def test_a_worker_alone_looks_at_its_own_journal_only(tmp_path: Path) -> None:
    own = Recovery(answered={ident(1): NOW})
    leave_to_siblings(settings_of(tmp_path, 1), 0, own)
    assert set(own.answered) == {ident(1)}


def test_the_last_verdicts_of_a_worker_that_died(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    assert last_decided(settings, 1) == {}
    writer, _ = open_at(journal_of(settings, 1))
    write(writer, decision(1), outcome(1), decision(2, "refuse"))
    found = last_decided(settings, 1)  # also while its owner has it locked
    assert {one: verdict for one, (verdict, _, _) in found.items()} == {ident(1): "allow", ident(2): "refuse"}
    many = 4 * LAST_BYTES // 1_000
    write(writer, *(decision(n) for n in range(3, many)))
    writer.close()
    found = last_decided(settings, 1)
    assert ident(many - 1) in found and ident(1) not in found
    assert len(found) > 500
