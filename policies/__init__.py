"""The rules: one small pure class each, by the id it refuses with.

A rule looks at `Facts` and gives a reason to refuse, or None. It is made once per pack version from the
pack's parameters. Rules never see SIP, a clock or a store: the gate fills the facts, in two steps (memory,
then the store), and `gateway.gate.engine` asks the rules in the pack's order. A rule that raises refuses.

To add a rule:

1. Write the class in a file of this folder (`policies.base.Rule` says what it has: id, binds, needs, answer, judge).
   Name the clause it stands for; clause ids are explained in `config/packs/README.md`.
2. If it needs a fact there is none of, add a field with a default to `policies.facts.Facts` and fill it in
   `gateway.gate.attempt` (what memory holds) or where the answer of the store is read. Old records keep the default.
3. Put it into `RULES` below, in the place a pack should have it.
4. List it in `config/packs/example.toml`, and in the answer table of README. Packs that are stored already do not list
   it: it is off there, with a warning, until a pack with it is imported; an import must list it.
5. Test it in `tests/unit/policies/`; `callgate replay --pack FILE` shows what it would have refused.
"""

from __future__ import annotations

from policies.admission import OperatorAdmission
from policies.base import Rule
from policies.behaviour import Behaviour
from policies.callee import CalleeMalformed, CalleeMismatch
from policies.caller import CallerHidden, CallerMalformed, CallerMismatch, CallerMissing
from policies.caller_range import CallerRange
from policies.consent import ConsentMissing
from policies.cooldown import CoolDown
from policies.direction import CalleeUnknown, DirectionInbound, DirectionOutbound
from policies.do_not_originate import DoNotOriginate
from policies.frequency import Frequency
from policies.number import (
    NumberForeign,
    NumberInactive,
    NumberLength,
    NumberTrunk,
    NumberUnassigned,
)
from policies.platform import PlatformCommercial
from policies.purpose import Purpose
from policies.quiet_hours import QuietHours
from policies.refusal import CalleeRefused
from policies.restricted import OperatorRestricted
from policies.route import RouteForced, Transfer
from policies.scope import NumberScope
from policies.trigger import ReturnVisit

RULES: dict[str, type[Rule]] = {
    CallerHidden.id: CallerHidden,
    CallerMissing.id: CallerMissing,
    CallerMalformed.id: CallerMalformed,
    CallerMismatch.id: CallerMismatch,
    NumberLength.id: NumberLength,
    NumberUnassigned.id: NumberUnassigned,
    NumberForeign.id: NumberForeign,
    NumberTrunk.id: NumberTrunk,
    NumberInactive.id: NumberInactive,
    DirectionOutbound.id: DirectionOutbound,
    NumberScope.id: NumberScope,
    DoNotOriginate.id: DoNotOriginate,
    CallerRange.id: CallerRange,
    OperatorAdmission.id: OperatorAdmission,
    OperatorRestricted.id: OperatorRestricted,
    CalleeMalformed.id: CalleeMalformed,
    CalleeMismatch.id: CalleeMismatch,
    Purpose.id: Purpose,
    PlatformCommercial.id: PlatformCommercial,
    Behaviour.id: Behaviour,
    RouteForced.id: RouteForced,
    Transfer.id: Transfer,
    ConsentMissing.id: ConsentMissing,
    CalleeRefused.id: CalleeRefused,
    ReturnVisit.id: ReturnVisit,
    QuietHours.id: QuietHours,
    CoolDown.id: CoolDown,
    Frequency.id: Frequency,
    CalleeUnknown.id: CalleeUnknown,
    DirectionInbound.id: DirectionInbound,
}
"""Every rule, in the order a pack usually has them."""

REQUIRED = frozenset(RULES)
"""Rules a pack must list (with mode `off`, to leave one out): a forgotten one must not let calls pass."""
