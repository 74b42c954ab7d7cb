"""Which calls a pack judges, and on which share of them a rule enforces.

    [binds]                      classes = ["call_centre"]   trunks = ["cc-alpha"]
    [rule.percent]               cc-alpha = 10

Of a call: the pack that names the trunk it comes from, else the one that names the class of that trunk's operator,
else the default pack, which binds nothing by name. Inbound calls come from a carrier's trunk, which has no operator.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.registry.model import OPERATOR_CLASSES

MAX_NAMES = 1_000
"""Trunks a pack, or a rule's percent, may name: they travel in every registry snapshot."""
SHARES = 100
"""`Facts.share` is below it."""
MAX_CLAUSES = 32
"""Clauses a rule may stand for."""

_CLAUSE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:()/§-]{0,31}")

Found = list[tuple[str, str]]
"""Problems as (key, text)."""


@dataclass(frozen=True, slots=True)
class Binds:
    """What a pack names. Nothing: it is the default."""

    classes: tuple[str, ...] = ()
    """Operator classes (`registry.model.Operator.operator_class`)."""
    trunks: tuple[str, ...] = ()

    @property
    def default(self) -> bool:
        """True for the pack of every call that no other one names."""
        return not self.classes and not self.trunks

    def __str__(self) -> str:
        """For people: `trunk cc-alpha, class mvno`."""
        named = [f"trunk {name}" for name in self.trunks] + [f"class {name}" for name in self.classes]
        return ", ".join(named) or "default"


def share_of(decision: str) -> int:
    """`Facts.share` of a decision: 0..99, even over the ids, which are keyed hashes; the same for ever."""
    return int(decision[-8:], 16) % SHARES


def read_binds(table: object) -> tuple[Binds, Found]:
    """The `[binds]` of a pack and what is wrong with it."""
    if not isinstance(table, dict):
        return Binds(), [("binds", f"binds: {table!r}: write a table")]
    found: Found = [
        (key, f"binds.{key}: unknown key: use one of classes, trunks")
        for key in table
        if key not in ("classes", "trunks")
    ]
    classes, trunks = (_names(table.get(key, []), f"binds.{key}", key, found) for key in ("classes", "trunks"))
    for name in classes:
        if name not in OPERATOR_CLASSES:
            found.append(("classes", f"binds.classes: {name!r}: use one of {', '.join(sorted(OPERATOR_CLASSES))}"))
    return Binds(classes, trunks), found


def read_clauses(value: object) -> tuple[tuple[str, ...], str]:
    """The clauses a rule stands for, and what is wrong with them."""
    fix = f'write at most {MAX_CLAUSES} clause ids, e.g. ["A06"]'
    if not isinstance(value, list) or len(value) > MAX_CLAUSES:
        return (), f"{value!r:.80}: {fix}"
    for one in value:
        if not isinstance(one, str) or not _CLAUSE.fullmatch(one):
            return (), f"{one!r:.80}: {fix}"
    return tuple(value), ""


def read_percent(value: object, mode: str) -> tuple[dict[str, int], Found]:
    """A rule's `[rule.percent]`, trunk to 0..100, and what is wrong with it."""
    if not isinstance(value, dict):
        return {}, [("percent", f"percent: {value!r:.80}: write a table of trunk = percentage")]
    found: Found = []
    if value and mode == "off":
        found.append(
            ("[rule.percent]", 'percent: the rule is off: leave it out, or write mode = "shadow" or "enforce"')
        )
    if len(value) > MAX_NAMES:
        found.append(("[rule.percent]", f"percent: {len(value)} trunks: name at most {MAX_NAMES}"))
    for trunk, share in value.items():
        if not isinstance(share, int) or isinstance(share, bool) or not 0 <= share <= SHARES:
            found.append((trunk, f"percent.{trunk}: {share!r:.80}: write a whole number from 0 to {SHARES}"))
    return ({}, found) if found else (dict(value), found)


def _names(value: object, where: str, key: str, found: Found) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        found.append((key, f"{where}: {value!r:.80}: write a list of ids"))
        return ()
    twice = _repeated(value)
    if twice:
        found.append((key, f"{where}: {twice!r}: listed twice: keep one"))
    if len(value) > MAX_NAMES:
        found.append((key, f"{where}: {len(value)} names: at most {MAX_NAMES}"))
    return tuple(value)


def _repeated(names: Iterable[str]) -> str:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return ""
