"""The compiled snapshot, on the example deployment."""

from __future__ import annotations

from dataclasses import replace

from gateway.registry.model import NextHop, Snapshot, Trunk
from gateway.registry.registry import Registry
from tests.unit.registry import example


def ids(trunks: tuple[Trunk, ...]) -> list[str]:
    return [trunk.id for trunk in trunks]


def test_the_example() -> None:
    registry = Registry(example.snapshot())
    assert registry.version == 7
    alpha = registry.trunk_by_source("udp", "127.0.0.2")
    assert alpha is not None
    assert alpha.id == "cc-alpha"
    assert registry.trunk_by_source("udp", "127.0.0.4") is None
    number = registry.plan.read(b"8657112340001", True, "86", "")
    assert number is not None
    row = registry.number_range(number, 1.7e9)
    assert row is not None
    assert row.operator == "alpha"
    assert ids(registry.route_outbound(row)) == ["carrier"]
    assert ids(registry.route_inbound(row)) == ["cc-alpha"]
    assert registry.operator("beta") is not None
    assert registry.operator("gamma") is None
    assert registry.trunk("carrier") is not None
    assert registry.trunk("x") is None
    assert (registry.purpose_number("consultation"), registry.purpose_number("x")) == (1, 0)
    assert ids(registry.trunks) == ["cc-alpha", "cc-beta", "carrier"]
    assert [operator.id for operator in registry.operators] == ["alpha", "beta"]


def test_emergency_is_exact() -> None:
    registry = Registry(example.snapshot())
    assert all(registry.emergency_callee(code) for code in (b"110", b"119", b"120", b"122"))
    assert not any(registry.emergency_callee(code) for code in (b"", b"11", b"1100", b"+110", b"0110", b"10086"))


def test_routes() -> None:
    trunks = (
        *example.snapshot().trunks,
        Trunk("carrier-2", "core", "", ("127.0.0.8",), next_hops=(NextHop("127.0.0.8"),)),
        Trunk("carrier-off", "core", "", ("127.0.0.7",), state="suspended"),
        Trunk("cc-alpha-2", "access", "alpha", ("127.0.0.4",)),
    )
    number_range = example.number_range
    rows = (
        number_range("+8657112340000", "+8657112340000", trunks=("cc-alpha-2", "cc-alpha", "cc-beta")),
        number_range("+8657112340001", "+8657112340001", egress=("carrier-off", "carrier-2", "cc-alpha", "x")),
        number_range("+8657112340002", "+8657112340002", egress=("carrier-off",)),
    )
    registry = Registry(example.snapshot(trunks=trunks, ranges=rows))
    assert ids(registry.route_outbound(rows[0])) == ["carrier", "carrier-2"]
    assert ids(registry.route_outbound(rows[1])) == ["carrier-2"]
    assert ids(registry.route_outbound(rows[2])) == []
    assert ids(registry.route_inbound(rows[0])) == ["cc-alpha-2", "cc-alpha"]  # never another operator's
    assert registry.route_outbound(replace(rows[0], egress=("unknown",))) == ()
    assert registry.route_inbound(replace(rows[0], operator="unknown")) == ()


def test_stretched_names_the_range_that_digits_were_made_from() -> None:
    registry = Registry(example.snapshot())
    for digits, plus in ((b"86571123400001", True), (b"0571123400001", False), (b"571123400001", False)):
        row = registry.stretched(digits, plus, "86")
        assert row is not None, digits
        assert row.first == "+8657112340000"
    assert registry.stretched(b"1795113800138000", False, "86") is None
    assert registry.stretched(b"x", False, "86") is None


def test_the_empty_registry() -> None:
    registry = Registry(Snapshot(0, emergency=("110",)))
    assert registry.trunk_by_source("udp", "127.0.0.2") is None
    assert registry.ranges.find("+8657112340000", 1.0) is None
    assert registry.emergency_callee(b"110")
