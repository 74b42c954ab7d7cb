"""The system of record as the checks and the workers get it: registry, papers, calendar, together."""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.gate.pack import PackError
from gateway.gate.pack_set import PackSet, load_stored
from gateway.registry.calendar import Calendar, read_calendar
from gateway.registry.issues import Record
from gateway.registry.model import Snapshot
from gateway.registry.papers import Document
from gateway.registry.publish import published
from gateway.shipped import shipped
from gateway.store.sql.documents import load_documents
from gateway.store.sql.registry import load_snapshot

COUNTRIES = {"86": "cn"}
"""Country code of a plan to the calendar that comes with the program."""


async def load_record(connection: AsyncConnection) -> Record:
    """Everything, as it is now."""
    snapshot = await load_snapshot(connection)
    return record_of(snapshot, await load_documents(connection))


async def load_published(connection: AsyncConnection) -> Snapshot:
    """The snapshot workers get: with what papers say, without the papers."""
    return published(await load_record(connection))


def record_of(snapshot: Snapshot, documents: tuple[Document, ...]) -> Record:
    """A record of rows that are at hand."""
    return Record(snapshot, documents, calendar_of(snapshot.country), labels_of(snapshot))


@lru_cache(maxsize=8)
def calendar_of(country: str) -> Calendar:
    """The country's working days; weekends alone where no calendar comes with the program."""
    name = COUNTRIES.get(country, "")
    path = shipped("calendars", f"{name}.toml")
    return read_calendar(path.read_text(encoding="utf-8"), path.name) if name and path.exists() else Calendar()


def labels_of(snapshot: Snapshot) -> dict[str, str]:
    """Trunk to `id@version` of the pack that judges its calls; empty where no packs are in force."""
    packs = _packs(tuple(sorted(snapshot.packs.items())))
    if packs is None:
        return {}
    classes = {operator.id: operator.operator_class for operator in snapshot.operators}
    return {trunk.id: packs.of(trunk.id, classes.get(trunk.operator, "")).label for trunk in snapshot.trunks}


@lru_cache(maxsize=2)
def _packs(texts: tuple[tuple[str, str], ...]) -> PackSet | None:
    try:
        return load_stored(dict(texts), "the registry") if texts else None
    except PackError:  # workers say so, and keep to the packs they have
        return None
