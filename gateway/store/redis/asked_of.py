"""Which dataset is asked, and what becomes of a question when the head names another one.

A switch to a new epoch costs one more question, not errors. Where the new epoch is hashed with another key of ours,
whoever asked hashes the number anew and asks once more (`ports.Rekeyed`).
"""

from __future__ import annotations

from typing import Any, Final

from gateway.store.ports import OTHER_KEY_TEXT, HeldKeys
from gateway.store.redis.facts import Dataset, other_key, read_head
from gateway.store.redis.turn import NO_DATA_SET, OTHER_KEY, Turn

ASK_ANEW: Final = "ask anew"
"""Of the dataset that is in force now."""
HASH_ANEW: Final = "hash anew"
"""The key of the dataset in force is in use from now on."""
HASH_LATER: Final = "hash later"
"""This master has yet to be switched; the one that had this callee before it may have been."""


class AskedOf:
    """The dataset of one lookup; None while none is known."""

    __slots__ = ("_clustered", "_keys", "dataset")

    def __init__(self, keys: HeldKeys, clustered: bool) -> None:
        """`clustered`: with the keys of a cluster (`names`)."""
        self._keys = keys
        self._clustered = clustered
        self.dataset: Dataset | None = None

    def name(self, epoch: int, buckets: int) -> None:
        """Name the dataset. Raises ValueError on impossible numbers."""
        if self.dataset is None or (epoch, buckets) != (self.dataset.epoch, self.dataset.buckets):
            self.dataset = Dataset(epoch, buckets, self._keys.check or None, self._clustered)

    def name_again(self) -> None:
        """The same dataset, under the key that is in use now."""
        dataset, self.dataset = self.dataset, None
        if dataset is not None:
            self.name(dataset.epoch, dataset.buckets)

    def follow(self, turn: Turn, head: Any, late: bool) -> tuple[str, str]:
        """The head that came with the replies to a turn names another dataset than it was asked of. `late`: its
        deadline is over. Returns one of the words above, or why nobody can be asked as `Unavailable` has it: the
        reason, and its text."""
        dataset = read_head(head, self._clustered)
        if dataset is not None and turn.dataset is not None:
            hashed_with = turn.dataset.key_check or self._keys.check
            if other_key(dataset.key_check, hashed_with):
                return self._follow_key(dataset, late)
        if dataset is None or turn.repeated:
            return NO_DATA_SET, "redis holds no valid data: no dataset in force"
        self.dataset = dataset
        return ASK_ANEW, ""

    def _follow_key(self, dataset: Dataset, late: bool) -> tuple[str, str]:
        """The hashes were made with another key than the dataset in force."""
        if self._keys.use(dataset.key_check or b"", dataset.epoch):
            self.dataset = dataset
            return HASH_ANEW, ""
        if dataset.epoch < self._keys.epoch and self._clustered and not late:
            return HASH_LATER, ""
        return OTHER_KEY, OTHER_KEY_TEXT
