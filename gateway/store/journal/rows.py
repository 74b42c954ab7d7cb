"""What a reader of a journal hands out and gets back: rows, positions, and what can be wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from gateway.store.journal.lines import GENESIS


class JournalBroken(Exception):
    """The journal does not go on where it was left: altered, cut or exchanged. Somebody must look."""


class JournalForeign(JournalBroken):
    """The journal is another one than the one the position was taken from."""


class JournalRow(NamedTuple):
    """One record, or a gap that somebody put on record (`gaps.Gap` as JSON, numbered as the last record in it)."""

    seq: int
    payload: bytes
    chain: bytes
    """Chain after it, 32 hex digits."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where to go on: byte `offset` in `segment`, after record `seq` with its `chain`. All nought: the beginning."""

    segment: int = 0
    offset: int = 0
    seq: int = 0
    chain: bytes = GENESIS
