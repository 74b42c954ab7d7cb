"""A second, independent reader of SIP: Kamailio, which answers a request with what it read (`kamailio_reads.cfg`)."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.gateway_process import free_port

PROGRAM = "kamailio"
MODULES = ("/usr/lib/x86_64-linux-gnu/kamailio/modules/", "/usr/lib64/kamailio/modules/", "/usr/lib/kamailio/modules/")
TEMPLATE = Path(__file__).with_name("kamailio_reads.cfg")
START_S = 20.0
ANSWER_S = 0.3

PROBE = (
    b"OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKprobe;rport\r\n"
    b"From: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:b@127.0.0.1>\r\nCall-ID: probe\r\nCSeq: 1 OPTIONS\r\n"
    b"Content-Length: 0\r\n\r\n"
)

Reading = dict[str, str]
"""`method target from to asserted call-id body …`, as in the configuration; `<null>` where there is none."""


class KamailioReads:
    """One Kamailio process on a free port of the loopback."""

    def __init__(self) -> None:
        self._port = free_port()
        self._directory = Path(tempfile.mkdtemp(prefix="cgkam-"))
        self._log = self._directory / "kamailio.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))

    def __enter__(self) -> Self:
        text = TEMPLATE.read_text().replace("@PORT@", str(self._port))
        config = self._directory / "kamailio.cfg"
        config.write_text(text.replace("@MODULES@", next(path for path in MODULES if Path(path).exists())))
        run = str(self._directory)
        command = [PROGRAM, "-f", str(config), "-DD", "-E", "-m", "64", "-M", "16", "-Y", run, "-w", run]
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START_S
        while not self._ask(PROBE, 0.2):
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = self._log.read_text(errors="replace")[-3000:]
                self.close()
                raise AssertionError(f"kamailio does not answer:\n{said}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it with its children, which a TERM to the first process does."""
        self._socket.close()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(START_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)

    def read(self, data: bytes) -> Reading | None:
        """What it reads in a request (not an ACK, which nobody answers); None when it cannot read it."""
        answer = self._ask(data, ANSWER_S)
        if not answer.startswith(b"SIP/2.0 200 Read\r\n"):
            return None
        reading: Reading = {}
        for line in answer.decode("utf-8", "replace").split("\r\n"):
            name, _, value = line.partition(": ")
            if name.startswith("X-"):
                assert name not in reading, f"{name} twice in {answer!r}"
                reading[name[2:].lower()] = value
        return reading

    def _ask(self, data: bytes, timeout_s: float) -> bytes:
        with suppress(BlockingIOError):
            self._socket.setblocking(False)
            while True:  # answers that came too late
                self._socket.recv(65_535)
        self._socket.settimeout(timeout_s)
        self._socket.sendto(data, ("127.0.0.1", self._port))
        try:
            return self._socket.recv(65_535)
        except (TimeoutError, ConnectionRefusedError):
            time.sleep(0.02)
            return b""
