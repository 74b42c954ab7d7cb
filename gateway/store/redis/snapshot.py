"""A worker's watch on the head: new registry versions and dataset epochs, over the link the lookups use.

A new version is its head and the pages of ranges that are not in memory already. They come one at a time, a turn of the
event loop for each: calls wait behind two milliseconds of work at most, however many ranges there are.

A version that cannot be read or that the worker refuses leaves the old one in force and is not tried again;
one that is accepted is kept on disk (`lastgood`). While Redis is away nothing changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from gateway.registry.model import Snapshot
from gateway.registry.pages import Page, Shared
from gateway.registry.ranges import RangeTable
from gateway.store.ports import OTHER_KEY_TEXT, HeldKeys
from gateway.store.redis import layout
from gateway.store.redis.address import command
from gateway.store.redis.connection import OnReplies, Replies
from gateway.store.redis.facts import other_key
from gateway.store.redis.lastgood import LastGood, save_last_good
from gateway.store.redis.names import ShardKeys
from gateway.store.redis.publication import Published, decode_page, decode_published, page_name, table_of
from gateway.store.redis.turn import AnyKey

POLL_EVERY_S: Final = 0.2
"""How soon a change of the registry reaches a worker; one small command each time."""

_HEAD_FIELDS: Final = (
    layout.HEAD_REGISTRY, layout.HEAD_EPOCH, layout.HEAD_BUCKETS, layout.HEAD_UPDATED, layout.HEAD_KEYCHECK,
)  # fmt: skip


class HeadLink(Protocol):
    """What a watcher asks over: a `RedisLink`, or in a cluster the link to one of its masters."""

    @property
    def keys(self) -> ShardKeys:
        """Of the shard that the next `send` goes to."""
        ...

    @property
    def on_up(self) -> list[Callable[[], None]]:
        """As `RedisLink.on_up`."""
        ...

    def send(self, commands: bytes, n_replies: int, callback: OnReplies) -> bool:
        """As `RedisLink.send`."""
        ...


class _Coming:
    """A version on its way."""

    __slots__ = ("blob", "missing", "pages", "published")

    def __init__(self, published: Published, blob: bytes, held: dict[str, Page]) -> None:
        self.published = published
        self.blob = blob
        self.pages = {page.name: held[page.name] for page in published.pages if page.name in held}
        self.missing = [page.name for page in reversed(published.pages) if page.name not in held]
        """Names of pages to fetch, the next one last."""


class SnapshotWatcher:
    """Polls while started. Its callbacks are called from the event loop."""

    __slots__ = (
        "_asking",
        "_held",
        "_keys",
        "_last_good",
        "_link",
        "_loop",
        "_on_epoch",
        "_on_snapshot",
        "_refused",
        "_saving",
        "_shared",
        "_shared_by",
        "_timer",
        "_unsaved",
        "_unwritten",
        "epoch",
        "head_updated",
        "key_reason",
        "reason",
        "refused",
        "save_errors",
        "version",
    )  # fmt: skip

    def __init__(
        self,
        link: HeadLink,
        on_snapshot: Callable[[Snapshot, RangeTable], None],
        on_epoch: Callable[[int, int], None],
        last_good: Path | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
        keys: HeldKeys | None = None,
    ) -> None:
        """`on_snapshot(snapshot, ranges)`, the snapshot without its ranges, may raise ValueError to refuse a version
        whole. `on_epoch(epoch, buckets)`. `last_good`: file to keep the last accepted version in. `keys`: as
        `RedisLookup`'s; the one the head names is put in use."""
        self._keys = keys or AnyKey()
        self.key_reason = ""
        """Why the dataset in force cannot be used with our pseudonym keys (health: not ready); empty: it can."""
        self._link = link
        self._loop = loop or asyncio.get_running_loop()
        self._on_snapshot = on_snapshot
        self._on_epoch = on_epoch
        self._last_good = last_good
        self._timer: asyncio.TimerHandle | None = None
        self._asking = False
        self._refused = -1
        self._saving: asyncio.Future[None] | None = None
        self._unsaved: _Coming | None = None
        self._unwritten: dict[str, bytes] = {}
        """Pages that were fetched and are not on disk yet."""
        self._held: dict[str, Page] = {}
        """The pages of the version in force."""
        self._shared: dict[Shared, Shared] = {}
        self._shared_by = 0
        """Pages that were read since it was begun anew."""
        self.version = -1
        """Registry version in force. -1: none."""
        self.epoch = 0
        """Dataset epoch last seen; 0: none."""
        self.head_updated = 0.0
        """When the projector last wrote the head, epoch seconds."""
        self.refused = 0
        """Versions refused."""
        self.reason = ""
        """Why the last refused version was refused; empty while the newest is in force."""
        self.save_errors = 0
        """Times the last good file could not be written."""
        link.on_up.append(self._ask)

    def begin_with(self, kept: LastGood) -> None:
        """The last good version is in force: what it has need not be fetched."""
        self.version, self._held = kept.snapshot.version, kept.pages

    def start(self) -> None:
        """Poll now, and every `POLL_EVERY_S`."""
        if self._timer is None:
            self._poll()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def saved(self) -> None:
        """Wait until the last accepted version is on disk, or has failed to get there."""
        while self._saving is not None:
            await asyncio.wait([self._saving])

    def _poll(self) -> None:
        self._timer = self._loop.call_later(POLL_EVERY_S, self._poll)
        self._ask()

    def _ask(self) -> None:
        if self._timer is not None and not self._asking:
            head = command(b"HMGET", self._link.keys.head, *_HEAD_FIELDS)
            self._asking = self._link.send(head, 1, self._on_head)

    def _on_head(self, replies: Replies | None) -> None:
        self._asking = False
        if replies is None:
            return
        try:
            *numbers, key_check = replies[0]
            version, epoch, buckets, updated = [int(field or 0) for field in numbers]
        except (TypeError, ValueError):  # an error reply (loading), or not our head
            return
        differs = other_key(key_check, self._keys.check) and not self._keys.use(key_check, epoch)
        self.key_reason = OTHER_KEY_TEXT if differs else ""
        if updated:
            self.head_updated = float(updated)
        if epoch >= 1 and 1 <= buckets <= layout.MAX_BUCKETS:
            self.epoch = epoch
            self._on_epoch(epoch, buckets)
        if version == self.version:
            self.reason = ""
        if version not in (0, self.version, self._refused):
            blob = command(b"GET", self._link.keys.registry(version))
            self._asking = self._link.send(blob, 1, partial(self._on_blob, version))

    def _on_blob(self, version: int, replies: Replies | None) -> None:
        self._asking = False
        blob = replies[0] if replies else None
        if not isinstance(blob, bytes):  # gone again, or an error: the next poll asks anew
            return
        try:
            published = decode_published(blob)
            if published.registry.version != version:
                raise ValueError(f"snapshot says version {published.registry.version}")
        except ValueError as error:
            self._refuse(version, error)
            return
        self._fetch(_Coming(published, blob, self._held))

    def _fetch(self, coming: _Coming) -> None:
        """The next page, or none is missing: put the version in force."""
        if coming.missing:
            page = command(b"GET", self._link.keys.page(coming.missing[-1]))
            self._asking = self._link.send(page, 1, partial(self._on_page, coming))
        else:
            self._take_up(coming)

    def _on_page(self, coming: _Coming, replies: Replies | None) -> None:
        self._asking = False
        blob = replies[0] if replies else None
        if not isinstance(blob, bytes):  # as with the head
            return
        name = coming.missing.pop()
        try:
            if page_name(blob) != name:
                raise ValueError(f"page {name}: its content has another digest")
            coming.pages[name] = decode_page(blob, self._shared)
        except ValueError as error:
            self._refuse(coming.published.registry.version, error)
            return
        if self._last_good is not None:
            self._unwritten[name] = blob
        self._shared_by += 1
        self._fetch(coming)

    def _take_up(self, coming: _Coming) -> None:
        published = coming.published
        try:
            table = table_of(published, [coming.pages[page.name] for page in published.pages])
            self._on_snapshot(published.registry, table)
        except ValueError as error:
            self._refuse(published.registry.version, error)
            return
        self.version = published.registry.version
        self._held = coming.pages
        if self._shared_by > len(self._held):  # what only pages that are gone had in common goes in the end
            self._shared, self._shared_by = {}, 0
        self._refused = -1
        self.reason = ""
        if self._last_good is not None:
            self._unsaved = coming
            self._save(self._last_good)

    def _refuse(self, version: int, error: ValueError) -> None:
        self._refused = version
        self.refused += 1
        self.reason = f"registry version {version}: {error}"

    def _save(self, path: Path) -> None:
        """In a thread, one at a time: an older version must not overtake a newer one."""
        if self._saving is None and self._unsaved is not None:
            coming, self._unsaved = self._unsaved, None
            self._unwritten = {name: page for name, page in self._unwritten.items() if name in coming.pages}
            pages = dict(self._unwritten)
            self._saving = self._loop.run_in_executor(None, save_last_good, path, coming.blob, pages)
            self._saving.add_done_callback(partial(self._on_saved, path, pages))

    def _on_saved(self, path: Path, pages: dict[str, bytes], saving: asyncio.Future[None]) -> None:
        self._saving = None
        if saving.cancelled() or saving.exception() is not None:  # the next version tries again
            self.save_errors += 1
        else:
            for name in pages:
                self._unwritten.pop(name, None)
        self._save(path)
