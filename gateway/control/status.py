"""What the projector tells about itself, to metrics and health."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

LATE_S = 2.0
"""Longer than any two looks at PostgreSQL are apart while all is well."""


@dataclass(slots=True)
class ShardStatus:
    """Of one Redis."""

    epoch: int = 0
    registry: int = 0
    in_step: bool = False
    """It held everything committed when last looked at."""
    in_step_at: float = 0.0
    """When it last did, epoch seconds."""
    last_error: str = ""
    """Empty while all is well."""

    @property
    def lag_seconds(self) -> float:
        """0 in step, else seconds since it last was: also where nobody has looked for LATE_S, because PostgreSQL or
        Redis hangs."""
        since = max(0.0, time.time() - self.in_step_at)
        return 0.0 if self.in_step and since <= LATE_S else since


@dataclass(slots=True)
class ProjectorStatus:
    """Of all of them."""

    holds_lock: bool = False
    cycles: int = 0
    applied: int = 0
    """Outbox rows applied, to each shard."""
    rebuilds: int = 0
    """Of everything, or of one shard of a cluster."""
    rebuilding: bool = False
    repairs: int = 0
    """Buckets written anew."""
    failures: int = 0
    shards: dict[str, ShardStatus] = field(default_factory=dict)
    """By address; empty until one is known."""
    since: float = field(default_factory=time.time)
    """Epoch seconds of the start."""
    last_error: str = ""

    @property
    def in_step(self) -> bool:
        """Every shard is."""
        return bool(self.shards) and all(shard.in_step for shard in self.shards.values())

    @property
    def lag_seconds(self) -> float:
        """Of the shard that is furthest behind; where none is known, since the start."""
        if not self.shards:
            return max(0.0, time.time() - self.since)
        return max(shard.lag_seconds for shard in self.shards.values())

    @property
    def trouble(self) -> str:
        """What failed last and was not mended yet; empty: all is well."""
        return self.last_error or next((one.last_error for one in self.shards.values() if one.last_error), "")
