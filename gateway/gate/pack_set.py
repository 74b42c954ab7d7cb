"""The packs in force together: which one judges a call, and what keeps two of them apart.

Exactly one pack is the default. No trunk and no operator class is named by two, so that every call has one pack, and
which one that is does not depend on the order they came in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.gate.engine import Engine, OnError, ignore
from gateway.gate.pack import Pack, PackError
from gateway.gate.pack_read import load_pack
from gateway.registry.registry import Registry

MAX_PACKS = 64
"""In force at once. All of them travel in every registry snapshot."""
NO_DEFAULT = "no pack would be the default: one must name no trunk and no class: import one without [binds] first"


@dataclass(frozen=True, slots=True)
class PackSet:
    """Packs that are in force at the same time. Immutable; made by `pack_set`."""

    packs: tuple[Pack, ...]
    default: Pack
    by_trunk: Mapping[str, Pack]
    by_class: Mapping[str, Pack]

    @property
    def labels(self) -> str:
        """For people: `cn-sms@3, example@1`."""
        return ", ".join(pack.label for pack in self.packs)

    def get(self, pack: str) -> Pack:
        """By id. KeyError for one that is not in force."""
        return {one.id: one for one in self.packs}[pack]

    def of(self, trunk: str, operator_class: str) -> Pack:
        """The pack of calls that come from a trunk whose operator is of this class (empty: it has none)."""
        return self.by_trunk.get(trunk) or self.by_class.get(operator_class) or self.default


@dataclass(frozen=True, slots=True)
class Engines:
    """The packs at work: one engine per pack, found by the trunk a call comes from. Immutable; swapped whole."""

    default: Engine
    by_trunk: dict[str, Engine]
    """Trunks whose calls another pack than the default judges."""


def pack_set(packs: Iterable[Pack]) -> PackSet:
    """Packs put together. Raises PackError with everything that keeps them apart."""
    placed: list[Pack] = []
    found: list[str] = []
    for pack in sorted(packs, key=lambda one: not one.binds.default):  # the default first: the others stand beside it
        found += [f"pack {pack.id}: binds.{key}: {text}" for key, text in clashes(pack, placed)]
        placed.append(pack)
    if found or not placed:
        raise PackError(found or [NO_DEFAULT])
    return PackSet(
        tuple(sorted(placed, key=lambda one: one.id)),
        placed[0],
        {name: pack for pack in placed for name in pack.binds.trunks},
        {name: pack for pack in placed for name in pack.binds.classes},
    )


def clashes(pack: Pack, others: Sequence[Pack]) -> list[tuple[str, str]]:
    """Why a pack cannot be in force beside others that can, as (key of `[binds]`, text); none: it can."""
    found: list[tuple[str, str]] = []
    for key in ("trunks", "classes"):
        taken = {name: other for other in others for name in getattr(other.binds, key)}
        for name in getattr(pack.binds, key):
            if name in taken:
                found.append((key, f"{name!r}: {taken[name].label} in force names it too: take it out of one of them"))
    default = next((other for other in others if other.binds.default), None)
    if pack.binds.default and default is not None:
        fix = f"name trunks or classes, or import it in its place: --instead {default.id}"
        found.append(("trunks", f"none: {default.label} in force is the default already: {fix}"))
    elif default is None and not pack.binds.default:
        found.append(("trunks", NO_DEFAULT))
    if len(others) >= MAX_PACKS:
        found.append(("trunks", f"{len(others)} packs are in force, the most there may be: withdraw one"))
    return found


def load_stored(texts: Mapping[str, str], where: str) -> PackSet:
    """The set of a snapshot (`Snapshot.packs`). `where`: for messages. Raises PackError: no such set is in force."""
    return pack_set(load_pack(text, f"pack {name} of {where}", stored=True) for name, text in texts.items())


def engines(packs: PackSet, registry: Registry, on_error: OnError = ignore) -> Engines:
    """Compile a set for the trunks of a registry: which pack judges a call is then one lookup by trunk."""
    made: dict[str, Engine] = {}

    def engine(pack: Pack) -> Engine:
        if pack.id not in made:
            made[pack.id] = Engine(pack, on_error)
        return made[pack.id]

    default = engine(packs.default)
    by_trunk = {}
    for trunk in registry.trunks:
        operator = registry.operator(trunk.operator)
        chosen = engine(packs.of(trunk.id, operator.operator_class if operator is not None else ""))
        if chosen is not default:
            by_trunk[trunk.id] = chosen
    return Engines(default, by_trunk)
