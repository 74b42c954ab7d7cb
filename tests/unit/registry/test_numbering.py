"""Digits to canonical numbers: forms, collisions, and the inputs that a common number library gets wrong."""

from __future__ import annotations

import pytest

from gateway.registry.model import PlanEntry
from gateway.registry.numbering import NumberingPlan
from tests.unit.registry import example

PLAN = example.plan()


def read(text: str, area: str = "571", country: str = "86") -> tuple[str, str, str] | None:
    """(canonical, kind, form) of `+...` or bare digits, or None."""
    number = PLAN.read(text.removeprefix("+").encode(), text[:1] == "+", country, area)
    return None if number is None else (number.canonical, number.kind, number.form)


@pytest.mark.parametrize(
    ("text", "canonical", "kind", "form"),
    [
        # the example deployment
        ("+8657112340000", "+8657112340000", "geo", "e164"),
        ("+8657112349999", "+8657112349999", "geo", "e164"),
        ("+864001230000", "+864001230000", "shared_cost_inbound", "e164"),
        ("+8657156789999", "+8657156789999", "geo", "e164"),
        ("+8613800138000", "+8613800138000", "mobile", "e164"),
        ("+8613900139000", "+8613900139000", "mobile", "e164"),
        # the forms to expect in SIP
        ("+862161234567", "+862161234567", "geo", "e164"),
        ("02161234567", "+862161234567", "geo", "national"),
        ("2161234567", "+862161234567", "geo", "bare"),
        ("56780001", "+8657156780001", "geo", "local"),
        ("12340001", "+8657112340001", "geo", "local"),
        ("008613800138000", "+8613800138000", "mobile", "international"),
        ("8613800138000", "+8613800138000", "mobile", "bare"),
        ("13800138000", "+8613800138000", "mobile", "bare"),
        ("013800138000", "+8613800138000", "mobile", "national"),
        ("95588", "95588", "service_95", "bare"),
        ("+8695588", "95588", "service_95", "e164"),
        ("008695588", "95588", "service_95", "international"),
        ("01095588", "+861095588", "area_service", "national"),
        ("0571967890", "+86571967890", "area_service", "national"),
        ("02112345", "+862112345", "area_service", "national"),
        ("+861095588", "+861095588", "area_service", "e164"),
        # service codes
        ("10086", "10086", "carrier_service", "bare"),
        ("10000", "10000", "carrier_service", "bare"),
        ("12345", "12345", "gov_service", "bare"),
        ("12306", "12306", "gov_service", "bare"),
        ("12321", "12321", "gov_service", "bare"),
        ("95013", "95013", "access_95_vas", "bare"),
        ("951234", "951234", "access_95_vas", "bare"),
        ("95110", "95110", "public_welfare", "bare"),
        ("96110", "96110", "public_welfare", "bare"),
        ("10101234", "10101234", "access_1010", "bare"),
        ("110", "110", "emergency", "bare"),
        ("119", "119", "emergency", "bare"),
        ("120", "120", "emergency", "bare"),
        ("122", "122", "emergency", "bare"),
        ("12395", "12395", "emergency", "bare"),
        # extended 95 codes: the certificate, not the plan, says which length is right
        ("9501300012", "9501300012", "access_95_vas", "bare"),
        ("95013123456", "95013123456", "access_95_vas", "bare"),
        ("950121234", "950121234", "access_95_vas", "bare"),
        ("95138000", "95138000", "access_95_vas", "bare"),
        ("95105888", "95105888", "access_95_vas", "bare"),
        # 400 and 800
        ("4008001234", "+864008001234", "shared_cost_inbound", "bare"),
        ("+864008001234", "+864008001234", "shared_cost_inbound", "e164"),
        ("8008201234", "+868008201234", "freephone_inbound", "bare"),
        # foreign
        ("+12025550123", "+12025550123", "foreign", "e164"),
        ("0012025550123", "+12025550123", "foreign", "international"),
        ("+85212345678", "+85212345678", "foreign", "e164"),
        # trunk 0 + mobile misdialled with 00 is a foreign number, never the mobile number
        ("0013800138000", "+13800138000", "foreign", "international"),
        # longest prefix whose length fits
        ("16012345", "16012345", "premium_info", "bare"),
        ("16111234567", "+8616111234567", "mobile_unassigned", "bare"),
        ("16100234567", "+8616100234567", "mobile_special", "bare"),
        ("1064123456789", "1064123456789", "m2m", "bare"),
        ("106912345678", "106912345678", "sms_port", "bare"),
        ("1401234567890", "+861401234567890", "mobile_iot", "bare"),
        ("+868512345678", "+868512345678", "geo", "e164"),
        ("+8685123456789", "+8685123456789", "geo", "e164"),
    ],
)
def test_reads(text: str, canonical: str, kind: str, form: str) -> None:
    assert read(text) == (canonical, kind, form)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "+0",
        "0",
        "00",
        "000",
        "0086",
        "+86",
        # trunk 0 behind the country code, 86 behind the trunk 0
        "+8602161234567",
        "008602161234567",
        "86013800138000",
        "086013800138000",
        # carrier selection prefixes are never stripped
        "1795113800138000",
        "1258313800138000",
        "+861795113800138000",
        "12593013800138000",
        # local part outside 2-8
        "01012345678",
        "075512345678",
        "+861012345678",
        "+8657113340000",
        # digits added or cut
        "+86571123400001",
        "+865711234000",
        "+86138001380001",
        "+861380013800",
        "40080012345",
        "400800123",
        # emergency with something in front is not emergency
        "+86110",
        "+8612395",
        "01012395",
        "0086110",
        "0110",
        "010110",
        "571110",
        # no such dialling
        "095588",
        "04008001234",
        "08008201234",
        "95",
        "9",
        "123",
        # other lengths and alphabets
        "+1234",
        "+1234567890123456",
        "1" * 25,
        "1380013FLWR",
        "１３８００１３８０００",
        "٠١٢٣٤٥٦٧٨٩٠",
        "138 0013 8000",
        "138-0013-8000",
        "*67",
        "#31#13800138000",
        "+86+13800138000",
        "13800138000\n",
        "1_3800138000",
    ],
)
def test_malformed(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize(
    ("text", "canonical", "ambiguous"),
    [
        ("9512345678", "9512345678", True),  # 951 code, or Yinchuan 2345678
        ("9552345678", "+869552345678", False),  # 955 codes have 5 or 6 digits: Zhongwei
        ("9522345678", "9522345678", True),
        ("9532345678", "+869532345678", False),
        ("9542345678", "9542345678", True),
        ("9520112345", "9520112345", False),  # a local number never begins with 0
        ("9510588812", "9510588812", False),
        ("1069012345", "1069012345", True),  # 106 code, or Beijing 69012345
        ("106900001234", "106900001234", False),
        ("9501300012", "9501300012", False),  # 950 is no area code
        # with the country code or the trunk 0 the area wins, and nothing is in doubt
        ("+869512345678", "+869512345678", False),
        ("09512345678", "+869512345678", False),
        ("+861069012345", "+861069012345", False),
        ("01069012345", "+861069012345", False),
        # an area reading that leaves a service code is another number than the 95 code
        ("+8695112345", "+8695112345", True),
    ],
)
def test_collisions(text: str, canonical: str, ambiguous: bool) -> None:
    number = PLAN.read(text.removeprefix("+").encode(), text[0] == "+", "86", "")
    assert number is not None
    assert (number.canonical, number.ambiguous) == (canonical, ambiguous)


def test_area_is_needed_for_local_numbers() -> None:
    assert read("56780001", area="") is None
    assert read("56780001", area="572") is None  # Huzhou has seven digits
    assert read("5678001", area="572") == ("+865725678001", "geo", "local")
    assert read("95588", area="571") == ("95588", "service_95", "bare")


def test_foreign_trunk_reads_its_own_country() -> None:
    assert read("02079460000", country="44", area="") == ("+442079460000", "foreign", "national")
    assert read("79460000", country="44", area="20") == ("+442079460000", "foreign", "local")
    assert read("79460000", country="44", area="") is None
    assert read("+8613800138000", country="44") == ("+8613800138000", "mobile", "e164")
    assert read("110", country="44") == ("110", "emergency", "bare")
    assert read("0", country="44") is None
    assert read("00", country="44") is None


def test_region_zone_and_caller() -> None:
    number = PLAN.read(b"8657156780000", True, "86", "")
    assert number is not None
    assert (number.region, PLAN.zone_of(number), number.caller) == ("Hangzhou, Zhejiang", "Asia/Shanghai", "owner")
    foreign = PLAN.read(b"12025550123", True, "86", "")
    assert foreign is not None
    assert PLAN.zone_of(foreign) == ""


def test_every_area_reads_in_all_its_forms() -> None:
    for entry in example.PLAN:
        if entry.kind != "geo":
            continue
        for length in range(entry.min_len, entry.max_len + 1):
            nsn = entry.prefix + (entry.sub_first[:1] or "0") * (length - len(entry.prefix))
            assert read("+86" + nsn) == ("+86" + nsn, "geo", "e164"), nsn
            assert read("0" + nsn) == ("+86" + nsn, "geo", "national"), nsn


def test_emergency_codes_need_no_plan_row() -> None:
    plan = NumberingPlan((PlanEntry("1", "mobile", 11, 11, "owner"),), ("911",))
    number = plan.read(b"911", False, "86", "")
    assert number is not None
    assert number.kind == "emergency"


def test_spellings() -> None:
    assert PLAN.spellings(b"86571123400001", True, "86") == ("+86571123400001",)
    assert PLAN.spellings(b"0086571", False, "86") == ("+86571",)
    assert PLAN.spellings(b"0571123400001", False, "86") == ("+86571123400001",)
    assert PLAN.spellings(b"5711", False, "86") == ("5711", "+865711", "+5711")
    assert PLAN.spellings(b"57x", False, "86") == ()
