"""SIP messages: bytes to values and back, and nothing else.

Theory of operation
===================

`parse` reads one datagram into a `Request` or a `Response`, or raises `RemoteProtocolError`. What it returns
has been checked as far as an element between two networks must: line ends, control characters, header names,
the headers that may stand only once, Via, From, To, Call-ID, CSeq, Max-Forwards, Contact and the Request-URI.
Everything else is carried as (name, value) pairs in the order it came.

There are two roads to the same message. `everyday` knows the header lines it saw before and takes messages made of
everyday lines only; `parser.parse_slowly` takes all of them, and alone refuses.

`write_request` and `write_response` make the bytes that leave, from those values alone: what was checked is
what goes out. Framing (folds, compact names, white space, Content-Length) is never copied.
parse(write(parse(x))) equals parse(x).

A message that could be read in two ways is refused whole, because the element behind us may read it the other
way: that is how a gate is passed by. The error says which status it deserves and keeps what an answer must
copy (`Salvage`); `error_response` makes that answer. A broken response, or a request without a usable Via,
gets silence.

Everything here is bytes: SIP allows UTF-8 in few places, and `str` knows digits, blanks and line ends SIP
does not. No regular expressions: character classes are `bytes.translate` sets (`chars`), so no input takes
more than linear time. Every bound a stranger can push has its name in `limits`.
"""

from gateway.sip.errors import LocalProtocolError, ProtocolError, RemoteProtocolError, Salvage
from gateway.sip.message import Headers, Request, Response
from gateway.sip.nameaddr import NameAddr, display_text, parse_name_addr, split_list
from gateway.sip.names import canonical_name
from gateway.sip.parser import is_keepalive, parse
from gateway.sip.responses import STATUS_PHRASE, phrase_of
from gateway.sip.uri import Uri, canonical_uri, parse_uri, unescape
from gateway.sip.via import MAGIC_COOKIE, Via, parse_via
from gateway.sip.writer import error_response, write_request, write_response

__all__ = [
    "MAGIC_COOKIE",
    "STATUS_PHRASE",
    "Headers",
    "LocalProtocolError",
    "NameAddr",
    "ProtocolError",
    "RemoteProtocolError",
    "Request",
    "Response",
    "Salvage",
    "Uri",
    "Via",
    "canonical_name",
    "canonical_uri",
    "display_text",
    "error_response",
    "is_keepalive",
    "parse",
    "parse_name_addr",
    "parse_uri",
    "parse_via",
    "phrase_of",
    "split_list",
    "unescape",
    "write_request",
    "write_response",
]
