"""Records made, written with one commit, kept while the disk is full; floods folded; one end per call."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gateway.gate import evidence as evidence_module
from gateway.gate.evidence import FLOOD_LIMIT, RETRY_S, Evidence
from gateway.gate.records import EndRecord, FloodRecord, OutcomeRecord, RestartRecord
from gateway.store.journal.reader import JournalReader, Position
from tests.support.journals import decision, open_at
from tests.unit.gate.calls import AT
from tests.unit.gate.house import MemoryJournal

SECOND = int(AT)


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


@pytest.fixture
def evidence(journal: MemoryJournal) -> Evidence:
    return Evidence(journal)


def flood(evidence: Evidence, count: int, source: str = "127.0.0.2", rule: str = "purpose", at: float = AT) -> int:
    """Refusals; how many of them were folded."""
    return sum(evidence.flooded(source, "cc-alpha", rule, 403, at) for _ in range(count))


# -- commit --------------------------------------------------------------------------------------------------------


def test_everything_of_a_turn_is_one_write(evidence: Evidence, journal: MemoryJournal) -> None:
    evidence.outcome("a" * 32, AT, "answered", 200, "127.0.0.9:5060")
    evidence.decision(evidence.encode(decision(1)))
    evidence.decision(evidence.encode(decision(2)))
    assert evidence.commit(AT)
    assert journal.commits == 1
    assert [record.id for record in journal.decisions()] == [f"{1:032x}", f"{2:032x}"]
    assert journal.records()[2] == OutcomeRecord("a" * 32, SECOND * 1_000_000, "answered", 200, "127.0.0.9:5060")


def test_a_turn_is_idle_only_where_commit_has_nothing_to_do(evidence: Evidence) -> None:
    assert evidence.idle
    evidence.decision(evidence.encode(decision(1)))
    assert not evidence.idle
    assert evidence.commit(AT)
    assert evidence.idle
    evidence.outcome("a" * 32, AT, "answered", 200, "127.0.0.9:5060")
    assert not evidence.idle
    assert evidence.commit(AT)
    assert flood(evidence, FLOOD_LIMIT + 1) == 1
    assert not evidence.idle, "the folded refusals are owed a record once their second is over"
    assert evidence.commit(AT + 1)
    assert evidence.idle
    evidence.unrecorded("127.0.0.2", "cc-alpha", "purpose", 403)
    assert not evidence.idle


def test_nothing_to_write_is_no_write(evidence: Evidence, journal: MemoryJournal) -> None:
    assert evidence.commit(AT)
    assert journal.commits == 0


def test_what_a_real_journal_holds(tmp_path: Path) -> None:
    writer, _ = open_at(tmp_path / "j")
    evidence = Evidence(writer)
    evidence.keep(evidence.encode(RestartRecord(1, "n")))
    evidence.decision(evidence.encode(decision(1)))
    assert evidence.commit(AT)
    writer.close()
    rows, _ = JournalReader(tmp_path / "j").read(Position(), 10)
    kinds = [msgspec.json.decode(row.payload)["kind"] for row in rows]
    assert kinds == ["decision", "restart"]


# -- a disk that takes nothing -------------------------------------------------------------------------------------


def test_decisions_are_forgotten_and_the_rest_is_kept(evidence: Evidence, journal: MemoryJournal) -> None:
    journal.full = True
    evidence.decision(evidence.encode(decision(1)))
    evidence.outcome("a" * 32, AT, "failed", 486, "")
    assert not evidence.commit(AT)
    assert (evidence.kept, evidence.failed_commits) == (1, 1)
    journal.full = False
    assert evidence.commit(AT + RETRY_S)
    assert [type(record) for record in journal.records()] == [OutcomeRecord]
    assert evidence.kept == 0


def test_what_is_kept_is_tried_again_once_a_second(evidence: Evidence, journal: MemoryJournal) -> None:
    journal.full = True
    evidence.outcome("a" * 32, AT, "failed", 486, "")
    assert not evidence.commit(AT)
    assert evidence.commit(AT + RETRY_S / 2), "nothing of this turn is lost"
    assert journal.commits == 1, "the queue may be long: not at every turn"
    assert not evidence.commit(AT + RETRY_S)
    assert journal.commits == 2


def test_decisions_do_not_wait_for_what_is_kept(evidence: Evidence, journal: MemoryJournal) -> None:
    journal.full = True
    evidence.outcome("a" * 32, AT, "failed", 486, "")
    evidence.commit(AT)
    journal.full = False
    evidence.decision(evidence.encode(decision(1)))
    assert evidence.commit(AT + RETRY_S / 2)
    assert (len(journal.decisions()), evidence.kept) == (1, 1)
    assert evidence.commit(AT + RETRY_S)
    assert (len(journal.lines), evidence.kept) == (2, 0)


def test_a_clock_that_is_set_back_does_not_stretch_the_pause(evidence: Evidence, journal: MemoryJournal) -> None:
    journal.full = True
    evidence.outcome("a" * 32, AT, "failed", 486, "")
    evidence.commit(AT)
    journal.full = False
    assert evidence.commit(AT - 3_600)
    assert (len(journal.lines), evidence.kept) == (1, 0)


def test_what_is_kept_is_bounded_and_the_oldest_are_given_up(
    evidence: Evidence, journal: MemoryJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence_module, "MAX_KEPT", 3)
    for number in range(5):
        evidence.outcome(f"{number}", AT, "failed", 486, "")
    assert (evidence.kept, evidence.given_up) == (3, 2)
    evidence.commit(AT)
    assert [record.id for record in journal.records()] == ["2", "3", "4"]  # type: ignore[union-attr]


def test_flush_waits_for_nothing(evidence: Evidence, journal: MemoryJournal) -> None:
    journal.full = True
    evidence.outcome("a" * 32, AT, "failed", 486, "")
    evidence.commit(AT)
    flood(evidence, FLOOD_LIMIT + 7)
    journal.full = False
    assert evidence.flush(AT + 0.1)
    outcome, folded = journal.records()
    assert isinstance(outcome, OutcomeRecord)
    assert isinstance(folded, FloodRecord)
    assert folded.count == 7
    assert evidence.flush(AT + 0.2)
    assert len(journal.lines) == 2, "nothing twice"


# -- ends ----------------------------------------------------------------------------------------------------------


def test_one_end_record_for_crossed_and_repeated_byes(evidence: Evidence, journal: MemoryJournal) -> None:
    assert evidence.ended("a" * 32, AT + 0.25, "core", "Q.850;cause=16")
    assert not evidence.ended("a" * 32, AT + 1, "access", "")
    assert not evidence.ended("a" * 32, AT + 2, "core", "Q.850;cause=16")
    evidence.commit(AT)
    assert journal.records() == [EndRecord("a" * 32, SECOND * 1_000_000 + 250_000, "core", "Q.850;cause=16")]


def test_an_end_from_before_the_restart_is_not_recorded_again(evidence: Evidence) -> None:
    evidence.note_ended("a" * 32)
    assert not evidence.ended("a" * 32, AT, "core", "")
    assert evidence.kept == 0


def test_remembered_ends_are_bounded_and_the_newest_stay(
    journal: MemoryJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence_module, "MAX_ENDED", 64)
    evidence = Evidence(journal)
    for number in range(1_000):
        evidence.ended(f"{number}", AT, "core", "")
    assert not evidence.ended("999", AT, "core", "")
    assert sum(evidence.is_ended(f"{number}") for number in range(1_000)) <= 128


# -- floods --------------------------------------------------------------------------------------------------------


def test_what_exceeds_the_limit_is_folded_per_source_rule_and_second(
    evidence: Evidence, journal: MemoryJournal
) -> None:
    assert flood(evidence, FLOOD_LIMIT) == 0
    assert flood(evidence, 3) == 3
    assert flood(evidence, 3, rule="callee-refused") == 0, "another rule"
    assert flood(evidence, 3, source="127.0.0.3") == 0, "another source"
    assert evidence.commit(AT + 0.5)
    assert journal.lines == [], "the second is not over"
    assert evidence.commit(AT + 1)
    (record,) = journal.records()
    assert record == FloodRecord(SECOND * 1_000_000, "127.0.0.2", "cc-alpha", "purpose", 403, 3)


def test_every_second_counts_anew(evidence: Evidence, journal: MemoryJournal) -> None:
    assert flood(evidence, FLOOD_LIMIT + 2) == 2
    assert flood(evidence, FLOOD_LIMIT + 4, at=AT + 1) == 4
    evidence.commit(AT + 2)
    assert [(record.at, record.count) for record in journal.records()] == [  # type: ignore[union-attr]
        (SECOND * 1_000_000, 2),
        ((SECOND + 1) * 1_000_000, 4),
    ]


def test_more_sources_than_can_be_counted_share_one_record(
    evidence: Evidence, journal: MemoryJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence_module, "MAX_FLOOD_KEYS", 2)
    monkeypatch.setattr(evidence_module, "FLOOD_LIMIT", 1)
    folded = [evidence.flooded(f"10.0.0.{n}", "cc-alpha", "purpose", 403, AT) for n in range(5)]
    assert folded == [False, False, False, True, True]
    assert evidence.flooded("10.0.0.0", "cc-alpha", "purpose", 403, AT), "the first ones keep their own count"
    evidence.commit(AT + 1)
    counts = {record.source: record.count for record in journal.records()}  # type: ignore[union-attr]
    assert counts == {"": 2, "10.0.0.0": 1}
