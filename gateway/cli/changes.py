"""Commands that change one thing: consents and refusals. Same checks and audit as imports."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.common import Config, PrincipalName, examples, keys_of, principal_of, utc, with_database
from gateway.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

consent = typer.Typer(help="Consents of callees.", no_args_is_help=True)
refusal = typer.Typer(help="Refusals of callees.", no_args_is_help=True)

Callee = Annotated[str, typer.Option(metavar="NUMBER", help="The callee: +8613800138000 or a short code.")]
OperatorId = Annotated[str, typer.Option(metavar="ID", help="Operator id.")]
Purpose = Annotated[str, typer.Option(metavar="NAME", help="Purpose, such as consultation.")]
Scope = Annotated[str, typer.Option(metavar="SCOPE", help="all, category, caller_prefix, caller or operator.")]
Value = Annotated[
    str, typer.Option(metavar="VALUE", help="What the scope means: purpose, digits, number or operator id.")
]
Source = Annotated[str, typer.Option(metavar="TEXT", help="Where it was heard.")]
Home = Annotated[str, typer.Option(metavar="ID", help="Resale operator whose user it is; default: a user of ours.")]
Band = Annotated[
    str, typer.Option(metavar="BAND", help="Hours in which it counts, callee's time: 'mon-fri 12:00-14:00'.")
]
Agreement = Annotated[str, typer.Option(metavar="TEXT", help="How the user agreed, such as 'sms 2024-05-01'.")]
At = Annotated[datetime | None, typer.Option(help="When it happened (UTC); default now.")]


def register(app: typer.Typer) -> None:
    """Add this family."""
    app.add_typer(consent, name="consent")
    app.add_typer(refusal, name="refusal")


@consent.command(
    "grant",
    epilog=examples(
        "callgate consent grant --callee +8613800138000 --operator alpha --purpose consultation",
        "callgate consent grant --callee +8613800138000 --operator alpha --purpose consultation "
        "--expires 2030-01-01 --evidence-uri https://consents.example/1",
    ),
)
def grant(
    callee: Callee,
    operator: OperatorId,
    purpose: Purpose,
    expires: Annotated[datetime | None, typer.Option(help="End (UTC); default none.")] = None,
    evidence_uri: Annotated[str, typer.Option(metavar="URI", help="Where the proof is kept.")] = "",
    evidence_sha256: Annotated[str, typer.Option(metavar="HEX", help="SHA-256 of the proof.")] = "",
    evidence_method: Annotated[
        str, typer.Option(metavar="NAME", help="How it was given: call, web, app, sms, paper, in_person, other.")
    ] = "",
    evidence_at: Annotated[datetime | None, typer.Option(help="When the proof was taken (UTC).")] = None,
    at: At = None,
    principal: PrincipalName = "",
    config: Config = None,
) -> None:
    """Record that a callee allows an operator to call for a purpose."""

    async def work(settings: Settings, engine: AsyncEngine) -> bool:
        from gateway.control.importer.consents import grant_consent

        return await grant_consent(
            engine, keys_of(settings), callee, operator, purpose, utc(expires), evidence_uri or None, utc(at),
            principal=principal_of(principal), evidence_sha256=evidence_sha256, evidence_method=evidence_method,
            evidence_at=utc(evidence_at),
        )  # fmt: skip

    _report("consent granted", with_database(config, work))


@consent.command(
    "revoke",
    epilog=examples("callgate consent revoke --callee +8613800138000 --operator alpha --purpose consultation"),
)
def revoke(
    callee: Callee,
    operator: OperatorId,
    purpose: Purpose,
    at: At = None,
    principal: PrincipalName = "",
    config: Config = None,
) -> None:
    """Record that a callee took a consent back."""

    async def work(settings: Settings, engine: AsyncEngine) -> bool:
        from gateway.control.importer.consents import revoke_consent

        return await revoke_consent(
            engine, keys_of(settings), callee, operator, purpose, utc(at), principal=principal_of(principal)
        )

    _report("consent revoked", with_database(config, work))


@refusal.command(
    "add",
    epilog=examples(
        "callgate refusal add --callee +8613800138000    (every call)",
        "callgate refusal add --callee +8613800138000 --scope category --value consultation",
        "callgate refusal add --callee +8613800138000 --scope caller_prefix --value +86571",
    ),
)
def add(
    callee: Callee,
    scope: Scope = "all",
    value: Value = "",
    source: Source = "",
    band: Band = "",
    home: Home = "",
    agreement: Agreement = "",
    at: At = None,
    principal: PrincipalName = "",
    config: Config = None,
) -> None:
    """Record that a callee declines calls."""

    async def work(settings: Settings, engine: AsyncEngine) -> bool:
        from gateway.control.importer.refusals import add_refusal

        return await add_refusal(
            engine, keys_of(settings), callee, scope, value, source, utc(at), principal=principal_of(principal),
            band=band, home=home, agreement=agreement,
        )  # fmt: skip

    _report("refusal declared", with_database(config, work))


@refusal.command(
    "withdraw",
    epilog=examples("callgate refusal withdraw --callee +8613800138000    (what `add` with the same scope declared)"),
)
def withdraw(
    callee: Callee,
    scope: Scope = "all",
    value: Value = "",
    source: Source = "",
    band: Band = "",
    home: Home = "",
    agreement: Agreement = "",
    at: At = None,
    principal: PrincipalName = "",
    config: Config = None,
) -> None:
    """Record that a callee took a refusal back."""

    async def work(settings: Settings, engine: AsyncEngine) -> bool:
        from gateway.control.importer.refusals import withdraw_refusal

        return await withdraw_refusal(
            engine, keys_of(settings), callee, scope, value, source, utc(at), principal=principal_of(principal),
            band=band, home=home, agreement=agreement,
        )  # fmt: skip

    _report("refusal withdrawn", with_database(config, work))


def _report(done: str, changed: bool) -> None:
    typer.echo(done if changed else "nothing to change: a newer event, or the same one, is stored already")
