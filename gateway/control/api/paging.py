"""Lists in pages: `?limit=50&cursor=…`. A cursor says after which row to go on; clients give back what they got.

A route orders by a key that is unique, asks for one row more than the limit, and hands all of them to `page`."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Generic, TypeVar

import msgspec
from fastapi import Depends, Query
from pydantic import BaseModel, Field

from gateway.control.api.problems import ApiError, invalid

MAX_LIMIT: Final = 200
"""Rows of one page."""
MAX_CURSOR: Final = 512
"""Characters."""
BIGINT: Final = 2**63 - 1

T = TypeVar("T")
R = TypeVar("R")
Key = int | str


class Page(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T] = Field(max_length=MAX_LIMIT)
    next: str | None = Field(description="Give it as `cursor` for the next page; null: this is the last")


@dataclass(frozen=True, slots=True)
class Paging:
    """What was asked for."""

    limit: int
    cursor: str

    def after(self, *kinds: type[Key]) -> tuple[Key, ...] | None:
        """The key of the last row seen, of these types; None on the first page. Raises 422."""
        if not self.cursor:
            return None
        try:
            found = msgspec.json.decode(urlsafe_b64decode(self.cursor.encode("ascii")), type=list[Key])
        except ValueError:  # of base64, of ASCII, of JSON
            raise self._bad() from None
        if len(found) != len(kinds) or not all(map(isinstance, found, kinds)):
            raise self._bad()
        if not all(0 <= part <= BIGINT if isinstance(part, int) else part.isprintable() for part in found):
            raise self._bad()
        return tuple(found)

    def page(self, rows: Sequence[R], show: Callable[[R], T], key: Callable[[R], tuple[Key, ...]]) -> Page[T]:
        """The page of `rows`, which are up to limit + 1 in order; `key` names a row for the cursor."""
        shown = rows[: self.limit]
        more = len(rows) > self.limit
        cursor = urlsafe_b64encode(msgspec.json.encode(key(shown[-1]))).decode() if more else None
        return Page(items=[show(row) for row in shown], next=cursor)

    def _bad(self) -> ApiError:
        return invalid("cursor", self.cursor, "give `next` of the page before as it was, or leave it out")


def _paging(
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Rows of one page at most")] = 50,
    cursor: Annotated[str, Query(max_length=MAX_CURSOR, description="`next` of the page before")] = "",
) -> Paging:
    return Paging(limit, cursor)


Paged = Annotated[Paging, Depends(_paging)]
"""A parameter `paging: Paged` gives a route `limit` and `cursor`."""
