"""Where the servers' programs are, and where their sockets go."""

from __future__ import annotations

import os
import stat
import tempfile
from importlib.util import find_spec
from pathlib import Path

from gateway.store.embedded.process import EmbeddedError

MAX_SOCKET_DIR = 90
"""A unix socket's path holds 107 bytes (unix(7)); PostgreSQL appends `/.s.PGSQL.5432`."""


def wheel_program(package: str, relative: str, setting: str) -> Path:
    """A program inside an installed wheel, found without importing it. `setting` is the URL to set where it
    is absent."""
    spec = find_spec(package)
    for root in spec.submodule_search_locations or () if spec else ():
        program = Path(root) / relative
        if os.access(program, os.X_OK):
            return program
    raise EmbeddedError(
        f"no {relative} from the package {package.replace('_', '-')}: install it (pip install "
        f"{package.replace('_', '-')}), or set {setting} to a server of your own"
    )


def run_dir(state_dir: Path) -> Path:
    """`<state>/run`, made private (0700)."""
    run = state_dir / "run"
    run.mkdir(parents=True, exist_ok=True, mode=0o700)
    run.chmod(0o700)
    return run


def socket_dir(state_dir: Path) -> Path:
    """The directory of the sockets: `<state>/run`, or a private one recorded in it where that path is too
    long."""
    run = run_dir(state_dir)
    if len(os.fsencode(run)) <= MAX_SOCKET_DIR:
        return run
    record = run / "sockets.path"
    try:
        known = Path(record.read_text().strip())
        seen = known.lstat()
        if stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.geteuid() and not seen.st_mode & 0o077:
            return known
    except OSError:
        pass  # not made yet, or cleared away with /tmp
    made = Path(tempfile.mkdtemp(prefix="callgate-"))
    record.write_text(f"{made}\n")
    return made


class SocketDir:
    """The directory of one server's sockets: once known it stays, also where somebody empties the run directory, for
    other processes were told of it."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._known: Path | None = None

    @property
    def path(self) -> Path:
        """Where it is; found out, and made, when first asked for."""
        if self._known is None:
            self._known = socket_dir(self._state_dir)
        return self._known

    def make(self) -> Path:
        """Make it again if it is gone. Raises OSError."""
        if not self.path.is_dir():
            self.path.mkdir(mode=0o700, parents=True)
        return self.path
