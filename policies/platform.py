"""Platforms for voice calls make no commercial calls, consent or not (RULES B14)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from policies.base import MEMORY, Answer
from policies.facts import OUTBOUND, Facts
from policies.params import only, words


class PlatformCommercial:
    """Commercial calls of a platform.

    Parameters: `classes`: operator classes that are platforms (default voice_platform); `commercial`: purposes that
    are commercial (default marketing)."""

    id: ClassVar[str] = "platform-commercial"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND,)
    needs: ClassVar[str] = MEMORY
    answer: ClassVar[Answer] = Answer(403, "Forbidden", 21)

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params, "classes", "commercial")
        self._classes = words(params, "classes", ("voice_platform",))
        self._commercial = words(params, "commercial", ("marketing",))

    def judge(self, facts: Facts) -> str | None:
        """Refuse such a call, whatever the callee agreed to."""
        if facts.purpose in self._commercial and facts.operator_class in self._classes:
            return f"purpose {facts.purpose} is commercial, operator class {facts.operator_class} is a platform"
        return None
