"""Every bound a stranger can push against, with its reason."""

from __future__ import annotations

from typing import Final

MAX_MESSAGE: Final = 65_535
"""Octets of one message. A UDP datagram cannot be longer (RFC 3261 §18.1.1 asks for all of it)."""

MAX_STREAM_HEAD: Final = 32_768
"""Octets of a header part on a stream, its empty line included: twice the longest request that is taken, as a response
carries the Vias and Record-Routes of its request and more."""

MAX_STREAM_BODY: Final = MAX_MESSAGE - MAX_STREAM_HEAD
"""Octets of a body on a stream: with the header part it makes `MAX_MESSAGE`, which is all that one connection can make
us keep. SDP has 300 to 2,000."""

MAX_HEADERS: Final = 256
"""Header lines of one message, continuation lines and elements of Via and Route lists included. Calls through five
proxies carry about 60; RFC 4475 `longreq` has 42."""

MAX_LINE: Final = 8_192
"""Octets of one line, after unfolding. Identity headers (RFC 8224) reach about 1,000, cookies and Route sets
4,000."""

MAX_VIAS: Final = 70
"""Via elements of one message: the Max-Forwards every client starts with (RFC 3261 §8.1.1.6)."""

MAX_ELEMENTS: Final = 256
"""Elements of one comma list, so that 60 kB of commas are not 60,000 objects."""

MAX_CONTACTS: Final = 32
"""Contact addresses of one message, all lines together: a phone writes one, a redirection a handful."""

MAX_ESCAPED_QUOTES: Final = 256
"""Quotes of one quoted-string, those behind a backslash included; a display-name has two or none."""

MAX_CONTROL_TEXT: Final = 4_096
"""Octets of all lines that hold control characters in quoted-pairs, which are read octet by octet. RFC 4475 `intmeth`
has 200 of them; nobody else writes any."""

MAX_PARAMS: Final = 64
"""Parameters of one Via, name-addr or URI. RFC 4475 `longreq` has 4."""

MAX_CALL_ID: Final = 255
"""Octets of a Call-ID: what clients make has 20 to 80, RFC 4475 `longreq` 141. Every search for a call is by it, so it
must fit an index entry of the evidence (store/sql/evidence_rows.py)."""

MAX_TAG: Final = 255
"""Octets of the tag of From or To: what clients make has 8 to 60, RFC 4475 `longreq` 155. Tags key transactions and
dialogs and stand in every record."""

MAX_CSEQ: Final = 2**32 - 1
"""RFC 3261 §8.1.1.5 says below 2**31; RFC 4475 §3.1.2.4 rejects above 2**32-1. We depart and take what fits
32 bits."""

MAX_HOPS: Final = 255
"""Largest Max-Forwards (RFC 3261 §20.22)."""

MAX_MEMO = 4_096
"""Remembered texts of one kind and their reading, about 1 MB: `host:port`, sent-by, From and To. The peers of a gateway
are far fewer, and so are its calls in set-up. Full: forget all."""

MAX_MEMO_KEY: Final = 300
"""Octets of a remembered text: longer ones are read again each time. A host name has at most 255 (RFC 1035 §2.3.4)."""

MAX_REMEMBERED_LINES: Final = 8_192
"""Header lines in each half of the memory of those seen last (`everyday`): some 600 new calls, 10 MB both halves of
everyday lines, and 25 MB of lines as long as `MAX_MEMO_KEY` lets in."""

MAX_DIGITS: Final = 20
"""Digits of any number we read, leading zeros included: `int()` of 8,000 digits is slow, and fails above
4,300."""
