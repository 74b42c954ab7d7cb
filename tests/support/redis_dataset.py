"""Writes a small projection into a test's Redis, by `gateway.store.redis.layout` and nothing else."""

from __future__ import annotations

import redis

from gateway.registry.model import Snapshot
from gateway.store.ports import ScopedRefusal
from gateway.store.redis import layout
from gateway.store.redis.publication import encode_published, published_whole


class Dataset:
    """One dataset epoch."""

    def __init__(self, client: redis.Redis, epoch: int, buckets: int) -> None:
        self._client = client
        self.epoch = epoch
        self.buckets = buckets

    def publish(self, registry: int = 1) -> None:
        """Mark every bucket and switch the head to this epoch."""
        with self._client.pipeline(transaction=False) as pipe:
            for bucket in range(self.buckets):
                value = layout.marker_value(self.epoch)
                pipe.hset(layout.consents_key(self.epoch, bucket), layout.MARKER_FIELD, value)
                pipe.sadd(layout.refusals_key(self.epoch, bucket), layout.marker_member(self.epoch))
            pipe.hset(layout.HEAD_KEY, mapping=layout.encode_head(registry, self.epoch, self.buckets, 0.0))
            pipe.execute()

    def consent(self, callee: bytes, operator: int, purpose: int, value: bytes) -> None:
        key = layout.consents_key(self.epoch, self._bucket(callee))
        self._client.hset(key, layout.consent_field(callee, operator, purpose), value)

    def grant(self, callee: bytes, operator: int, purpose: int, expires_at: float | None = None) -> None:
        self.consent(callee, operator, purpose, layout.encode_live(expires_at))

    def refuse(self, callee: bytes, category: int = layout.REFUSES_ALL) -> None:
        key = layout.refusals_key(self.epoch, self._bucket(callee))
        self._client.sadd(key, layout.refusal_member(callee, category))

    def refuse_scoped(self, callee: bytes, *refusals: ScopedRefusal) -> None:
        key = layout.consents_key(self.epoch, self._bucket(callee))
        self._client.hset(key, layout.scoped_field(callee), layout.encode_scoped(refusals))

    def drop_bucket(self, callee: bytes) -> None:
        """Lose one bucket's consents, as a bad restore would."""
        self._client.delete(layout.consents_key(self.epoch, self._bucket(callee)))

    def publish_registry(self, snapshot: Snapshot) -> None:
        """Store a registry snapshot and name it in the head."""
        published, pages = published_whole(snapshot)
        for name, page in pages.items():
            self._client.set(layout.page_key(name), page)
        self._client.set(layout.registry_key(snapshot.version), encode_published(published))
        self._client.hset(layout.HEAD_KEY, layout.HEAD_REGISTRY, b"%d" % snapshot.version)

    def _bucket(self, callee: bytes) -> int:
        return layout.bucket_of(callee, self.buckets)
