"""A worker's keys while it runs: the key file read again when it changed, and other nodes told what is held.

A key added to the file is held within a second, and used when the data set is hashed with it (`gate.pseudonym`); what
is sealed from then on names the newest seal key. A file that cannot be used leaves the keys as they are. Cookie keys
are read at the start only.
"""

from __future__ import annotations

from typing import Final

from gateway.gate.pseudonym import PseudonymRing
from gateway.gate.seal import Sealer
from gateway.key_ring import KeyFile
from gateway.keys import Keys, KeysError
from gateway.store.redis.address import command
from gateway.store.redis.client import Asked
from gateway.store.redis.connection import Replies
from gateway.store.redis.held_keys import EVERY_S, Report, encode_report
from gateway.telemetry.logs import get_logger

_log: Final = get_logger(__name__)


class KeyWatch:
    """One per worker; looked after once a second."""

    def __init__(
        self, file: KeyFile, keys: Keys, ring: PseudonymRing, sealer: Sealer, link: Asked, reports: bytes, me: str
    ) -> None:
        """`keys`: as they were at the start. `reports`: the hash in Redis, where `link` leads; `me`: our field."""
        self._file = file
        self._keys = keys
        self._ring = ring
        self._sealer = sealer
        self._link = link
        self._reports = reports
        self._me = me.encode()
        self._told_at = 0.0
        self._told: tuple[Keys, bytes] | None = None

    def look(self, at: float) -> None:
        """Once a second. `at`: epoch seconds."""
        try:
            keys = self._file.changed()
        except (KeysError, OSError) as error:
            _log.error("key file changed, and cannot be used: the keys stay as they were", reason=str(error))
            keys = None
        if keys is not None:
            self._keys = keys
            self._ring.renew([key.secret for key in keys.pseudonyms])
            self._sealer.renew(keys.seal_id, keys.seal, keys.older_seals)
            _log.info("key file read again", pseudonym_keys=len(keys.pseudonyms), seal_keys=len(keys.seals))
        held = (self._keys, self._ring.check)
        if held != self._told or not 0 <= at - self._told_at < EVERY_S:
            self._tell(at)

    def leave(self) -> None:
        """This worker ends: nobody has to wait for it."""
        self._link.send(command(b"HDEL", self._reports, self._me), 1, _ignore)

    def _tell(self, at: float) -> None:
        report = Report(
            at,
            tuple([key.check.hex() for key in self._keys.pseudonyms]),
            tuple([key.check.hex() for key in self._keys.seals]),
            self._ring.check.decode(),
        )
        words = command(b"HSET", self._reports, self._me, encode_report(report))
        if self._link.send(words, 1, _ignore):
            self._told_at, self._told = at, (self._keys, self._ring.check)


def _ignore(replies: Replies | None) -> None:
    """It is told again in a few seconds."""
