"""Micro-benchmark of the gate on memory: microseconds from a parsed INVITE to a verdict and to the headers that leave.

    python -m tests.bench.micro_gate

The INVITE is an ordinary one: From, P-Asserted-Identity, To, Contact, Via and a few harmless headers.
"""

from __future__ import annotations

import time
import timeit
from collections.abc import Callable
from pathlib import Path

from gateway.gate.attempt import read_attempt
from gateway.gate.engine import Engine
from gateway.gate.identity import derive_caller
from gateway.gate.pack_read import load_pack
from gateway.gate.screen import screen_request, screen_response
from gateway.sip import Request, Response, parse
from tests.bench.micro_sip import BYE, INVITE, OK
from tests.unit.gate.calls import ALPHA, AT, CARRIER, OWN_HOSTS, registry

ROUNDS = 20_000


def micros(work: Callable[[], object]) -> float:
    """Best of seven rounds in processor time: what the code costs, without what else the machine does."""
    return min(timeit.repeat(work, number=ROUNDS, repeat=7, timer=time.process_time)) / ROUNDS * 1e6


def main() -> None:
    """Print one line per step, and the sum an allowed call pays before Redis is asked."""
    invite, ok, bye = parse(INVITE), parse(OK), parse(BYE)
    if not isinstance(invite, Request) or not isinstance(ok, Response) or not isinstance(bye, Request):
        raise SystemExit("the sample messages do not parse")
    table = registry()
    plan = table.plan
    host = b"127.0.0.1:5060"
    text = Path("config/packs/example.toml").read_text(encoding="utf-8")
    engine = Engine(load_pack(text, "example.toml"), lambda rule, error: None)
    attempt = read_attempt(invite, ALPHA, table, AT, OWN_HOSTS)
    shadow: list[str] = []
    if engine.judge_memory(attempt.facts, shadow) is not None:
        raise SystemExit("the sample call is refused")
    steps: list[tuple[str, Callable[[], object]]] = [
        ("derive_caller (in read_attempt)", lambda: derive_caller(invite, ALPHA, plan)),
        ("read_attempt", lambda: read_attempt(invite, ALPHA, table, AT, OWN_HOSTS)),
        ("judge_memory", lambda: engine.judge_memory(attempt.facts, shadow)),
        ("screen_request, INVITE", lambda: screen_request(invite, ALPHA, CARRIER, attempt.number, plan, host)),
        ("screen_request, BYE", lambda: screen_request(bye, ALPHA, CARRIER, attempt.number, plan, host)),
        ("screen_response, 200", lambda: screen_response(ok, CARRIER, ALPHA, plan, invite)),
    ]
    costs = [micros(work) for _, work in steps]
    for (name, _), cost in zip(steps, costs, strict=True):
        print(f"{name:34s}{cost:7.2f} us")
    print(f"{'attempt + screen':34s}{costs[1] + costs[3]:7.2f} us   (target 25)")
    print(f"{'attempt + judge + screen':34s}{costs[1] + costs[2] + costs[3]:7.2f} us")


if __name__ == "__main__":
    main()
