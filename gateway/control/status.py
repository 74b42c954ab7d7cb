"""What the projector tells about itself, to metrics and health."""

from __future__ import annotations

import time
from dataclasses import dataclass

LATE_S = 2.0
"""Longer than any two looks at PostgreSQL are apart while all is well."""


@dataclass(slots=True)
class ProjectorStatus:
    """What is told to metrics and health."""

    holds_lock: bool = False
    epoch: int = 0
    registry: int = 0
    applied: int = 0
    """Outbox rows applied."""
    rebuilds: int = 0
    repairs: int = 0
    """Buckets written anew."""
    failures: int = 0
    last_error: str = ""
    """Empty while all is well."""
    in_step: bool = False
    """Redis held everything committed when last looked at."""
    in_step_at: float = 0.0
    """When it last did, epoch seconds."""

    @property
    def lag_seconds(self) -> float:
        """0 in step, else seconds since it last was: also where nobody has looked for LATE_S, because PostgreSQL or
        Redis hangs."""
        since = max(0.0, time.time() - self.in_step_at)
        return 0.0 if self.in_step and since <= LATE_S else since
