"""What the names of a message's headers say, read once per list of names.

A peer writes the same headers in the same order into every INVITE. What is to be done with each of them depends on the
names alone, so that it is worked out once and remembered: an ordinary message is then judged and screened by looking
at the few headers whose *values* matter. Which header is which stands in `identity_headers`, and nowhere else.
"""

from __future__ import annotations

from typing import Final, final

from gateway.gate.bodies import CONTENT_ENCODING, SDP
from gateway.gate.identity_headers import (
    ANNOUNCING,
    ASSERTED,
    JUDGED,
    NETWORK,
    PASSED,
    PRIVACY,
    RAW_HEADERS,
    TRANSFERS,
    WITHHELD,
    may_leave,
)
from gateway.sip.headers import FREE_TEXT
from gateway.sip.message import Headers
from gateway.sip.names import CANONICAL, CONTACT, CONTENT_TYPE, FROM, ROUTE, TO

MAX_STEPS: Final = 4_096
"""Names remembered behind one another, 2 MB: some 500 lists of names, as most begin like another; the equipment of a
hundred peers writes fewer. Full: forget all."""
MAX_SHAPE_HEADERS: Final = 64
"""Headers of a message whose shape is remembered: calls through five proxies carry about 60."""
MAX_SHAPE_NAMES: Final = 2_048
"""Octets of their names together. Longer ones are read each time."""

# What becomes of a header whose value, or whose direction, matters.
IS_FROM: Final = 1
IS_TO: Final = 2
IS_CONTACT: Final = 3
IS_TEXT: Final = 4
"""Stays where it is text that no reader splits into lines (`identity_headers.is_clean`)."""
IS_PRIVACY: Final = 5
IS_ANNOUNCING: Final = 6
IS_REMOVED: Final = 7
IS_TRANSFER: Final = 8
IS_NETWORK: Final = 9
IS_KIN: Final = 10
"""Repeats the caller's number, but stays where he did not ask to be hidden."""

Marks = tuple[tuple[int, int], ...]
"""(place in the list, what it is), the last header first, so that one can be deleted and the others stay in place."""


class Shape:
    """Places of headers in a list with these names. -1 and empty tuples: there is none.

    `asserted`: P-Asserted-Identity. `judged`: what is held against the caller beside it and Privacy. `from_at`,
    `to_at`: the first of them. `content_type`: the last of them, which counts. `encoded`: a Content-Encoding is there;
    `private`: a Privacy; `routed`: a Route. `transfer`: the first header that would transfer the call. `leaving`: what
    to look at towards the core, `arriving`: towards access; all other headers pass as they are. `raw`: place and name
    of what evidence keeps as received.
    """

    __slots__ = (
        *("arriving", "asserted", "content_type", "encoded", "from_at", "judged", "leaving", "private", "raw"),
        *("routed", "to_at", "transfer"),
    )

    def __init__(self, names: list[bytes]) -> None:
        asserted: list[int] = []
        judged: list[int] = []
        leaving: list[tuple[int, int]] = []
        arriving: list[tuple[int, int]] = []
        raw: list[tuple[int, str]] = []
        self.from_at = self.to_at = self.content_type = -1
        self.encoded = self.private = self.routed = False
        self.transfer = ""
        for at, name in enumerate(names):
            if name == FROM and self.from_at < 0:
                self.from_at = at
            elif name == TO and self.to_at < 0:
                self.to_at = at
            elif name == CONTENT_TYPE:
                self.content_type = at
            elif name == CONTENT_ENCODING:
                self.encoded = True
            elif name == PRIVACY:
                self.private = True
            elif name == ASSERTED:
                asserted.append(at)
            elif name in JUDGED:
                judged.append(at)
            elif name == ROUTE:
                self.routed = True
            elif name in TRANSFERS and not self.transfer:
                self.transfer = name.decode("ascii")
            if name in RAW_HEADERS:
                raw.append((at, name.decode("ascii")))
            mark = _leaving(name)
            if mark:
                leaving.append((at, mark))
            mark = _arriving(name)
            if mark:
                arriving.append((at, mark))
        self.raw = tuple(raw)
        self.asserted = tuple(asserted)
        self.judged = tuple(judged)
        self.leaving: Marks = tuple(reversed(leaving))
        self.arriving: Marks = tuple(reversed(arriving))


@final
class _Step:
    """The names of a message's headers down to one of them: a step of the walk that `shape_of` takes."""

    __slots__ = ("after", "last", "name", "shape")

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.after: dict[bytes, _Step] = {}
        """The steps from here, by the name of the next header."""
        self.last: _Step | None = None
        """The one taken last, which is nearly always taken next."""
        self.shape: Shape | None = None
        """Of a message that ends here."""


@final
class _Walks:
    """What is remembered: the steps of messages seen."""

    __slots__ = ("first", "steps")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.first = _Step(b"")
        self.steps = 0

    def add(self, names: list[bytes], shape: Shape) -> None:
        """Remember the shape of these names."""
        if self.steps + len(names) > MAX_STEPS:
            self.forget()
        step = self.first
        for name in names:
            following = step.after.get(name)
            if following is None:
                following = step.after[name] = _Step(name)
                self.steps += 1
            step = following
        step.shape = shape


_walks: Final = _Walks()


def shape_of(headers: Headers) -> Shape:
    """The shape of a header list."""
    step = _walks.first
    for header in headers:
        name = header[0]
        following = step.last
        if following is None or following.name is not name:  # the parser has one object for each known name
            following = step.after.get(name)
            if following is None:
                return _new_shape(headers)
            step.last = following
        step = following
    return step.shape or _new_shape(headers)


def _new_shape(headers: Headers) -> Shape:
    names = [header[0] for header in headers]
    shape = Shape(names)
    if len(names) <= MAX_SHAPE_HEADERS and sum(map(len, names)) <= MAX_SHAPE_NAMES:
        _walks.add(names, shape)
    return shape


def says_sdp(headers: Headers, shape: Shape) -> bool:
    """Is the body SDP and nothing else, by its headers? Any other is looked at."""
    at = shape.content_type
    return at >= 0 and not shape.encoded and headers[at][1] == SDP


def _leaving(name: bytes) -> int:
    """What to do with a header from access towards the core; 0: it passes."""
    if name in TRANSFERS:
        return IS_TRANSFER
    if name in PASSED or name in (CONTENT_TYPE, CONTENT_ENCODING):
        return 0
    if name == FROM:
        return IS_FROM
    if name == TO:
        return IS_TO
    if name == CONTACT:
        return IS_CONTACT
    if name == PRIVACY:
        return IS_PRIVACY
    if name in ANNOUNCING:
        return IS_ANNOUNCING
    return IS_TEXT if name in FREE_TEXT or may_leave(name) else IS_REMOVED


def _arriving(name: bytes) -> int:
    """What to do with a header towards access; 0: it passes."""
    lower = name.lower()
    if lower in NETWORK:
        return IS_NETWORK
    if lower in WITHHELD:
        return IS_KIN
    # The parser has refused what is no text in a registered header with a grammar.
    return 0 if name in CANONICAL and name not in FREE_TEXT else IS_TEXT
