"""`callgate demo`: one call of every kind against the running gateway, by telephones on the example's addresses."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from time import monotonic
from typing import TypeVar

from rich.table import Table

from gateway.cli.common import keys_of, located, print_table
from gateway.cli.phones import Address, AnsweringPhone, Phone, PlacedCall, ask_options, place_call
from gateway.settings import Settings
from gateway.sip.message import Headers
from gateway.store.ports import StoreError

ALPHA_HOST, CARRIER_HOST = "127.0.0.2", "127.0.0.9"
ALPHA, ALPHA_INBOUND_ONLY, BETA = "+8657112340001", "+864001230001", "+8657156780001"
CONSENTED, DECLINED, UNKNOWN = "+8613800138000", "+8613800138001", "+8613900139000"
"""Numbers of the example's consents and refusals, as they are shipped. README changes nothing about them, so that
the demo ends the same whatever was tried before."""

REVOKED = "+8613700137000"
"""A number whose consent the demo itself grants and revokes, through the same functions as the command line."""

IN_EFFECT_S = 3.0
"""How long a change may take to reach the workers before the demo calls it late; a second is what is promised."""

P = TypeVar("P", bound=Phone)


@dataclass(slots=True)
class Kind:
    """One kind of call and what should come of it."""

    name: str
    caller: str
    callee: str
    status: int
    rule: str
    inbound: bool = False
    headers: Headers = field(default_factory=list)


def number(digits: str, display: str = "") -> str:
    """A From value."""
    return f"{display}<sip:{digits}@{ALPHA_HOST}>"


KINDS = (
    Kind("allowed", number(ALPHA), CONSENTED, 200, "allow"),
    Kind("consent revoked", number(ALPHA), REVOKED, 470, "consent-missing"),
    Kind("caller hidden", '"Anonymous" <sip:anonymous@anonymous.invalid>', CONSENTED, 433, "caller-hidden"),
    Kind(
        "caller altered",
        number(ALPHA),
        CONSENTED,
        403,
        "caller-mismatch",
        headers=[(b"P-Asserted-Identity", f"<sip:{BETA}@{ALPHA_HOST}>".encode())],
    ),
    Kind("foreign number", number(BETA), CONSENTED, 403, "number-foreign"),
    Kind("inbound-only number", number(ALPHA_INBOUND_ONLY), CONSENTED, 403, "direction-outbound"),
    Kind("wrong length", number(ALPHA + "1"), CONSENTED, 403, "number-length"),
    Kind("no consent stored", number(ALPHA), UNKNOWN, 470, "consent-missing"),
    Kind("callee declines", number(ALPHA), DECLINED, 603, "callee-refused"),
    Kind("emergency", number(ALPHA), "110", 200, "emergency"),
    Kind("inbound", f"<sip:{UNKNOWN}@{CARRIER_HOST}>", ALPHA, 200, "allow", inbound=True),
)


@dataclass(slots=True)
class Row:
    """One line of the demo's table."""

    kind: Kind
    placed: PlacedCall
    rule: str
    decision: str
    delay_us: int
    packets: int
    """Datagrams the far side received."""

    @property
    def as_expected(self) -> bool:
        """Answer and rule are what they should be, and a refused call sent nothing to the far side."""
        return (
            self.placed.status == self.kind.status
            and self.rule == self.kind.rule
            and (self.kind.status == 200 or self.packets == 0)
        )


def run_demo(settings: Settings, search: str) -> int:
    """Place the calls and print the table. Exit code 0 when every call ended as it should, else 1. `search`: the
    command that finds a decision again, as it can be typed.

    Raises StoreError when no gateway answers, before anything is changed."""
    gateway = (settings.listener[0].address, settings.listener[0].port)
    asyncio.run(_ask_gateway(gateway))
    with located(settings) as found:
        rows = asyncio.run(_place_all(found, gateway))
    wrong = [row.kind.name for row in rows if not row.as_expected]
    if wrong:
        print_table(_table(rows), f"[red]not as expected: {', '.join(wrong)}[/]")
        return 1
    print_table(_table(rows), f"{len(rows)} calls, each answered as it should be. Find one again: {search}")
    return 0


