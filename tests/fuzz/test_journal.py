"""Whatever is written, cut and reopened in whatever order: committed records stay, the chain holds."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gateway.store.journal.reader import JournalReader, Position
from gateway.store.journal.tail import find_end
from gateway.store.journal.verify import verify
from tests.support.journals import open_at, segments

payloads = st.binary(max_size=300).map(lambda raw: raw.replace(b"\n", b""))
batches = st.lists(st.lists(payloads, min_size=1, max_size=5), max_size=8)
tails = st.one_of(st.just(b""), st.binary(max_size=200), st.just(b"\0" * 4096), st.just(b"{}\t" + b"0" * 32))


@given(st.lists(st.tuples(batches, tails), min_size=1, max_size=4), st.integers(100, 2_000))
def test_crashes_between_batches(lives: list[tuple[list[list[bytes]], bytes]], segment_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        journal = Path(directory) / "n-0"
        written: list[bytes] = []
        for life, tail in lives:
            writer, recovery = open_at(journal, segment_bytes=segment_bytes)
            assert recovery.records == len(written)
            for batch in life:
                for payload in batch:
                    writer.append(payload)
                writer.commit()
                written += batch
            head = writer.head
            writer.close()
            with open(segments(journal)[-1], "ab") as file:
                file.write(tail)
        _, torn = find_end(journal)
        assert torn == len(tail)
        report = verify(journal, (len(written), head))
        assert report.ok and report.records == len(written), report.problems
        rows, position = JournalReader(journal).read(Position(), 10_000)
        assert [row.payload for row in rows] == written
        assert position.seq == len(written) == JournalReader(journal).last_record()


@given(st.binary(max_size=2_000))
def test_any_file_opens(content: bytes) -> None:
    """A segment with anything in it: the journal opens, what is written next is found again."""
    with tempfile.TemporaryDirectory() as directory:
        journal = Path(directory) / "n-0"
        journal.mkdir()
        (journal / "00000001.jnl").write_bytes(content)
        writer, _ = open_at(journal)
        writer.append(b"{}")
        writer.commit()
        records = writer.records
        writer.close()
        verify(journal)
        assert JournalReader(journal).last_record() == records
