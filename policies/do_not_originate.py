"""Numbers that call nobody: a do-not-originate list (FCC 25-15, Ofcom GC C6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from policies.base import MEMORY, Answer
from policies.facts import OUTBOUND, Facts
from policies.params import only, words
from policies.prefixes import Prefixes


class DoNotOriginate:
    """Caller numbers whose holders only take calls, and blocks that nobody was given.

    Parameters: `numbers`: whole numbers, or prefixes of blocks, or `kind:<kind of the plan>`; `except`: numbers in
    such a block that do call."""

    id: ClassVar[str] = "do-not-originate"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND,)
    needs: ClassVar[str] = MEMORY
    answer: ClassVar[Answer] = Answer(403, "Forbidden", 21)  # not 603+: blocking by a list is no analytics

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params, "except", "numbers")
        self._numbers = Prefixes(words(params, "numbers", ()), "numbers")
        self._except = Prefixes(words(params, "except", ()), "except")

    def judge(self, facts: Facts) -> str | None:
        """Refuse a number on the list."""
        if self._numbers.hold(facts.number, facts.number_kind) and not self._except.hold(facts.number, ""):
            return "caller number is on the do-not-originate list"
        return None
