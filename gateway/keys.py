"""The deployment's secrets: one file, mode 0600, made at first start and shared by all nodes; or its text in
`CALLGATE_KEYS`, where secrets come by the environment.

Three rings, newest key first: `cookie` (dialog cookies' MACs), `pseudonym` (keyed hashes of subscriber numbers),
`seal` (encryption of personal data). A new key is put at the head of its ring; the older ones stay as long as
something made with them must still be read. What is sealed names its key. Which pseudonym key is in use is no matter
of the file: the data set says it (`Key.check`), in PostgreSQL and in the head of Redis, so that all change at once.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

KEY_BYTES: Final = 32
MAX_ID: Final = 255
"""A key id is one byte in cookies and sealed texts."""

MAX_RING: Final = 16
"""Keys in one ring: far more than rotations that overlap."""

VARIABLE: Final = "CALLGATE_KEYS"
"""Where it is set, it holds the text of the key file, and no file is read."""

CHECK_BYTES: Final = 8
_CHECK: Final = b"callgate key check"
"""No number: its hash proves which key something was made with, and tells nothing else of it."""


class KeysError(Exception):
    """The key file cannot be used; the text names the file, what is wrong and the fix."""


class Key(NamedTuple):
    """One secret of 32 bytes and the id it is found by: (id, secret)."""

    id: int
    secret: bytes

    @property
    def check(self) -> bytes:
        """8 bytes that prove the key: what the data set and the heads of Redis name it by."""
        return blake2b(_CHECK, digest_size=CHECK_BYTES, key=self.secret).digest()

    def __repr__(self) -> str:
        return f"Key(id={self.id})"  # a secret must not get into a log through a traceback


@dataclass(frozen=True, slots=True)
class Keys:
    """The three rings, newest key first, never empty."""

    cookies: tuple[Key, ...]
    pseudonyms: tuple[Key, ...]
    seals: tuple[Key, ...]

    @property
    def pseudonym(self) -> bytes:
        """The key numbers are hashed with: the newest one, or the one that `using` has put first."""
        return self.pseudonyms[0].secret

    @property
    def lasting(self) -> bytes:
        """The oldest pseudonym key, for what must stay the same when one is added: derived ids, fingerprints."""
        return min(self.pseudonyms).secret

    def using(self, check: bytes) -> Keys | None:
        """The rings with the pseudonym key of this check first; None where we have no such key."""
        first = next((key for key in self.pseudonyms if key.check == check), None)
        if first is None:
            return None
        return replace(self, pseudonyms=(first, *(key for key in self.pseudonyms if key is not first)))

    @property
    def seal(self) -> bytes:
        """The key texts are sealed with now."""
        return self.seals[0].secret

    @property
    def seal_id(self) -> int:
        """Its id."""
        return self.seals[0].id

    @property
    def older_seals(self) -> dict[int, bytes]:
        """Keys that older texts are opened with, by id."""
        return {key.id: key.secret for key in self.seals[1:]}


class _FileKey(msgspec.Struct, forbid_unknown_fields=True):
    id: int
    key: str
    """64 hex digits."""


class _File(msgspec.Struct, forbid_unknown_fields=True):
    cookie: list[_FileKey]
    pseudonym: list[_FileKey]
    seal: list[_FileKey]


def load_or_create(path: Path) -> Keys:
    """The keys in `path`; where there is no file, fresh keys, kept in it. Several processes may call it at once:
    all get the same keys. Raises KeysError."""
    try:
        if not from_environment() and not path.exists():
            _create(path)
        return load(path)
    except OSError as error:
        raise KeysError(f"key file {path}: {error.strerror}: make it readable for this user alone") from error


def from_environment() -> bool:
    """Do the keys come by the environment?"""
    return bool(os.environ.get(VARIABLE))


def load(path: Path) -> Keys:
    """The keys in an existing file, or in the environment. Raises KeysError, OSError."""
    if text := os.environ.get(VARIABLE):
        return _decode(VARIABLE, text.encode())
    mode = path.stat().st_mode
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeysError(f"key file {path}: mode {stat.filemode(mode)}: others may read it: chmod 600 {path}")
    return _decode(f"key file {path}", path.read_bytes())


def _decode(place: str, text: bytes) -> Keys:
    try:
        file = msgspec.json.decode(text, type=_File)
    except msgspec.MsgspecError as error:
        raise KeysError(f"{place}: {error}: restore it from a copy") from None
    return Keys(
        _ring(place, "cookie", file.cookie), _ring(place, "pseudonym", file.pseudonym), _ring(place, "seal", file.seal)
    )


def generate() -> Keys:
    """Fresh random keys, one in each ring."""
    return Keys(*((Key(1, secrets.token_bytes(KEY_BYTES)),) for _ in range(3)))


def encode(keys: Keys) -> bytes:
    """The file's text."""
    rings = [
        [_FileKey(key.id, key.secret.hex()) for key in ring] for ring in (keys.cookies, keys.pseudonyms, keys.seals)
    ]
    return msgspec.json.format(msgspec.json.encode(_File(*rings)), indent=2) + b"\n"


def _create(path: Path) -> None:
    """Write fresh keys beside `path` and link them into place: complete from the first moment, and the first
    process to link wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with beside(path, encode(generate())) as fresh, contextlib.suppress(FileExistsError):
        os.link(fresh, path)


@contextlib.contextmanager
def beside(path: Path, text: bytes) -> Iterator[Path]:
    """A file in the directory of `path`, for this user alone, with `text` on the disk; gone at the end, unless it was
    renamed. Raises OSError."""
    fd, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    fresh = Path(name)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        yield fresh
    finally:
        fresh.unlink(missing_ok=True)


def _ring(place: str, name: str, entries: list[_FileKey]) -> tuple[Key, ...]:
    if not 1 <= len(entries) <= MAX_RING:
        raise KeysError(f"{place}: {name}: {len(entries)} keys: keep 1 to {MAX_RING}")
    keys: list[Key] = []
    for entry in entries:
        if not 1 <= entry.id <= MAX_ID or any(key.id == entry.id for key in keys):
            raise KeysError(f"{place}: {name}: id {entry.id}: use each of 1 to {MAX_ID} once")
        try:
            secret = bytes.fromhex(entry.key)
        except ValueError:
            secret = b""
        if len(secret) != KEY_BYTES:
            raise KeysError(f"{place}: {name}: key {entry.id}: write {2 * KEY_BYTES} hex digits")
        keys.append(Key(entry.id, secret))
    return tuple(keys)
