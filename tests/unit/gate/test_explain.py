"""`explain`: a made-up INVITE through the gate of live calls, every rule's word, nothing recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from gateway.gate.engine import Engine
from gateway.gate.explain import ExplainError, Explanation, explain, made_up_invite
from gateway.gate.pack import Pack
from gateway.gate.pseudonym import Pseudonymizer
from gateway.gate.seal import Sealer
from gateway.store.ports import Counting, LookupReply, SubscriberFacts, Unavailable
from tests.support.packs import LABEL
from tests.unit.gate.calls import ALPHA, AT, registry
from tests.unit.gate.house import CONSENT, PSEUDONYM_KEY, SEAL_KEY
from tests.unit.gate.test_engine import example, with_modes

CALLER, CALLEE = "+8657112340001", "+8613800138000"


class LoopLookup:
    """Answers from the event loop, as the Redis lookup does."""

    def __init__(self, answer: SubscriberFacts | Unavailable) -> None:
        self._answer = answer
        self.asked: list[tuple[bytes, int, int]] = []

    def ask(
        self,
        callee_hash: bytes,
        operator: int,
        purpose: int,
        now: float,
        reply: LookupReply,
        counting: Counting | None = None,
    ) -> None:
        self.asked.append((callee_hash, operator, purpose))
        asyncio.get_running_loop().call_soon(reply, self._answer)


async def ask(
    caller: str = CALLER,
    callee: str = CALLEE,
    trunk: str = "cc-alpha",
    answer: SubscriberFacts | Unavailable = CONSENT,
    pack: Pack | None = None,
) -> tuple[Explanation, LoopLookup]:
    lookup = LoopLookup(answer)
    found = await explain(
        registry(), Engine(pack or example()), lookup, Pseudonymizer(PSEUDONYM_KEY), Sealer(1, SEAL_KEY),
        trunk, caller, callee, AT, lambda: 1.0,
    )  # fmt: skip
    return found, lookup


def word(found: Explanation, rule: str) -> Sequence[str]:
    (row,) = [row for row in found.words if row[0] == rule]
    return row[2:4]


async def test_a_call_that_passes() -> None:
    found, lookup = await ask()
    assert (found.allowed, found.rule, found.status, found.phrase) == (True, "allow", 0, "")
    assert (found.route, found.pack, found.registry) == ("carrier", LABEL, 1)
    assert lookup.asked == [(Pseudonymizer(PSEUDONYM_KEY).hash(CALLEE), 1, 1)]
    assert [row[0] for row in found.words] == [bound.id for bound in example().rules]
    assert word(found, "consent-missing") == ("ok", "")
    assert word(found, "direction-inbound") == ("not bound", "")


async def test_a_call_the_store_refuses() -> None:
    found, _ = await ask(answer=SubscriberFacts("none", refuses_all=True))
    assert (found.allowed, found.rule, found.status, found.phrase) == (False, "consent-missing", 470, "Consent Needed")
    assert word(found, "consent-missing")[0] == "refuse"
    assert word(found, "callee-refused")[0] == "refuse"


async def test_a_call_memory_refuses_hears_the_store_too() -> None:
    found, lookup = await ask("+8657156780001")
    assert (found.rule, found.status) == ("number-foreign", 403)
    assert len(lookup.asked) == 1
    assert word(found, "consent-missing") == ("ok", "")


async def test_a_call_of_no_operator_cannot_ask_the_store() -> None:
    found, lookup = await ask("+8657182340001")
    assert (found.rule, lookup.asked) == ("number-unassigned", [])
    assert word(found, "consent-missing")[0] == "waits for the store"


async def test_an_unreadable_callee_cannot_be_asked_for() -> None:
    found, lookup = await ask(callee="bob")
    assert (found.rule, found.status, lookup.asked) == ("callee-malformed", 484, [])


async def test_without_the_store() -> None:
    found, lookup = await ask(answer=Unavailable("away"))
    assert (found.rule, found.status) == ("store-unavailable", 503)
    assert len(lookup.asked) == 2, "asked once more for the words"
    assert word(found, "consent-missing")[0] == "waits for the store"


async def test_modes_show() -> None:
    found, _ = await ask(answer=SubscriberFacts("none"), pack=with_modes(consent_missing="shadow", purpose="off"))
    assert (found.allowed, found.rule) == (True, "allow")
    assert word(found, "consent-missing")[0] == "would refuse"
    assert word(found, "purpose") == ("off", "")


async def test_emergency_and_inbound() -> None:
    found, _ = await ask(callee="110")
    assert (found.allowed, found.rule) == (True, "emergency")
    found, lookup = await ask(caller="+8613900139000", callee="+8657112340001", trunk="carrier")
    assert (found.allowed, found.route, lookup.asked) == (True, "cc-alpha", [])


async def test_an_unknown_trunk_names_those_there_are() -> None:
    with pytest.raises(ExplainError, match=r"'cc-gamma'.*use one of cc-alpha, cc-beta"):
        await ask(trunk="cc-gamma")


@pytest.mark.parametrize("number", ["+86 138", "<", "\x00", "a b"])
def test_what_cannot_stand_in_a_uri(number: str) -> None:
    with pytest.raises(ExplainError, match=r"write \+E\.164"):
        made_up_invite(ALPHA, CALLER, number)
