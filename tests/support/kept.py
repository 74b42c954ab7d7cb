"""Leaves a registry on disk as a worker's last good one."""

from __future__ import annotations

from pathlib import Path

from gateway.registry.model import Snapshot
from gateway.store.redis.lastgood import save_last_good
from gateway.store.redis.publication import encode_published, published_whole


def keep(path: Path, snapshot: Snapshot) -> None:
    published, pages = published_whole(snapshot)
    save_last_good(path, encode_published(published), pages)
