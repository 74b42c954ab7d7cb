"""What is looked at when a pack comes beside others: whose calls it takes, and what carriers agreed on."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.control.record import record_of
from gateway.gate.pack import Pack, PackError
from gateway.gate.pack_read import load_pack
from gateway.gate.pack_set import clashes
from gateway.registry.model import Snapshot
from gateway.registry.paper_trunk import other_pack
from gateway.registry.papers import Document
from gateway.store.sql.documents import load_documents

MAX_WARNINGS = 20


def check_beside(pack: Pack, text: str, name: str, state: Snapshot, instead: str) -> None:
    """Raises PackError, with file, line, key, value and fix, for a pack that cannot be in force beside those of `state`
    without `instead`, or that names trunks there are none of."""
    others = [
        load_pack(words, f"pack {other} in force", stored=True)
        for other, words in state.packs.items()
        if other not in (pack.id, instead)
    ]
    found = [
        f"{name}:{line_of(text, '[binds]', key)}: binds.{key}: {problem}" for key, problem in clashes(pack, others)
    ]
    known = {trunk.id for trunk in state.trunks}
    if known:  # an empty registry says nothing: packs come before it
        hint = f"no such trunk: name one of {', '.join(sorted(known)[:MAX_WARNINGS])}"
        found += [
            f"{name}:{line_of(text, '[binds]', 'trunks')}: binds.trunks: {trunk!r}: {hint}"
            for trunk in pack.binds.trunks
            if trunk not in known
        ]
        found += [
            f"{name}:{line_of(text, '[rule.percent]', trunk)}: rule {bound.id}.percent: {trunk!r}: {hint}"
            for bound in pack.rules
            for trunk in bound.percent
            if trunk not in known
        ]
    if found:
        raise PackError([*found, "nothing was changed: the packs in force stay"])


async def not_agreed(
    connection: AsyncConnection, state: Snapshot, pack: Pack, text: str, instead: str
) -> tuple[str, ...]:
    """Trunks whose cooperation agreement contains another pack than would be in force on them (RULES A31)."""
    packs = {other: words for other, words in state.packs.items() if other != instead} | {pack.id: text}
    documents = await load_documents(connection)
    before = set(_notes(state, documents))
    fresh = [note for note in _notes(replace(state, packs=packs), documents) if note not in before]
    more = [f"and {len(fresh) - MAX_WARNINGS} more trunks"] if len(fresh) > MAX_WARNINGS else []
    return (*fresh[:MAX_WARNINGS], *more)


def _notes(state: Snapshot, documents: tuple[Document, ...]) -> list[str]:
    record = record_of(state, documents)
    return [str(issue) for trunk in state.trunks for issue in other_pack(record, trunk)]


def line_of(text: str, header: str, key: str) -> int:
    """Line of a key below such a header, for messages; the header's, or 1, where there is none."""
    lines = text.split("\n")
    headers = [number for number, words in enumerate(lines, 1) if words.split("#")[0].strip() == header]
    for first in headers:
        for number, words in enumerate(lines[first:], first + 1):
            if words.strip().startswith("["):
                break
            if words.strip().strip('"').startswith(key):
                return number
    return headers[0] if headers else 1
