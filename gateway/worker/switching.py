"""Puts a registry in force in every part of a worker that goes by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.gate.pack import PackError
from gateway.gate.pack_set import engines, load_stored
from gateway.registry.model import Snapshot
from gateway.registry.ranges import RangeTable
from gateway.registry.registry import Registry
from gateway.telemetry.logs import get_logger
from gateway.worker.login_table import LoginTable
from gateway.worker.peers import Located, PeerBook
from gateway.worker.probing import probed_hops

if TYPE_CHECKING:
    from gateway.worker.main import Worker

_log = get_logger(__name__)


def switch(worker: Worker, snapshot: Snapshot, ranges: RangeTable) -> None:
    """Compile a snapshot and put it in force; with the first, the worker begins to receive. Raises ValueError, with the
    old one kept, if it is unusable."""
    try:
        packs = load_stored(snapshot.packs, f"registry version {snapshot.version}")
    except PackError as error:
        raise ValueError(str(error)) from error
    registry = Registry(snapshot, ranges)
    logins = _login_table(worker, registry)
    book = PeerBook(registry, worker.every_listener, worker.book, logins, worker.locating.located)
    worker.book = book
    judging = engines(packs, registry, worker.faults.rule)
    worker.counters.watching = any(one.ladder for one in (judging.default, *judging.by_trunk.values()))
    worker.gate.switch(registry, judging.default, judging.by_trunk)
    worker.channels.limited = tuple([trunk.id for trunk in registry.trunks if trunk.channels or trunk.cps])
    worker.keeper.switch(registry, book)
    worker.edge.forget_sources()
    worker.stats.registry_version = registry.version
    worker.stats.feeds = {feed.id: (feed.issued_at, feed.max_age_s) for feed in snapshot.feeds}
    if not worker.listening:
        worker.listening = True
        worker.edge.start(worker.core)
    worker.locating.follow(book.names)
    worker.probing.follow(probed_hops(book, worker.settings))
    _log.info("registry in force", version=registry.version, packs=packs.labels)


def relocate(worker: Worker, located: Located) -> None:
    """Names of next hops have other addresses now."""
    if worker.book is not None:
        worker.book.relocate(located)
        worker.probing.follow(probed_hops(worker.book, worker.settings))


def _login_table(worker: Worker, registry: Registry) -> LoginTable:
    table = LoginTable(registry, [listener.name for listener in worker.settings.listener], worker.sealer)
    for trunk, user in table.unreadable:
        _log.error("digest secret was sealed with another key file (callgate trunk secret)", trunk=trunk, user=user)
    return table
