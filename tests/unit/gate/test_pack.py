"""Packs: the example's, and every error named by file, line, key, value and fix."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from gateway.gate.pack import Pack, PackError, trunk_answer
from gateway.gate.pack_read import MAX_PACK, load_pack
from policies import RULES
from policies.answers import ANSWERS
from tests.support.packs import LABEL

EXAMPLE = (Path(__file__).parents[3] / "config/packs/example.toml").read_text(encoding="utf-8")


OFF = {
    *("number-scope", "do-not-originate", "caller-range", "platform-commercial", "behaviour", "quiet-hours"),
    *("return-visit", "cool-down", "frequency"),
}
"""Rules the example does without: it can be load-tested at any hour."""
LISTED = 2 + 2 * len(RULES)
"""Lines of `make` before what a test adds."""


def at(line: int) -> str:
    """How a problem in what a test adds is named."""
    return f"p.toml:{LISTED + line}"


def make(extra: str = "", *, but: str = "", head: str = 'id = "p"\nversion = 1\n') -> str:
    """A pack of every rule but one, and `extra`."""
    return head + "".join(f'[[rule]]\nid = "{rule}"\n' for rule in RULES if rule != but) + extra


def problems(text: str) -> str:
    with pytest.raises(PackError) as caught:
        load_pack(text, "p.toml")
    return str(caught.value)


def test_the_example_enforces_everything() -> None:
    pack = load_pack(EXAMPLE, "example.toml")
    assert pack.label == LABEL
    assert {bound.id for bound in pack.rules if bound.mode != "enforce"} == OFF
    assert {bound.on_unavailable for bound in pack.rules} == {"refuse"}
    assert {bound.id for bound in pack.rules} == set(RULES)
    assert all(bound.answer == RULES[bound.id].answer for bound in pack.rules)
    assert all(pack.answer(name) == answer for name, answer in ANSWERS.items())
    assert pack.sha == hashlib.sha256(EXAMPLE.encode()).hexdigest()


def test_defaults() -> None:
    pack = load_pack(make(), "p.toml")
    assert isinstance(pack, Pack)
    assert [bound.id for bound in pack.rules] == list(RULES)
    assert {bound.id for bound in pack.rules if bound.waits} == {
        *("consent-missing", "callee-refused", "return-visit", "quiet-hours", "cool-down", "frequency"),
    }
    assert (pack.title, pack.version) == ("", 1)


def test_answer_mode_params_fallback() -> None:
    text = make(
        '[[rule]]\nid = "consent-missing"\nmode = "shadow"\non_unavailable = "pass"\n'
        '[rule.answer]\nstatus = 603\nphrase = "Not now"\ncause = 0\nretry_after = 60\nheaders = { X-A = "b" }\n'
        '[[answer]]\nid = "draining"\nphrase = "Leaving"\nretry_after = 2\n',
        but="consent-missing",
    )
    pack = load_pack(text, "p.toml")
    bound = pack.rules[-1]
    assert (bound.mode, bound.on_unavailable) == ("shadow", "pass")
    answer = pack.answer("consent-missing")
    assert (answer.status, answer.phrase, answer.cause, answer.retry_after) == (603, "Not now", 0, 60)
    assert answer.headers == (("X-A", "b"),)
    assert (pack.answer("draining").status, pack.answer("draining").retry_after) == (503, 2)


def test_trunk_answers_go_over_the_packs() -> None:
    pack = load_pack(make(), "p.toml")
    overrides = (("purpose", 488, "Not Acceptable Here"),)
    answer = pack.answer("purpose", overrides)
    assert (answer.status, answer.phrase, answer.cause) == (488, "Not Acceptable Here", 21)
    assert pack.answer("transfer", overrides) == RULES["transfer"].answer
    assert trunk_answer("transfer", RULES["transfer"].answer, ()) is RULES["transfer"].answer
    with pytest.raises(KeyError):
        pack.answer("nothing")


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ('[[rule]]\nid = "purpse"\n', (at(2), "rule.id: 'purpse'", "purpose")),
        ("[[rule]]\n", (at(1), "rule.id: None")),
        ('[[rule]]\nid = "transfer"\n', ("listed twice",)),
        ('[[rule]]\nid = "purpose"\nmod = "off"\n', (at(3), "rule purpose.mod: unknown key", "mode")),
        ('[[rule]]\nid = "purpose"\nmode = "on"\n', (at(3), "rule purpose.mode: 'on'", "enforce, shadow, off")),
        ('[[rule]]\nid = "purpose"\non_unavailable = "pass"\n', (at(3), "needs no store")),
        ('[[rule]]\nid = "purpose"\nparams = 3\n', ("rule purpose.params: 3",)),
        ('[[rule]]\nid = "purpose"\nanswer = 3\n', ("rule purpose.answer: 3",)),
        (
            '[[rule]]\nid = "purpose"\n[rule.params]\nforbidden = "x"\n',
            (at(4), "rule purpose.params.forbidden: 'x'"),
        ),
        (
            '[[rule]]\nid = "purpose"\n[rule.params]\nbanned = []\n',
            ("rule purpose.params.banned", "allowed, barred, forbidden"),
        ),
        (
            '[[rule]]\nid = "purpose"\n[rule.answer]\nstatus = 200\n',
            (at(4), "rule purpose.status: 200", "400-699"),
        ),
        ('[[rule]]\nid = "purpose"\n[rule.answer]\nstatus = 503\n', ("rule purpose.status: 503", "own state")),
        ('[[rule]]\nid = "purpose"\n[rule.answer]\nstate = 1\n', (at(4), "rule purpose.state: unknown key")),
        ('[[answer]]\nid = "purpose"\n', ("answer.id: 'purpose'", "under its [[rule]]")),
        ('[[answer]]\nid = "x"\n', ("answer.id: 'x'", "draining")),
        ('[[answer]]\nid = "method"\n[[answer]]\nid = "method"\n', (at(3), "listed twice")),
    ],
)
def test_errors(extra: str, words: tuple[str, ...]) -> None:
    but = "purpose" if '"purpose"' in extra and "[[rule]]" in extra else ""
    shift = 2 if but else 0
    text = problems(make("\n" * shift + extra, but=but))
    assert all(word in text for word in words), text


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("", ("p.toml:1", "id: None", "version: None")),
        ('id = "a b"\nversion = 1\n', ("p.toml:1: id: 'a b'",)),
        ('id = "p"\nversion = 0\n', ("p.toml:2: version: 0",)),
        ('id = "p"\nversion = true\n', ("version: True",)),
        ('id = "p"\nversion = 1\ntitle = 3\n', ("p.toml:3: title: 3",)),
        ('id = "p"\nversion = 1\nrules = 3\n', ("pack.rules: unknown key",)),
        ('id = "p"\nversion = 1\nanswer = 3\n', ("answer: 3: write [[answer]] tables",)),
    ],
)
def test_head_errors(head: str, words: tuple[str, ...]) -> None:
    text = problems(make(head=head))
    assert all(word in text for word in words), text


def test_every_rule_must_be_listed() -> None:
    text = problems(make(but="consent-missing"))
    assert "consent-missing not listed" in text
    assert 'mode = "off"' in text


def test_all_problems_at_once() -> None:
    text = problems(make('[[rule]]\nid = "x"\n[[rule]]\nid = "y"\n'))
    assert len(text.splitlines()) == 2


def test_not_toml_and_too_long() -> None:
    assert "p.toml: not TOML" in problems("id = ")
    assert str(MAX_PACK) in problems("#" * (MAX_PACK + 1))
    assert "write [[rule]] tables" in problems('id = "p"\nversion = 1\nrule = [1]\n')


def test_a_stored_pack_that_misses_a_new_rule_has_it_off(caplog: pytest.LogCaptureFixture) -> None:
    text = make(but="transfer")
    assert "transfer not listed: list each" in problems(text)
    pack = load_pack(text, "pack in force", stored=True)
    (bound,) = [rule for rule in pack.rules if rule.id == "transfer"]
    assert (bound.mode, bound.answer) == ("off", RULES["transfer"].answer)
    assert {rule.id for rule in pack.rules} == set(RULES)
    assert pack.answer("transfer").status == 403
    assert "pack in force: transfer not listed, so off" in caplog.text


def test_a_stored_pack_may_not_be_wrong_otherwise() -> None:
    with pytest.raises(PackError, match="use one of"):
        load_pack(make('[[rule]]\nid = "no-such-rule"\n', but="transfer"), "pack in force", stored=True)
