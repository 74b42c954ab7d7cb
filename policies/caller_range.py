"""Which caller numbers may be shown for which purpose, and on calls from where: lists of a pack.

Telesales ranges (France, India), ordinary numbers barred from telemarketing, domestic numbers on calls from abroad (UK,
Germany), kinds that are never a user's own number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from policies.base import MEMORY, Answer
from policies.facts import INBOUND, OUTBOUND, Facts
from policies.params import one_of, only, tables, words
from policies.prefixes import Prefixes

MAX_LISTS: Final = 64
ANYWHERE: Final = "any"
ORIGINS: Final = (ANYWHERE, "domestic", "foreign")
"""Where a trunk's calls come from (`registry.model.Trunk.origin`)."""


class _List:
    """One list, and the calls it is about."""

    __slots__ = ("_allow", "_classes", "_deny", "_direction", "_except", "_origin", "_purposes", "_why")

    def __init__(self, table: Mapping[str, object]) -> None:
        only(table, "allow", "classes", "deny", "direction", "except", "origin", "purposes", "why")
        self._direction = one_of(table, "direction", OUTBOUND, (OUTBOUND, INBOUND))
        self._origin = one_of(table, "origin", ANYWHERE, ORIGINS)
        self._purposes = words(table, "purposes", ())
        self._classes = words(table, "classes", ())
        self._allow = Prefixes(words(table, "allow", ()), "allow")
        self._deny = Prefixes(words(table, "deny", ()), "deny")
        self._except = Prefixes(words(table, "except", ()), "except")
        why = table.get("why", "")
        if not isinstance(why, str) or len(why) > 80 or not why.isprintable():
            raise ValueError(f"why: {why!r:.80}: write at most 80 printable characters")
        self._why = f" ({why})" if why else ""
        if not self._allow and not self._deny:
            raise ValueError("list: neither allow nor deny: write one of them")

    def judge(self, facts: Facts) -> str | None:
        if facts.direction != self._direction or self._origin not in (ANYWHERE, facts.trunk_origin):
            return None
        if self._purposes and facts.purpose not in self._purposes:
            return None
        if self._classes and facts.operator_class not in self._classes:
            return None
        # Inbound the caller is a subscriber: his number is in no fact, its kind is.
        number, kind = facts.number, facts.number_kind
        if facts.direction == INBOUND:
            number, kind = "", facts.subscriber_kind
        if self._except.hold(number, kind):
            return None
        if self._deny.hold(number, kind):
            return self._said("caller range denied", facts)
        if self._allow and not self._allow.hold(number, kind):
            return self._said("caller range not allowed", facts)
        return None

    def _said(self, what: str, facts: Facts) -> str:
        purpose = f" for {facts.purpose}" if self._purposes else ""
        origin = f" from {self._origin} trunks" if self._origin != ANYWHERE else ""
        return f"{what}{purpose}{origin}{self._why}"


class CallerRange:
    """Callers outside what the lists of the pack allow.

    Parameter: `list`: tables of `allow`, `deny`, `except` (prefixes of canonical numbers, or `kind:<kind of the
    plan>`), each with the calls it is about: `purposes`, `classes` of operators, `origin` of the trunk (`any`,
    `domestic`, `foreign`), `direction` (inbound only kinds are known), and `why`. Every list must be passed."""

    id: ClassVar[str] = "caller-range"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND, INBOUND)
    needs: ClassVar[str] = MEMORY
    answer: ClassVar[Answer] = Answer(403, "Forbidden", 21)

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params, "list")
        self._lists = tuple(_List(table) for table in tables(params, "list", MAX_LISTS))

    def judge(self, facts: Facts) -> str | None:
        """Refuse with the first list that is not passed."""
        for one in self._lists:
            reason = one.judge(facts)
            if reason is not None:
                return reason
        return None
