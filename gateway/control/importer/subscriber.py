"""How a subscriber's number is stored: keyed hash to find it by, sealed to reveal it by."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.gate.pseudonym import Pseudonymizer
from gateway.gate.seal import Sealer
from gateway.keys import Keys
from gateway.store.ports import Conflict
from gateway.store.sql import dataset

FOREIGN_KEY = (
    "keys: the stored numbers were hashed with another pseudonym key: put back the key file they were made with"
)


async def keys_in_force(connection: AsyncConnection, keys: Keys) -> Keys:
    """The rings with the pseudonym key first that the stored numbers are hashed with; it stays in force until commit.
    With another key every hash would miss: no refusal would be found again, and nobody would notice. Raises
    Conflict."""
    found = keys.using(await dataset.claim_key(connection, keys.pseudonyms[0].check))
    if found is None:
        raise Conflict(FOREIGN_KEY)
    return found


class Subscribers:
    """The deployment's keys at work."""

    def __init__(self, keys: Keys) -> None:
        self.hash = Pseudonymizer(keys.pseudonym).hash
        self._seal = Sealer(keys.seal_id, keys.seal).seal

    def seal(self, canonical: str) -> str:
        """The number sealed, base64."""
        return self._seal(canonical.encode("ascii"))
