"""What the values of a message share: equal when all they hold is equal, shown with all they hold.

Not dataclasses: the `__init__` that a dataclass writes for itself stays interpreted where everything around it is
compiled, and a call makes two dozen of these.
"""

from __future__ import annotations


class Value:
    """Compared and shown by `_held`."""

    __slots__ = ()

    def _held(self) -> tuple[object, ...]:
        """All that counts, in the order of the constructor."""
        return ()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Value) or type(self) is not type(other):
            return NotImplemented
        return self._held() == other._held()

    __hash__ = None  # type: ignore[assignment]  # as of anything that may be changed

    def __repr__(self) -> str:
        return f"{type(self).__name__}{self._held()!r}"
