"""Values of requests: what may stand in a field, said once, for checks and for the API description."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import Path
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

MAX_TEXT: Final = 2_048
"""Characters of free text, as in import files."""
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


class Body(BaseModel):
    """A request's body: fields it does not know are refused, so that a misspelt one is not lost."""

    model_config = ConfigDict(extra="forbid")


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("write printable UTF-8 text")
    return text


def _in_reach(at: datetime) -> datetime:
    if not _EARLIEST <= at < _LATEST:
        raise ValueError("write a time between 1970 and 2200")
    return at.astimezone(UTC)


Text = Annotated[str, StringConstraints(max_length=MAX_TEXT), AfterValidator(_printable)]
"""Free text of one line; may be empty."""
Words = Annotated[str, StringConstraints(min_length=3, max_length=MAX_TEXT), AfterValidator(_printable)]
"""Free text that must say something: a reason."""
Id = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_printable)]
"""Id of an operator, trunk, range, purpose, …: as in the registry."""
HomeId = Annotated[str, StringConstraints(pattern=r"^([a-z0-9][a-z0-9_.-]{0,63})?$")]
"""Id of a resale operator; empty: none."""
PathId = Annotated[str, Path(min_length=1, max_length=64), AfterValidator(_printable)]
"""The same, in a path."""
RowId = Annotated[int, Path(ge=1, le=2**63 - 1)]
"""Number of a row, in a path."""
PhoneNumber = Annotated[
    str,
    StringConstraints(min_length=1, max_length=32, pattern=r"^\+?[0-9]+$"),
    Field(description="+E.164 or a short code", examples=["+8613800138000"]),
]
Time = Annotated[AwareDatetime, AfterValidator(_in_reach)]
"""RFC 3339 with a zone."""
