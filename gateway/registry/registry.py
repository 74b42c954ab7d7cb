"""A snapshot compiled for lookups: what a worker asks while it holds a packet. Immutable; swapped whole.

`validate` (in `validate.py`) says beforehand what is wrong with a snapshot; a snapshot with problems is
never compiled."""

from __future__ import annotations

from typing import Final

from gateway.registry.admission import Admissions
from gateway.registry.model import NumberRange, Operator, Snapshot, Trunk
from gateway.registry.numbering import Number, NumberingPlan
from gateway.registry.ranges import RangeTable
from gateway.registry.sources import SourceTable
from gateway.registry.validate import validate

__all__: Final = ["Registry", "validate"]


class Registry:
    """One version of the registry, in memory. Keeps no reference to the snapshot's ranges (a million
    values)."""

    __slots__ = (
        "_core",
        "_emergency",
        "_feeds",
        "_inbound",
        "_operators",
        "_outbound",
        "_purposes",
        "_sources",
        "_trunks",
        "admissions",
        "plan",
        "ranges",
        "version",
    )

    def __init__(self, snapshot: Snapshot, ranges: RangeTable | None = None) -> None:
        """`ranges`: where they came apart from the snapshot, as pages. Raises ValueError as `RangeTable` does."""
        self.version = snapshot.version
        self.plan = NumberingPlan(snapshot.plan, snapshot.emergency, snapshot.country, snapshot.zone)
        self.ranges = RangeTable(snapshot.ranges, snapshot.country) if ranges is None else ranges
        self._operators = {operator.id: operator for operator in snapshot.operators}
        self._trunks = {trunk.id: trunk for trunk in snapshot.trunks}
        self._sources = SourceTable(snapshot.trunks)
        self._purposes = dict(snapshot.purposes)
        self._feeds = snapshot.feeds
        self._emergency = frozenset(code.encode("ascii") for code in snapshot.emergency)
        self._core = tuple(trunk for trunk in snapshot.trunks if trunk.side == "core" and trunk.state == "active")
        self.admissions = Admissions(snapshot.standings, snapshot.restrictions, snapshot.trunks)
        self._outbound: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[Trunk, ...]] = {((), ()): self._core}
        self._inbound: dict[tuple[str, tuple[str, ...]], tuple[Trunk, ...]] = {}

    @property
    def trunks(self) -> tuple[Trunk, ...]:
        """Every trunk, in the snapshot's order."""
        return tuple(self._trunks.values())

    @property
    def operators(self) -> tuple[Operator, ...]:
        """Every operator, in the snapshot's order."""
        return tuple(self._operators.values())

    def trunk(self, trunk_id: str) -> Trunk | None:
        """A trunk by id."""
        return self._trunks.get(trunk_id)

    def stale_feed(self, at: float) -> str:
        """Id of a decline feed that is older than it may be at `at` (epoch seconds), empty: none is."""
        for feed in self._feeds:
            if feed.is_stale(at):
                return feed.id
        return ""

    def trunk_by_source(
        self, listener: str, ip: str, port: int = 0, transport: str = "udp", identities: tuple[str, ...] = ()
    ) -> Trunk | None:
        """The trunk of a packet's source on a listener (`SourceTable.find`); None for a stranger. Suspended trunks are
        returned too: their dialogs go on (DESIGN §5)."""
        return self._sources.find(listener, ip, port, transport, identities)

    def knows(self, listener: str, ip: str) -> bool:
        """True when some trunk sends from this address to this listener (`SourceTable.knows`)."""
        return self._sources.knows(listener, ip)

    def is_at(self, trunk_id: str, listener: str, ip: str) -> bool:
        """True when the address lies in the trunk's own networks."""
        return self._sources.owns(trunk_id, listener, ip)

    def operator(self, operator_id: str) -> Operator | None:
        """An operator by id."""
        return self._operators.get(operator_id)

    def purpose_number(self, name: str) -> int:
        """The small integer of a purpose; 0 where there is no such purpose."""
        return self._purposes.get(name, 0)

    def route_outbound(self, row: NumberRange) -> tuple[Trunk, ...]:
        """Active core trunks a call from this range may leave by, in order, of its filed carriers. Empty: it may not
        leave (RULES A14)."""
        way = (row.egress, row.carriers)
        found = self._outbound.get(way)
        if found is None:
            core = self._active(row.egress, "core", "") if row.egress else self._core
            found = tuple([one for one in core if not row.carriers or one.carrier in row.carriers])
            self._outbound[way] = found
        return found

    def route_inbound(self, row: NumberRange) -> tuple[Trunk, ...]:
        """Active access trunks that calls to this range are delivered to, in order."""
        way = (row.operator, row.trunks)
        found = self._inbound.get(way)
        if found is None:
            found = self._inbound[way] = self._active(row.trunks, "access", row.operator)
        return found

    def emergency_callee(self, digits: bytes) -> bool:
        """True when these digits are an emergency code of the plan exactly."""
        return digits in self._emergency

    def stretched(self, digits: bytes, plus: bool, country: str) -> NumberRange | None:
        """The range that unreadable digits were made from by adding or cutting some (RULES A19), or None.

        For digits that `plan.read` gave up on; `near` on the canonical number serves the others.
        """
        for spelling in self.plan.spellings(digits, plus, country):
            found = self.ranges.near(spelling)
            if found is not None:
                return found
        return None

    def number_range(self, number: Number, at: float) -> NumberRange | None:
        """The range of a number at a time (epoch seconds)."""
        return self.ranges.find(number.canonical, at)

    def _active(self, ids: tuple[str, ...], side: str, operator: str) -> tuple[Trunk, ...]:
        """Known active trunks of one side (and operator) among the ids, in their order. One without a next hop, which
        digest trunks may be, takes no calls."""
        trunks = (self._trunks[trunk_id] for trunk_id in ids if trunk_id in self._trunks)
        return tuple(
            trunk
            for trunk in trunks
            if trunk.side == side
            and trunk.operator == operator
            and trunk.state == "active"
            and (side == "core" or trunk.inbound)
            and (trunk.next_hops or not trunk.digest)
        )
