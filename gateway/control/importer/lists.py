"""Names of lists of refusals, as people give them."""

from __future__ import annotations

import re

from gateway.control.importer.problems import ImportRefused, Problem
from gateway.store.sql.refusals import FEED, HOME, OWN

_ID = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


def home_list(home: str) -> str:
    """The list of a resale operator's users; our own where `home` is empty. Raises ImportRefused."""
    return HOME + checked_id("home", home) if home else OWN


def feed_list(feed: str) -> str:
    """The list of a decline feed. Raises ImportRefused."""
    return FEED + checked_id("feed", feed)


def checked_id(field: str, given: str) -> str:
    """An id fit for a list. Raises ImportRefused."""
    if not _ID.fullmatch(given):
        fix = "write 1-64 of a-z, 0-9, '_', '.', '-', a letter or digit first"
        raise ImportRefused(field, [Problem(0, field, given, fix)])
    return given
