"""The registry and the packs in force: what the attempts that arrive from now on are judged by."""

from __future__ import annotations

from gateway.gate.attempt import CallAttempt
from gateway.gate.engine import Engine
from gateway.registry.model import Trunk
from gateway.registry.registry import Registry
from policies.trigger import ReturnVisit


class NoRegistry(Exception):
    """The gate was asked before there was a registry: a fault of ours, nothing is received until there is one."""


class InForce:
    """Of one worker."""

    __slots__ = ("_by_trunk", "_engine", "_registry")

    def __init__(self) -> None:
        self._registry: Registry | None = None
        self._engine: Engine | None = None
        self._by_trunk: dict[str, Engine] = {}

    def switch(self, registry: Registry, engine: Engine, by_trunk: dict[str, Engine]) -> None:
        """See `Gate.switch`."""
        self._registry = registry
        self._engine = engine
        self._by_trunk = by_trunk

    def of(self, trunk: Trunk) -> tuple[Registry, Engine]:
        """What judges the calls that come by a trunk. Raises NoRegistry."""
        if self._registry is None or self._engine is None:
            raise NoRegistry
        return self._registry, self._by_trunk.get(trunk.id, self._engine)

    def visit_to(self, attempt: CallAttempt) -> ReturnVisit | None:
        """The rule on return visits of the operator that an inbound call goes to: of the pack its own calls are judged
        by."""
        if not attempt.routes or self._engine is None:
            return None
        return self._by_trunk.get(attempt.routes[0].id, self._engine).counted.visit
