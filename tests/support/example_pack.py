"""The example's rule pack, and what it is called: a changed text is another version, so no test repeats the number."""

from __future__ import annotations

from gateway.control.record import pack_label
from tests.support.database import ROOT

TEXT = (ROOT / "config" / "packs" / "example.toml").read_text(encoding="utf-8")
LABEL = pack_label(TEXT)
"""`id@version`."""
