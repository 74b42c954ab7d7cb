"""Which keys each worker holds, told in Redis: a rotation does not begin while one of them lacks the new key.

Workers never open PostgreSQL, so they say it here, in one hash, `cg:workers`: a field each, written every few seconds.
Soft state, made of checks (`keys.Key.check`), never of keys.
"""

from __future__ import annotations

from typing import Final

import msgspec

REPORTS: Final = b"cg:workers"
EVERY_S: Final = 5
"""A worker reports so often, and at once when something changed."""
SILENT_S: Final = 20.0
"""A worker that was not heard of for longer is not running, or cannot reach Redis."""
FORGET_S: Final = 86_400.0
"""A worker not heard of for a day is forgotten."""


class Report(msgspec.Struct, frozen=True):
    """What one worker holds. `at`: epoch seconds; checks in hex digits."""

    at: float
    pseudonym: tuple[str, ...]
    seal: tuple[str, ...]
    in_use: str
    """Of the pseudonym key it hashes with."""


encode_report: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Report).decode


def read_reports(found: dict[bytes, bytes]) -> dict[str, Report]:
    """By worker; what is none of ours is left out."""
    reports: dict[str, Report] = {}
    for name, text in found.items():
        try:
            reports[name.decode()] = _decode(text)
        except ValueError:
            continue
    return reports
