"""`callgate explain` and `callgate demo`: why a call would pass or not, and the whole gate shown at work."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.common import AsJson, Config, friendly, load


def register(app: typer.Typer) -> None:
    """Add this family."""
    app.command("explain")(explain)
    app.command("demo")(demo)
