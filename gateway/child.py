"""Entry point of the supervisor's children: `python -m gateway.child worker 0`, `… shipper`, `… control`.

Imports as little as it can before it knows what it is: a killed worker must be back at once. Its settings
come checked, as JSON, in the environment; it dies with its supervisor, however that ends.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from gateway.process import EX_CONFIG, SETTINGS_VARIABLE, SOCKETS_VARIABLE, SUPERVISOR_VARIABLE
from gateway.settings import Settings, from_json

_PR_SET_PDEATHSIG = 1


def die_with(supervisor: int) -> None:
    """Get SIGKILL when process `supervisor`, our parent, ends (prctl(2)); exit now if it is gone already."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != supervisor:
        raise SystemExit(0)


def run_part(part: str, settings: Settings, index: int = 0) -> None:
    """Run one part in this process until it is told to stop (SIGTERM or SIGINT)."""
    if part == "worker":
        from gateway.worker import run_worker

        run_worker(settings, index, os.environ.get(SOCKETS_VARIABLE, ""))
    elif part == "shipper":
        from gateway.control.ship import run_ship

        run_ship(settings)
    elif part == "control":
        from gateway.control.main import run_control

        run_control(settings)
    else:
        raise ValueError(f"no part {part!r}: worker, shipper or control")


def main(argv: list[str]) -> None:
    """`argv`: the part and, for a worker, its index."""
    supervisor = os.environ.get(SUPERVISOR_VARIABLE)
    if supervisor is not None:
        die_with(int(supervisor))
    try:
        settings = from_json(os.environ[SETTINGS_VARIABLE])
    except (KeyError, ValueError) as error:
        sys.stderr.write(f"gateway.child is started by `callgate run` only: {error!r}\n")
        raise SystemExit(EX_CONFIG) from None
    part = argv[0]
    index = int(argv[1]) if len(argv) > 1 else 0

    from gateway.telemetry.logs import configure_logs

    configure_logs(settings.log, f"{part}-{index}" if part == "worker" else part)
    run_part(part, settings, index)


if __name__ == "__main__":
    main(sys.argv[1:])
