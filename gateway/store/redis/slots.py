"""What a Redis Cluster says about itself: which master holds which places. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from gateway.store.redis.address import command
from gateway.store.redis.names import PLACES, SLOTS, SLOTS_PER_PLACE, ShardKeys, place_tags

ASK_MAP: Final = command(b"CLUSTER", b"INFO") + command(b"CLUSTER", b"SLOTS")
"""Two replies: `read_map` reads them."""


@dataclass(frozen=True, slots=True)
class Master:
    """A master and the places it holds, ascending; at least one."""

    host: str
    port: int
    places: tuple[int, ...]

    @property
    def keys(self) -> ShardKeys:
        """Of the shard this master is."""
        return ShardKeys(place_tags()[self.places[-1]])

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class SlotMap:
    """One node's view. Of two views the one of the later epoch counts."""

    epoch: int
    masters: tuple[Master, ...]


def read_map(replies: list[Any], asked: str) -> SlotMap:
    """The replies to `ASK_MAP` of the node at host `asked`. Raises ValueError: no cluster, or nothing of use."""
    for reply in replies:
        if isinstance(reply, Exception):
            raise ValueError(f"redis cluster: {reply}")
    try:
        info, slots = replies
        fields = dict(line.split(b":", 1) for line in info.split(b"\r\n") if b":" in line)
        held: dict[tuple[str, int], list[int]] = {}
        for first, last, master, *_ in slots:
            # A node that knows no better name for itself leaves it out: it is where we asked.
            place = ((master[0] or b"").decode() or asked, int(master[1]))
            held.setdefault(place, []).extend(
                slot // SLOTS_PER_PLACE for slot in range(first, last + 1) if slot % SLOTS_PER_PLACE == 0
            )
        epoch = int(fields[b"cluster_current_epoch"])
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise ValueError("redis cluster: its slots cannot be read") from error
    masters = [Master(host, port, tuple(sorted(places))) for (host, port), places in sorted(held.items()) if places]
    if not masters:
        raise ValueError(f"redis cluster: no master holds any of the {SLOTS} slots")
    return SlotMap(epoch, tuple(masters))


def ranges_of(places: Iterable[int]) -> list[tuple[int, int]]:
    """Ascending places as (first, last) of each run."""
    runs: list[tuple[int, int]] = []
    for place in places:
        if runs and runs[-1][1] == place - 1:
            runs[-1] = (runs[-1][0], place)
        else:
            runs.append((place, place))
    return runs


def encode_places(places: Iterable[int]) -> bytes:
    """Runs of places as the head of a shard records them: `0-340,512-512`."""
    return b",".join([b"%d-%d" % run for run in ranges_of(places)])


def decode_places(text: bytes) -> frozenset[int]:
    """Raises ValueError on a foreign value."""
    found: set[int] = set()
    for run in text.split(b",") if text else []:
        first, _, last = run.partition(b"-")
        found.update(range(max(0, int(first)), min(PLACES, int(last) + 1)))
    return frozenset(found)
