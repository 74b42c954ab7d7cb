"""Sealed text: personal data and raw headers encrypted with AES-256-GCM, as base64.

Bytes: version (1), key id (1), salt (16), nonce (12), ciphertext and tag. Each sealer draws a random salt and encrypts
under a key derived from it, which nobody else has: its nonces are counted (NIST SP 800-38D section 8.2.1), for a random
one costs a system call, and is good for 2^32 texts only. A process that forks makes its sealers anew.
"""

from __future__ import annotations

import os
from base64 import b64decode
from binascii import b2a_base64
from collections.abc import Mapping
from hashlib import blake2b
from itertools import count
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION: Final = b"\x01"
_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_NONCE_AT: Final = 2 + _SALT_BYTES
_TEXT_AT: Final = _NONCE_AT + _NONCE_BYTES
_TAG_BYTES: Final = 16

TEXTS_PER_SALT = 1 << 30
"""A new salt, and with it a new key, after this many (NIST SP 800-38D section 8.3 allows 2^32)."""

MAX_CIPHERS = 256
"""Derived keys kept for opening: one per sealer that wrote what is read."""

_encode_json: Final = msgspec.json.Encoder().encode


class SealError(ValueError):
    """Not a sealed text, altered, or sealed with a key that is not there."""


class Sealer:
    """Seals with one key, opens with that and with older ones."""

    __slots__ = ("_ciphers", "_key_id", "_keys", "_series")

    def __init__(self, key_id: int, key: bytes, older: Mapping[int, bytes] | None = None) -> None:
        """`key`: 32 bytes, `key_id` 1..255. `older`: keys that old texts were sealed with, by id."""
        self._keys = {**(older or {}), key_id: key}
        if any(len(secret) != 32 or not 1 <= id_ <= 255 for id_, secret in self._keys.items()):
            raise ValueError("seal keys have 32 bytes and ids 1 to 255")
        self._key_id = key_id
        self._ciphers: dict[bytes, AESGCM] = {}
        self._series = self._draw_salt()

    def seal(self, data: bytes | dict[str, Any]) -> str:
        """Encrypt bytes, or a dict as JSON."""
        text = data if isinstance(data, bytes) else _encode_json(data)
        return b2a_base64(self.encrypt(text), newline=False).decode("ascii")

    def encrypt(self, text: bytes) -> bytes:
        """As `seal`, without the base64."""
        head, cipher, numbers = self._series
        number = next(numbers)  # one step for the interpreter: no two threads get the same
        if number >= TEXTS_PER_SALT:
            self._series = head, cipher, numbers = self._draw_salt()
            number = next(numbers)
        nonce = number.to_bytes(_NONCE_BYTES, "big")
        return head + nonce + cipher.encrypt(nonce, text, head)

    def open(self, sealed: str) -> bytes:
        """What was sealed. Raises SealError."""
        try:
            raw = b64decode(sealed, validate=True)
        except ValueError as error:
            raise SealError(f"not a sealed text: {error}") from None
        return self.decrypt(raw)

    def decrypt(self, raw: bytes) -> bytes:
        """What was encrypted. Raises SealError."""
        if len(raw) < _TEXT_AT + _TAG_BYTES or raw[:1] != _VERSION:
            raise SealError("not a sealed text")
        head = raw[:_NONCE_AT]
        try:
            return self._opener(head).decrypt(raw[_NONCE_AT:_TEXT_AT], raw[_TEXT_AT:], head)
        except InvalidTag:
            raise SealError("the sealed text was altered, or its key was exchanged") from None

    def _draw_salt(self) -> tuple[bytes, AESGCM, count[int]]:
        """What stands before the nonce, the cipher under its key, and the numbers of its texts."""
        head = _VERSION + bytes((self._key_id,)) + os.urandom(_SALT_BYTES)
        return head, self._derive(head), count()

    def _opener(self, head: bytes) -> AESGCM:
        cipher = self._ciphers.get(head)
        if cipher is None:
            if len(self._ciphers) >= MAX_CIPHERS:
                self._ciphers.clear()
            cipher = self._ciphers[head] = self._derive(head)
        return cipher

    def _derive(self, head: bytes) -> AESGCM:
        key = self._keys.get(head[1])
        if key is None:
            raise SealError(f"sealed with key {head[1]}, which is not in the key file")
        return AESGCM(blake2b(head, digest_size=32, key=key, person=b"callgate seal").digest())
