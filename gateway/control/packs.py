"""Which rules are in force, or were at a time (RULES A40), as commands and the API show them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.gate.pack_bind import Binds, read_binds
from gateway.store.sql.packs import terms_at


@dataclass(frozen=True, slots=True)
class PackInForce:
    """One pack and its time in force."""

    id: str
    version: int
    title: str
    classes: tuple[str, ...]
    """Operator classes it binds."""
    trunks: tuple[str, ...]
    """Trunks it binds; it is the default where it binds neither."""
    since: datetime
    until: datetime | None
    """None: it is in force."""
    principal: str
    """Who put it in force."""
    reason: str
    approver: str
    """Who agreed, where that was said."""

    @property
    def binds(self) -> str:
        """For people: `trunk cc-alpha, class mvno`."""
        return str(Binds(self.classes, self.trunks))


async def packs_in_force(connection: AsyncConnection, at: datetime | None = None) -> list[PackInForce]:
    """In id order; `at` None: now. Workers switch within a second of `since`; a decision's record names its pack."""
    found = []
    for term in await terms_at(connection, at):
        title, binds = headline(term.text)
        named = (term.id, term.version, title, binds.classes, binds.trunks)
        found.append(PackInForce(*named, term.from_at, term.to_at, term.principal, term.reason, term.approver))
    return found


@lru_cache(maxsize=128)
def headline(text: str) -> tuple[str, Binds]:
    """Title and binds of a stored pack, without its rules."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return "", Binds()
    return str(table.get("title", "")), read_binds(table.get("binds", {}))[0]


def pack_in_force(texts: Mapping[str, str], pack: str = "") -> str:
    """Text of a pack by id, of the default where none is named; empty where there is none."""
    if pack:
        return texts.get(pack, "")
    return next((text for text in texts.values() if headline(text)[1].default), "")
