"""Any bytes are a number or None; what is canonical stays canonical; nothing is invented or dropped but the form."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.registry.number_key import key_number, number_key
from gateway.registry.numbering import mask
from tests.unit.registry import example

PLAN = example.plan()
AREAS = ("", "10", "571", "572", "951")

digits = st.text("0123456789", min_size=1, max_size=26)
prefixed = st.tuples(
    st.sampled_from(("", "86", "0086", "00", "0", "95", "951", "0951", "106", "138", "400", "1795")), digits
).map("".join)


@given(st.binary(max_size=40), st.booleans())
def test_any_bytes(raw: bytes, plus: bool) -> None:
    number = PLAN.read(raw, plus, "86", "571")
    assert number is None or (raw.isdigit() and raw.isascii())


@given(prefixed, st.booleans(), st.sampled_from(AREAS))
def test_canonical_stays_canonical(text: str, plus: bool, area: str) -> None:
    number = PLAN.read(text.encode(), plus, "86", area)
    if number is None:
        return
    canonical = number.canonical
    again = PLAN.read(canonical.removeprefix("+").encode(), canonical[0] == "+", "86", "")
    assert again is not None
    assert (again.canonical, again.kind) == (canonical, number.kind)
    assert len(canonical) > 17 or key_number(number_key(canonical)) == canonical


@given(prefixed, st.booleans(), st.sampled_from(AREAS))
def test_every_digit_is_kept(text: str, plus: bool, area: str) -> None:
    """The digits of the national number end both: no prefix is ever cut out of the middle, no digit lost."""
    number = PLAN.read(text.encode(), plus, "86", area)
    if number is None:
        return
    kept = number.canonical.removeprefix("+")
    for prefix in ("00", "0", "86", "0086", ""):
        if text.startswith(prefix) and kept in (text[len(prefix) :], "86" + text[len(prefix) :], "86" + area + text):
            break
    else:
        raise AssertionError(f"{text} -> {number.canonical}")


@given(st.text("+0123456789", max_size=20))
def test_mask_shows_seven_digits_at_most(text: str) -> None:
    shown = mask(text)
    assert len(shown) == len(text)
    assert sum(character.isdigit() for character in shown.removeprefix("+86")) <= 7
