"""A message as it may leave towards the other side: made by the gate, written by the proxy."""

from __future__ import annotations

from typing import final

from gateway.sip.message import Headers


@final
class Screened:
    """What a message becomes. `refusal`: rule id that refuses it, "" to send it on; `detail` says why, without a
    number.

    `headers`: a new list, ready for the proxy to put Via and Record-Route in front. `body`: the body to send with them.
    """

    __slots__ = ("body", "detail", "headers", "refusal")

    def __init__(self, headers: Headers, body: bytes, refusal: str = "", detail: str = "") -> None:
        self.headers = headers
        self.body = body
        self.refusal = refusal
        self.detail = detail
