"""Idempotency keys: the answer to a change, kept so that the same request sent again gets it again.

A key is claimed before the change and gets its answer after it. One that is claimed and has no answer after CLAIM_S was
left behind by a process that died: the next request takes it over. Changes are ordered by event time, or find what they
would make already there, so doing one twice does no harm; the key saves the client from having to know that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.store.sql.engine import mapped_errors

KEEP_HOURS: Final = 24
CLAIM_S: Final = 60
"""Longer than any change takes that is not an import."""
PURGED: Final = 100
"""Old keys deleted with each new one: more than come in, so they do not pile up."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What is known of a key that is not ours to work on."""

    same: bool
    """The request is the one the key came with first."""
    status: int | None
    """None: it is being worked on."""
    content_type: str
    body: bytes | None
    """None: the answer is not kept (it held a secret, or was too large)."""


async def claim(engine: AsyncEngine, token: int, key: str, fingerprint: bytes) -> Stored | None:
    """Take a key; None: it is ours. Raises Unavailable."""
    values = {"token": token, "key": key, "fingerprint": fingerprint, "hours": KEEP_HOURS, "claim": CLAIM_S}
    with mapped_errors():
        async with engine.begin() as connection:
            await connection.execute(_PURGE, {"hours": KEEP_HOURS, "most": PURGED})
            if (await connection.execute(_CLAIM, values)).one_or_none() is not None:
                return None
            found = (await connection.execute(_FIND, {"token": token, "key": key})).one_or_none()
    if found is None:  # given back by another request just now
        return Stored(True, None, "", None)
    body = None if found[3] is None else bytes(found[3])
    return Stored(bytes(found[0]) == fingerprint, found[1], found[2] or "", body)


async def answered(
    engine: AsyncEngine, token: int, key: str, status: int, content_type: str, body: bytes | None
) -> None:
    """Keep the answer. Raises Unavailable."""
    with mapped_errors():
        async with engine.begin() as connection:
            await connection.execute(
                _ANSWER, {"token": token, "key": key, "status": status, "content_type": content_type, "body": body}
            )


async def release(engine: AsyncEngine, token: int, key: str) -> None:
    """Give the key back: nothing was done. Raises Unavailable."""
    with mapped_errors():
        async with engine.begin() as connection:
            await connection.execute(
                text("DELETE FROM idempotency_keys WHERE token = :token AND key = :key AND status IS NULL"),
                {"token": token, "key": key},
            )


_PURGE = text(
    "DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY(SELECT ctid FROM idempotency_keys "
    "WHERE at < now() - make_interval(hours => :hours) ORDER BY at LIMIT :most FOR UPDATE SKIP LOCKED))"
)
_CLAIM = text(
    "INSERT INTO idempotency_keys AS k (token, key, fingerprint) VALUES (:token, :key, :fingerprint) "
    "ON CONFLICT (token, key) DO UPDATE SET fingerprint = excluded.fingerprint, at = now(), status = NULL, "
    "content_type = NULL, body = NULL WHERE k.at < now() - make_interval(hours => :hours) "
    "OR k.status IS NULL AND k.fingerprint = excluded.fingerprint AND k.at < now() - make_interval(secs => :claim) "
    "RETURNING true"
)
_FIND = text(
    "SELECT fingerprint, status, content_type, body FROM idempotency_keys WHERE token = :token AND key = :key"
)
_ANSWER = text(
    "UPDATE idempotency_keys SET status = :status, content_type = :content_type, body = :body "
    "WHERE token = :token AND key = :key"
)
