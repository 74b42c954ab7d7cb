"""How a subscriber's number is stored: keyed hash to find it by, sealed to reveal it by."""

from __future__ import annotations

from gateway.gate.pseudonym import Pseudonymizer
from gateway.gate.seal import Sealer
from gateway.keys import Keys

_CHECK = "callgate key check"
"""No number: its hash proves which key the stored hashes were made with."""


class Subscribers:
    """The deployment's keys at work."""

    def __init__(self, keys: Keys) -> None:
        self.hash = Pseudonymizer(keys.pseudonym).hash
        self._seal = Sealer(keys.seal_id, keys.seal).seal

    def seal(self, canonical: str) -> str:
        """The number sealed, base64."""
        return self._seal(canonical.encode("ascii"))

    @property
    def check(self) -> bytes:
        """Proof of the key, for `dataset.claim_key`."""
        return self.hash(_CHECK)
