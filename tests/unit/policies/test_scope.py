"""Kinds that never call, provincial codes, platforms (RULES B02, B14)."""

from __future__ import annotations

import pytest

from policies.platform import PlatformCommercial
from policies.scope import NumberScope
from tests.unit.policies.example import outbound

PROVINCES = {"provinces": {"Zhejiang": ["Hangzhou"], "Beijing": ["Beijing"]}}
CODE = {"number_kind": "provincial_short", "range_regions": ("Zhejiang",), "trunk_region": "Zhejiang"}


@pytest.mark.parametrize(
    ("params", "changes", "said"),
    [
        ({}, {}, None),
        ({}, {"number_kind": "sms_port"}, "never a voice caller"),
        ({}, {"number_kind": "shared_cost_inbound"}, "never a voice caller"),
        ({"never": []}, {"number_kind": "sms_port"}, None),
        ({}, CODE, None),
        ({}, CODE | {"range_regions": ()}, "states no region"),
        ({}, CODE | {"trunk_region": "Beijing"}, "number of Zhejiang on a trunk of Beijing"),
        ({}, CODE | {"trunk_region": ""}, "no stated region"),
        (PROVINCES, CODE | {"subscriber_region": "Beijing"}, "number of Zhejiang calls into Beijing"),
        (PROVINCES, CODE | {"subscriber_region": "Hangzhou"}, None),
        (PROVINCES, CODE | {"subscriber_region": ""}, None),
        ({}, CODE | {"subscriber_region": "Beijing"}, None),
    ],
)
def test_b02_scope(params: dict[str, object], changes: dict[str, object], said: str | None) -> None:
    reason = NumberScope(params).judge(outbound(**changes))
    assert reason is None if said is None else said in (reason or "")


@pytest.mark.parametrize(
    ("params", "operator_class", "purpose", "refused"),
    [
        ({}, "voice_platform", "marketing", True),
        ({}, "voice_platform", "consultation", False),
        ({}, "call_centre", "marketing", False),
        ({"classes": ["call_centre"]}, "call_centre", "marketing", True),
        ({"commercial": ["consultation"]}, "voice_platform", "consultation", True),
    ],
)
def test_b14_platforms(params: dict[str, object], operator_class: str, purpose: str, refused: bool) -> None:
    reason = PlatformCommercial(params).judge(outbound(operator_class=operator_class, purpose=purpose))
    assert (reason is not None) is refused


@pytest.mark.parametrize(
    ("rule", "params"),
    [
        (NumberScope, {"nevr": []}),
        (NumberScope, {"provinces": []}),
        (NumberScope, {"provinces": {"Zhejiang": "Hangzhou"}}),
        (PlatformCommercial, {"commercial": "marketing"}),
    ],
)
def test_bad_parameters(rule: type[NumberScope] | type[PlatformCommercial], params: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"nevr|provinces|Zhejiang|commercial"):
        rule(params)
