"""How long a call counts as up without a word."""

from __future__ import annotations

import pytest

from gateway.sip.message import Response
from gateway.sip.parser import parse
from gateway.worker import leases as leases_module
from gateway.worker.leases import GRACE_S, MIN_SESSION_S, Leases, session_s
from tests.support.sip_text import message

LONGEST = 14_400.0
NOW = 1_000.0


@pytest.fixture
def leases() -> Leases:
    made = Leases(LONGEST)
    made.begin("a", NOW)
    return made


def test_a_call_lasts_as_long_as_a_call_may(leases: Leases) -> None:
    assert leases.over(NOW + LONGEST - 1) == []
    assert leases.over(NOW + LONGEST) == ["a"]
    assert leases.over(NOW + 2 * LONGEST) == [] and len(leases) == 0


def test_a_session_ends_it_sooner_and_a_refresh_later(leases: Leases) -> None:
    leases.refresh("a", 600, NOW)
    leases.refresh("a", 600, NOW + 300)
    assert leases.over(NOW + 899 + GRACE_S) == []
    assert leases.over(NOW + 900 + GRACE_S) == ["a"]


def test_a_shorter_session_and_none_again(leases: Leases) -> None:
    leases.refresh("a", 1_800, NOW)
    leases.refresh("a", 300, NOW + 10)
    leases.begin("b", NOW)
    leases.refresh("b", 300, NOW)
    leases.refresh("b", 0, NOW + 10)  # RFC 4028 §7.2: a 2xx without it ends the session timer
    assert leases.over(NOW + 310 + GRACE_S) == ["a"]
    assert leases.over(NOW + LONGEST) == ["b"]


def test_no_session_is_shorter_than_any_may_be_or_longer_than_a_call(leases: Leases) -> None:
    leases.begin("b", NOW)
    leases.refresh("a", 1, NOW)
    leases.refresh("b", 10**8, NOW)
    assert leases.over(NOW + MIN_SESSION_S + GRACE_S - 1) == []
    assert leases.over(NOW + MIN_SESSION_S + GRACE_S) == ["a"]
    assert leases.over(NOW + LONGEST) == ["b"]


def test_a_bye_ends_it_once(leases: Leases) -> None:
    assert "a" in leases and leases.end("a") and not leases.end("a") and "a" not in leases
    leases.refresh("a", 600, NOW)
    assert leases.over(NOW + LONGEST) == [] and leases._ending == {}


def test_a_call_that_is_known_is_not_begun_again(leases: Leases) -> None:
    leases.begin("a", NOW + 1_000)
    assert leases.over(NOW + LONGEST) == ["a"]


def test_only_those_that_are_over_end(leases: Leases) -> None:
    for number in range(50):
        leases.begin(f"c{number}", NOW + number)
    assert sorted(leases.over(NOW + LONGEST + 4)) == ["a", "c0", "c1", "c2", "c3", "c4"]
    assert leases.over(NOW + LONGEST + 5) == ["c5"]
    leases.begin("late", NOW)  # of a worker that came back
    assert sorted(leases.over(NOW + LONGEST + 6)) == ["c6", "late"]


def test_they_are_bounded(leases: Leases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases_module, "MAX_LEASES", 2)
    leases.begin("b", NOW)
    leases.begin("c", NOW)
    assert len(leases) == 2 and "a" not in leases and "c" in leases


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"1800", 1800), (b"90;refresher=uas", 90), (b"600 ;refresher=uac", 600), (None, 0), (b"soon", 0), (b"-1", 0),
        (b"9999999999", 0), ("１８０".encode(), 0), (b"", 0), (b";refresher=uac", 0),
    ],
)  # fmt: skip
def test_what_a_response_says(value: bytes | None, seconds: int) -> None:
    headers = [
        (b"Via", b"SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1"), (b"From", b"<sip:a@b>;tag=1"), (b"To", b"<sip:c@d>;tag=2"),
        (b"Call-ID", b"x"), (b"CSeq", b"1 INVITE"),
    ]  # fmt: skip
    if value is not None:
        headers.append((b"x", value))
    response = parse(message(b"SIP/2.0 200 OK", headers))
    assert isinstance(response, Response)
    assert session_s(response) == seconds
