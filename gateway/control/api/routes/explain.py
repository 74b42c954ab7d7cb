"""Why a call would pass or not, now."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints

from gateway.control.api.caller import CHANGERS, Caller, needs
from gateway.control.api.context import Context
from gateway.control.api.discreet import hides, shown_facts, shown_reason
from gateway.control.api.problems import not_found
from gateway.control.api.types import Body, Id, Time
from gateway.control.explaining import Explainer
from gateway.gate.explain import Explanation
from gateway.store.sql.engine import mapped_errors
from gateway.store.sql.plan_rows import operator_of_trunk
from gateway.store.sql.tokens import Role

UserPart = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[!-~]+$")]
"""A number, or what a caller may present instead of one; printable ASCII without spaces."""


class Question(Body):
    """A call that is not placed."""

    trunk: Id = Field(description="Trunk it would come from")
    caller: UserPart = Field(description="As presented", examples=["+8657112340001"])
    callee: UserPart = Field(description="As dialled", examples=["+8613800138000"])
    at: Time | None = Field(default=None, description="When it would come; registry and consents are today's")


class RuleWord(BaseModel):
    """What one rule says."""

    rule: str
    mode: str = Field(description="enforce, shadow, off, or the share of the trunk's calls it enforces on: `10 %`")
    word: str = Field(description="ok, refuse, would refuse, not bound, off, waits for the store")
    reason: str
    clauses: tuple[str, ...] = Field(description="Clauses it stands for")


class Explained(BaseModel):
    """The verdict and every rule's word on it, in the pack's order."""

    allowed: bool
    rule: str
    reason: str
    status: int = Field(description="SIP status of the answer; 0: the call passes")
    phrase: str
    words: list[RuleWord]
    facts: dict[str, Any] = Field(description="No subscriber number among them")
    pack: str
    registry: int
    route: str
    identified: str


def router(context: Context) -> APIRouter:
    """`/explain`."""
    routes = APIRouter(tags=["decisions"])
    made: list[Explainer] = []

    @routes.post("/explain", summary="Would such a call pass now? Every rule's word")
    async def ask(body: Question, caller: Caller = needs(*CHANGERS, Role.OPERATOR)) -> Explained:
        if caller.operator:
            with mapped_errors():
                async with context.engine.connect() as connection:
                    owner = await operator_of_trunk(connection, body.trunk)
            if owner is None:
                raise not_found("trunk", body.trunk)
            caller.must_see(owner, "trunk", body.trunk)
        if not made:
            made.append(Explainer(context.settings, context.keys))
            context.closers.append(made[0].close)
        at = None if body.at is None else body.at.timestamp()
        found = await made[0].explain(body.trunk, body.caller, body.callee, at)
        return _shown(found, caller)

    return routes


def _shown(found: Explanation, caller: Caller) -> Explained:
    hidden = hides(caller, found.facts)
    words = [
        RuleWord(rule=rule, mode=mode, word=word, reason="" if hidden else reason, clauses=clauses)
        for rule, mode, word, reason, clauses in found.words
        if rule == found.rule or not hidden
    ]
    reason = shown_reason(caller, found.facts, found.reason)
    facts = shown_facts(caller, found.facts)
    return Explained(**{**asdict(found), "words": words, "facts": facts, "reason": reason})
