"""Data files that come with the program: numbering plans, rule packs, calendars of working days.

In a source tree they are under `config/`; an installed package has them under `share/callgate` of its prefix, so that
`plan.file = "cn"` works wherever the registry file is.
"""

from __future__ import annotations

import sys
from pathlib import Path

_SOURCE_TREE = Path(__file__).parent.parent / "config"


def shipped(kind: str, name: str) -> Path:
    """Where the file `name` of `kind` (`plans`, `packs`, `calendars`) is; the path may not exist."""
    installed = Path(sys.prefix) / "share" / "callgate"
    home = _SOURCE_TREE if (_SOURCE_TREE / kind).is_dir() else installed
    return home / kind / name
