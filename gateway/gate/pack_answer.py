"""The answer part of a pack: checked so that nothing a pack says can break a response or mislead a peer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from policies.base import Answer

FIELDS = ("status", "phrase", "cause", "retry_after", "headers")
MAX_PHRASE = 64
"""Characters of a reason phrase: shown on telephones, logged by peers."""
MAX_HEADER = 256
"""Characters of one header value."""
MAX_RETRY_AFTER = 86_400
"""One day in seconds; a longer wait is a refusal for good."""
MAX_CAUSE = 127
"""ITU-T Q.850 §2.2.5: causes are seven bits. 0 here: no Reason header."""
OWN_HEADERS = frozenset(
    {
        "via",
        "from",
        "to",
        "call-id",
        "cseq",
        "contact",
        "record-route",
        "route",
        "content-length",
        "content-type",
        "max-forwards",
        "reason",
        "warning",
        "retry-after",
    }
)
"""Headers the gateway writes itself; a pack's would be a second one."""

_TOKEN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~")
"""RFC 3261 §25.1 `token`."""

CALLEE = "{callee}"
"""In a header value: stands for the Request-URI of the refused request."""


def fill_header(value: str, callee: bytes) -> bytes:
    """A header value of an answer, with the refused request's Request-URI put in for `{callee}`."""
    return value.encode().replace(CALLEE.encode(), callee)


def read_answer(table: Mapping[str, object], default: Answer, verdict: bool) -> tuple[Answer, list[tuple[str, str]]]:
    """The answer a table describes, over `default`, and its problems as (key, `value: fix`).

    `verdict`: the answer is a rule's, on a number. It may not be 503: peers would read "gateway down", fail
    over to another route and stop sending altogether."""
    problems: list[tuple[str, str]] = []
    answer = default
    if "status" in table:
        status = _whole(table, "status", 400, 699, problems)
        if status in (401, 407):
            problems.append(("status", f"{status}: a challenge is no refusal: write another status"))
        elif verdict and status == 503:
            problems.append(("status", "503: for the gateway's own state only: write 403 or 603"))
        answer = replace(answer, status=status)
    if "phrase" in table:
        phrase = table["phrase"]
        if not isinstance(phrase, str) or not 0 < len(phrase) <= MAX_PHRASE or not phrase.isprintable():
            problems.append(("phrase", f"{phrase!r}: write 1-{MAX_PHRASE} printable characters"))
        else:
            answer = replace(answer, phrase=phrase)
    if "cause" in table:
        answer = replace(answer, cause=_whole(table, "cause", 0, MAX_CAUSE, problems))
    if "retry_after" in table:
        answer = replace(answer, retry_after=_whole(table, "retry_after", 0, MAX_RETRY_AFTER, problems))
    if "headers" in table:
        answer = replace(answer, headers=_headers(table["headers"], problems))
    return answer, problems


def _whole(table: Mapping[str, object], key: str, low: int, high: int, problems: list[tuple[str, str]]) -> int:
    value = table[key]
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    problems.append((key, f"{value!r}: write a whole number {low}-{high}"))
    return low


def _headers(value: object, problems: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        problems.append(("headers", f"{value!r}: write a table of name = value"))
        return ()
    headers: list[tuple[str, str]] = []
    for name, text in value.items():
        if not isinstance(name, str) or not name or not all(character in _TOKEN for character in name):
            problems.append(("headers", f"{name!r}: write a header name (RFC 3261 token)"))
        elif name.lower() in OWN_HEADERS:
            problems.append(("headers", f"{name!r}: the gateway writes this header itself: leave it out"))
        elif not isinstance(text, str) or len(text) > MAX_HEADER or not text.isprintable():
            problems.append((name, f"{text!r}: write at most {MAX_HEADER} printable characters"))
        else:
            headers.append((name, text))
    return tuple(headers)
