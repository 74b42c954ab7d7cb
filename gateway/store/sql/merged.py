"""What a merge did, and the memory it may take."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

WORK_MEMORY = "128MB"
"""For sorting a bulk import by key: 4 MB, the server's default, sorts a million rows on disk."""


@dataclass(frozen=True, slots=True)
class Merged:
    """`rows`: events merged; `keys`: how many different rows they are about; `parts`: by part of the list (operator
    number, or list), how many rows were added and how many changed."""

    rows: int
    keys: int
    parts: dict[str, tuple[int, int]]
    dropped: int = 0
    """Of the changed rows: those the file does not speak of (full versions of feeds)."""

    @property
    def unchanged(self) -> int:
        """Rows the file speaks of that stay as they are."""
        return max(0, self.keys - (self.touched - self.dropped))

    @property
    def added(self) -> int:
        return sum(added for added, _ in self.parts.values())

    @property
    def changed(self) -> int:
        """Rows that were there and are different now."""
        return sum(changed for _, changed in self.parts.values())

    @property
    def touched(self) -> int:
        """Rows added or changed: what is to be projected."""
        return self.added + self.changed


async def merge_memory(connection: AsyncConnection) -> None:
    """Until the end of the transaction."""
    await connection.execute(text(f"SET LOCAL work_mem = '{WORK_MEMORY}'"))
