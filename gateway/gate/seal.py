"""Sealed text: personal data and raw headers encrypted with AES-256-GCM, as base64.

Bytes: version (1), key id (1), salt (16), nonce (12), ciphertext and tag. Each sealer draws a salt and encrypts under
a key derived from it: random nonces under one key are good for 2^32 texts, and a carrier writes those in months.
"""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import blake2b
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

TEXTS_PER_SALT: Final = 1 << 30
"""A new salt after this many: a quarter of what random nonces allow (NIST SP 800-38D section 8.3)."""

MAX_CIPHERS: Final = 256
"""Derived keys kept for opening: one per sealer that wrote what is read."""

_encode_json: Final = msgspec.json.Encoder().encode


class SealError(ValueError):
    """Not a sealed text, altered, or sealed with a key that is not there."""


class Sealer:
    """Seals with one key, opens with that and with older ones."""

    __slots__ = ("_cipher", "_ciphers", "_head", "_key_id", "_keys", "_left")

    def __init__(self, key_id: int, key: bytes, older: Mapping[int, bytes] | None = None) -> None:
        """`key`: 32 bytes, `key_id` 1..255. `older`: keys that old texts were sealed with, by id."""
        self._keys = {**(older or {}), key_id: key}
        if any(len(secret) != 32 or not 1 <= id_ <= 255 for id_, secret in self._keys.items()):
            raise ValueError("seal keys have 32 bytes and ids 1 to 255")
        self._key_id = key_id
        self._ciphers: dict[bytes, AESGCM] = {}
        self._draw_salt()

    def seal(self, data: bytes | dict[str, Any]) -> str:
        """Encrypt bytes, or a dict as JSON."""
        if self._left <= 0:
            self._draw_salt()
        self._left -= 1
        nonce = os.urandom(_NONCE_BYTES)
        text = data if isinstance(data, bytes) else _encode_json(data)
        return b64encode(self._head + nonce + self._cipher.encrypt(nonce, text, self._head)).decode("ascii")

    def open(self, sealed: str) -> bytes:
        """What was sealed. Raises SealError."""
        try:
            raw = b64decode(sealed, validate=True)
        except ValueError as error:
            raise SealError(f"not a sealed text: {error}") from None
        if len(raw) < _TEXT_AT + _TAG_BYTES or raw[:1] != _VERSION:
            raise SealError("not a sealed text")
        head = raw[:_NONCE_AT]
        try:
            return self._opener(head).decrypt(raw[_NONCE_AT:_TEXT_AT], raw[_TEXT_AT:], head)
        except InvalidTag:
            raise SealError("the sealed text was altered, or its key was exchanged") from None

    def _draw_salt(self) -> None:
        self._left = TEXTS_PER_SALT
        self._head = _VERSION + bytes((self._key_id,)) + os.urandom(_SALT_BYTES)
        self._cipher = self._derive(self._head)

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
