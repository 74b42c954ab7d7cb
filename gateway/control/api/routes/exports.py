"""What is stored, in the form that imports read."""

from __future__ import annotations

import asyncio
import io
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse

from gateway.control.api.caller import CHANGERS, Caller, needs
from gateway.control.api.context import Context
from gateway.control.api.problems import ApiError, not_found
from gateway.control.exporter import registry_toml
from gateway.control.importer.problems import NO_PACK
from gateway.control.importer.ranges_csv import write_ranges
from gateway.control.packs import pack_in_force
from gateway.store.sql.engine import mapped_errors
from gateway.store.sql.packs import texts_in_force
from gateway.store.sql.registry import load_snapshot, purpose_titles


class Toml(PlainTextResponse):
    """TOML has no registered type of its own that browsers show; it is text."""

    media_type = "application/toml"


class Csv(PlainTextResponse):
    """RFC 4180."""

    media_type = "text/csv"


def router(context: Context) -> APIRouter:
    """`/exports`."""
    routes = APIRouter(tags=["imports and exports"], default_response_class=Toml)

    @routes.get("/exports/registry", summary="The whole registry, as `imports/registry` reads it")
    async def registry(_: Caller = needs(*CHANGERS)) -> Toml:
        with mapped_errors():
            async with context.patient.connect() as connection:
                snapshot, titles = await load_snapshot(connection), await purpose_titles(connection)
        return Toml(await asyncio.to_thread(registry_toml, snapshot, titles))

    @routes.get(
        "/exports/ranges", summary="All number ranges as CSV, as `imports/ranges` reads them", response_class=Csv
    )
    async def ranges(_: Caller = needs(*CHANGERS)) -> Csv:
        with mapped_errors():
            async with context.patient.connect() as connection:
                rows = (await load_snapshot(connection)).ranges
        out = io.StringIO()
        await asyncio.to_thread(write_ranges, out, rows)
        return Csv(out.getvalue())

    @routes.get("/exports/pack", summary="A rule pack in force, as it was imported")
    async def pack(
        pack: Annotated[str, Query(max_length=64, description="Default: the default pack")] = "",
        _: Caller = needs(*CHANGERS),
    ) -> Toml:
        with mapped_errors():
            async with context.engine.connect() as connection:
                found = pack_in_force(await texts_in_force(connection), pack)
        if not found:
            raise not_found("pack", pack) if pack else ApiError(404, "not-found", NO_PACK)
        return Toml(found)

    return routes