async def _ask_gateway(gateway: Address) -> None:
    """One OPTIONS from an address the example knows: is there a gateway at all?"""
    phone = await _open(Phone, ALPHA_HOST)
    try:
        status = await ask_options(phone, gateway)
    except TimeoutError:
        raise _silent(gateway) from None
    finally:
        phone.close()
    if status != 200:
        raise StoreError(f"demo: {gateway[0]}:{gateway[1]} answers OPTIONS with {status}; fix: wait until it is ready")


def _silent(gateway: Address) -> StoreError:
    return StoreError(f"no answer from {gateway[0]}:{gateway[1]}; fix: start the gateway (make run) first")


async def _open(kind: type[P], host: str, port: int = 0) -> P:
    try:
        return await kind.open(host, port)
    except OSError as error:
        raise StoreError(f"demo: {host}:{port}: {error.strerror}; fix: stop what uses it (SIPp?)") from error


async def _place_all(settings: Settings, gateway: Address) -> list[Row]:
    carrier = await _open(AnsweringPhone, CARRIER_HOST, 5060)
    alpha = await _open(AnsweringPhone, ALPHA_HOST, 5060)
    outbound, inbound = await _open(Phone, ALPHA_HOST), await _open(Phone, CARRIER_HOST)
    rows: list[Row] = []
    try:
        await _revoke(settings, outbound, gateway)
        for kind in KINDS:
            caller, far = (inbound, alpha) if kind.inbound else (outbound, carrier)
            before = far.received
            placed = await place_call(caller, gateway, kind.caller, kind.callee, kind.headers)
            rows.append(_row(kind, placed, far, far.received - before))
        await _find_decisions(settings, rows)
    except TimeoutError:
        raise _silent(gateway) from None
    finally:
        for phone in (carrier, alpha, outbound, inbound):
            phone.close()
    return rows


def _row(kind: Kind, placed: PlacedCall, far: AnsweringPhone, packets: int) -> Row:
    arrived = far.invites.get(placed.call_id.encode(), placed.answered_ns)
    words = placed.warning.partition('"')[2].rstrip('"').split()
    rule, decision = (words[0], words[1]) if len(words) == 2 else ("", "")
    return Row(kind, placed, rule, decision, (arrived - placed.sent_ns) // 1000, packets)


async def _revoke(settings: Settings, phone: Phone, gateway: Address) -> None:
    """Grant a consent, wait until a call with it passes, revoke it, wait until it is refused."""
    from gateway.control.importer import grant_consent, revoke_consent
    from gateway.store.sql.engine import make_engine

    engine = make_engine(settings.database.url, pool_size=1)
    keys = keys_of(settings)
    try:
        for change, wanted in ((grant_consent, 200), (revoke_consent, 470)):
            await change(engine, keys, REVOKED, "alpha", "consultation", principal="cli:demo")
            deadline = monotonic() + IN_EFFECT_S
            while monotonic() < deadline:
                placed = await place_call(phone, gateway, number(ALPHA), REVOKED, [])
                if placed.status == wanted:
                    break
                await asyncio.sleep(0.05)
    finally:
        await engine.dispose()


async def _find_decisions(settings: Settings, rows: list[Row]) -> None:
    """A call that passed carries no decision id: its record is looked up by Call-ID, once it was shipped."""
    from gateway.store.sql.calls import find_calls
    from gateway.store.sql.engine import make_engine

    engine = make_engine(settings.database.url, pool_size=1)
    try:
        for row in rows:
            deadline = monotonic() + IN_EFFECT_S
            while not row.decision and monotonic() < deadline:
                found = await find_calls(engine, call_id=row.placed.call_id)
                if found:
                    row.rule, row.decision = found[0].decision.rule, found[0].decision.id
                else:
                    await asyncio.sleep(0.05)
    finally:
        await engine.dispose()


def _table(rows: list[Row]) -> Table:
    table = Table(title="one call of every kind", title_justify="left")
    table.add_column("call", no_wrap=True)
    table.add_column("answer")
    table.add_column("rule", no_wrap=True)
    table.add_column("decision id", no_wrap=True)
    table.add_column("added delay", justify="right")
    table.add_column("packets beyond", justify="right")
    for row in rows:
        mark = "" if row.as_expected else "[red]✗ [/]"
        table.add_row(
            mark + row.kind.name,
            f"{row.placed.status} {row.placed.phrase}",
            row.rule,
            row.decision,
            f"{row.delay_us} µs",
            str(row.packets),
        )
    return table
