"""What changes in an INVITE of cc-alpha that is otherwise good, by class of bypass: one table for each.

A case is a dict of parts (see `GOOD`) or a function of the gateway's host:port. `text` turns it into octets; lone
surrogates (`\\udc85`) become single octets. Each case says what must come of it by the table it stands in: `REFUSED`
gets a refusal or silence and nothing at the carrier; `NORMALISED` may pass, when the carrier's leg names nobody but
the gated; `CONTROLS` must pass the same way.
"""

from __future__ import annotations

from tests.support.telephony import ALPHA, BETA, CONSENTED, UNKNOWN

Case = dict[str, str]
Table = dict[str, Case]

PAI = f"P-Asserted-Identity: <sip:{BETA}@127.0.0.2>\r\n"
LOCAL_BETA = BETA.removeprefix("+86")

GOOD: Case = {
    "method": "INVITE",
    "uri": f"sip:{CONSENTED}@GATEWAY",
    "version": "SIP/2.0",
    "via": "Via: VIA;branch=z9hG4bKBRANCH;rport",
    "max": "Max-Forwards: 70",
    "from": f"From: <sip:{ALPHA}@127.0.0.2>;tag=t",
    "to": f"To: <sip:{CONSENTED}@GATEWAY>",
    "call-id": "Call-ID: BRANCH",
    "cseq": "CSeq: 1 METHOD",
    "contact": f"Contact: <sip:{ALPHA}@CALLER>",
    "extra": "",
    "length": "Content-Length: LENGTH\r\n",
    "body": "",
    "behind": "",
    "end": "\r\n",
}


def text(case: Case, name: str, via: bytes, caller: str, gateway: str) -> bytes:
    """The octets of a case. `via`: protocol and sent-by of the sender, `caller`: his host:port, `gateway`: its."""
    parts = {**GOOD, **case}
    lines = [f"{parts['method']} {parts['uri']} {parts['version']}"]
    lines += [parts[part] for part in ("via", "max", "from", "to", "call-id", "cseq", "contact") if parts[part]]
    head = "\r\n".join(lines) + "\r\n" + parts["extra"] + parts["length"] + "\r\n"
    body = parts["body"].encode("utf-8", "surrogateescape")
    words = {
        "VIA": via.decode(), "BRANCH": name, "METHOD": parts["method"], "CALLER": caller, "GATEWAY": gateway,
        "LENGTH": str(len(body)),
    }  # fmt: skip
    behind = parts["behind"]
    for word, value in words.items():
        head, behind = head.replace(word, value), behind.replace(word, value)
    head = head.replace("\r\n", parts["end"])
    return head.encode("utf-8", "surrogateescape") + body + behind.encode("utf-8", "surrogateescape")


def _before_colon(*octets: str) -> Table:
    return {f"{octet!r} before the colon": {"extra": PAI.replace(":", octet + ":", 1)} for octet in octets}


HEADER_NAMES: Table = {
    **_before_colon(*(chr(octet) for octet in range(0x20) if chr(octet) not in "\t\r\n")),
    **_before_colon("\u00a0", "\udca0", "\u0085", "\udc85", "\u2003", "\ufeff", "\u200b", "\x7f"),
    "a space before the name": {"extra": "Subject: x\r\n P-Asserted-Identity : y\r\n" + PAI},
    "SP before the colon": {"extra": PAI.replace(":", " :", 1)},
    "SP and HTAB before the colon": {"extra": PAI.replace(":", "\t :", 1)},
    "a fold between name and colon": {"extra": PAI.replace(":", "\r\n :", 1)},
    "a value on the next line": {"extra": PAI.replace(": ", ":\r\n\t", 1)},
    "upper case": {"extra": PAI.replace("P-Asserted-Identity", "P-ASSERTED-IDENTITY")},
    "compact Referred-By": {"extra": f"b: <sip:{BETA}@127.0.0.2>\r\n"},
    "no colon at all": {"extra": "P-Asserted-Identity\r\n"},
    "an empty name": {"extra": f": <sip:{BETA}@x>\r\n"},
    "a name with a quote": {"extra": f'"P-Asserted-Identity": <sip:{BETA}@x>\r\n'},
}
"""CVE-2020-28361, CVE-2016-9938."""

SECOND_HEADERS: Table = {
    f"second {line.partition(':')[0]}, {where}": {where: line + "\r\n" if where == "extra" else line + "\r\n" + good}
    for line, part in (
        (f"From: <sip:{BETA}@127.0.0.2>;tag=u", "from"),
        (f"f: <sip:{BETA}@127.0.0.2>;tag=u", "from"),
        (f"fRoM \t: <sip:{BETA}@127.0.0.2>;tag=u", "from"),
        (f"To: <sip:{UNKNOWN}@GATEWAY>", "to"),
        (f"t: <sip:{UNKNOWN}@GATEWAY>", "to"),
        ("Call-ID: another", "call-id"),
        ("i: another", "call-id"),
        ("CSeq: 2 INVITE", "cseq"),
        ("Max-Forwards: 3", "max"),
        ("Max-Forwards : 70", "max"),
        ("Content-Length: 0", "length"),
        ("l: 0", "length"),
    )
    for where, good in (("extra", ""), (part, GOOD[part]))
}
"""CVE-2018-14767, RFC 4475 multi01 and mcl01: before and behind the good one, equal to it or not."""

LINE_ENDS: Table = {
    "bare LF smuggles a header": {"extra": "Subject: a\n" + PAI},
    "bare CR smuggles a header": {"extra": "Subject: a\r" + PAI},
    "LF CR": {"extra": "Subject: a\n\r" + PAI},
    "CR CR LF": {"extra": "Subject: a\r\r\n" + PAI},
    "LF only": {"end": "\n"},
    "CR only": {"end": "\r"},
    "two LF inside the header part": {"extra": "Subject: a\n\n" + PAI},
    "LF before the start-line": {"method": "\nINVITE", "cseq": "CSeq: 1 INVITE"},
    "next line in a PAI": {"extra": f'P-Asserted-Identity: "a\u0085b" <sip:{ALPHA}@127.0.0.2>\r\n'},
    "octet 85 in From": {"from": f"From: a\udc85b <sip:{ALPHA}@127.0.0.2>;tag=t"},
    "line separator in From": {"from": f'From: "a\u2028b" <sip:{ALPHA}@127.0.0.2>;tag=t'},
    "form feed in To": {"to": f"To: \x0c<sip:{CONSENTED}@GATEWAY>"},
    "file separator in Contact": {"contact": f"Contact: \x1c<sip:{ALPHA}@CALLER>"},
}

READINGS: Table = {
    "Max-Forwards +70": {"max": "Max-Forwards: +70"},
    "Max-Forwards 7_0": {"max": "Max-Forwards: 7_0"},
    "Max-Forwards full-width": {"max": "Max-Forwards: ７０"},
    "Max-Forwards with a no-break space": {"max": "Max-Forwards: \u00a070"},
    "Content-Length +0": {"length": "Content-Length: +0\r\n"},
    "Content-Length 0_0": {"length": "Content-Length: 0_0\r\n"},
    "Content-Length of Arabic digits": {"length": "Content-Length: ٠\r\n"},
    "CSeq +1": {"cseq": "CSeq: +1 INVITE"},
    "CSeq of superscripts": {"cseq": "CSeq: ¹ INVITE"},
    "CSeq behind a no-break space": {"cseq": "CSeq: 1\u00a0INVITE"},
    "full-width digits": {"from": "From: <sip:+86571１2340001@127.0.0.2>;tag=t"},
    "Arabic digits": {"uri": "sip:+861380013800٠@GATEWAY"},
    "escaped full-width digits": {"uri": "sip:+861380013800%EF%BC%90@GATEWAY"},
    "underscore between digits": {"uri": "sip:+8613800_138000@GATEWAY"},
    "two plus signs": {"uri": "sip:++8613800138000@GATEWAY"},
    "escaped twice": {"uri": "sip:%252B8613800138000@GATEWAY", "to": "To: <sip:%252B8613800138000@GATEWAY>"},
    "an escape of an escape in From": {"from": "From: <sip:%2538657112340001@127.0.0.2>;tag=t"},
    "a final newline in the user": {"uri": f"sip:{CONSENTED}%0a@GATEWAY"},
    "escape without digits": {"uri": f"sip:{CONSENTED}%@GATEWAY"},
    "an encoded-word for a name": {"extra": f"P-Asserted-Identity: =?utf-8?q?x?= <sip:{BETA}@x>\r\n"},
    "version SIP/2.0 with a tail": {"version": "SIP/2.0\u00a0"},
}
"""What `int`, `str.strip`, `isdigit`, `\\d`, `$` and the e-mail parsers of Python would have taken."""

ASSERTED: Table = {
    "another": {"extra": PAI},
    "another, tel": {"extra": f"P-Asserted-Identity: <tel:{BETA}>\r\n"},
    "another, without brackets": {"extra": f"P-Asserted-Identity: sip:{BETA}@127.0.0.2\r\n"},
    "another, second in the list": {
        "extra": f'P-Asserted-Identity: "a, b" <sip:{ALPHA}@127.0.0.2>, <tel:{BETA}>\r\n'
    },
    "another, in a second line": {"extra": f"P-Asserted-Identity: <sip:{ALPHA}@127.0.0.2>\r\n{PAI}"},
    "another, folded in the list": {
        "extra": f"P-Asserted-Identity: <sip:{ALPHA}@127.0.0.2>\r\n ,\r\n\t<sip:{BETA}@127.0.0.2>\r\n"
    },
    "commas inside quotes": {"extra": f'P-Asserted-Identity: "x, <sip:{ALPHA}@h>, y" <sip:{BETA}@127.0.0.2>\r\n'},
    "escaped quote ends nothing": {"extra": f'P-Asserted-Identity: "\\"<sip:{ALPHA}@h>" <sip:{BETA}@h>\r\n'},
    "a quote that is not closed": {"extra": f'P-Asserted-Identity: "x <sip:{ALPHA}@h>, <sip:{BETA}@h>\r\n'},
    "two sip": {"extra": f"P-Asserted-Identity: <sip:{ALPHA}@h>\r\nP-Asserted-Identity: <sips:{BETA}@h>\r\n"},
    "an empty element": {"extra": f"P-Asserted-Identity: ,<sip:{BETA}@h>\r\n"},
    "preferred": {"extra": f"P-Preferred-Identity: <tel:{BETA}>\r\n"},
    "Remote-Party-ID": {"extra": f"Remote-Party-ID: <sip:{BETA}@127.0.0.2>;party=calling\r\n"},
    "Diversion": {"extra": f"Diversion: <sip:{BETA}@127.0.0.2>;reason=unconditional\r\n"},
    "History-Info": {"extra": f"History-Info: <sip:{BETA}@127.0.0.2>;index=1\r\n"},
    "Privacy": {"extra": "Privacy: id\r\n"},
    "Privacy, case and list": {"extra": "pRiVaCy: none; USER\r\n"},
    "seventeen priv-values": {"extra": "Privacy: " + "none;" * 16 + "none\r\n"},
    "GTD body": {"extra": "Content-Type: application/gtd\r\n", "body": "CGN,04,,1,y,4,13900139000\r\n"},
    "Q.931 body": {"extra": "Content-Type: application/q931\r\n", "body": "x"},
    "SIP in a body": {"extra": "Content-Type: message/sip\r\n", "body": f"INVITE sip:{UNKNOWN}@x SIP/2.0\r\n\r\n"},
    "body of no type": {"body": "\x01\x00isup"},
    "ISUP part behind a bare LF": {
        "extra": "Content-Type: multipart/mixed;boundary=b\r\n",
        "body": "--b\nContent-Type: application/isup\n\nx\n--b--",
    },
}

DISPLAY_NAMES: Table = {
    "number in the display-name only": {"from": f'From: "{ALPHA}" <sip:sales@127.0.0.2>;tag=t'},
    "Anonymous Caller": {"from": f'From: "Anonymous Caller" <sip:{ALPHA}@127.0.0.2>;tag=t'},
    "Anonymous, escaped letters": {"from": f'From: "An\\onymous" <sip:{ALPHA}@127.0.0.2>;tag=t'},
    "a quote that is not closed": {"from": f'From: "{BETA} <sip:{ALPHA}@127.0.0.2>;tag=t'},
    "an address in an unquoted name": {"from": f"From: <sip:{BETA}@x> <sip:{ALPHA}@127.0.0.2>;tag=t"},
    "an @ in an unquoted name": {"from": f"From: {BETA}@x <sip:{ALPHA}@127.0.0.2>;tag=t"},
    "the address inside the quotes": {"from": f'From: "<sip:{ALPHA}@127.0.0.2>;tag=t" <sip:{BETA}@127.0.0.2>;tag=t'},
}

USER_PARTS: Table = {
    "password": {"from": f"From: <sip:{ALPHA}:secret@127.0.0.2>;tag=t"},
    "another number as password": {"uri": f"sip:{CONSENTED}:{UNKNOWN}@GATEWAY"},
    "tgrp": {"from": f"From: <sip:{ALPHA};tgrp=x;trunk-context=y@127.0.0.2>;tag=t"},
    "isub": {"uri": f"sip:{CONSENTED};isub=1@GATEWAY"},
    "another number behind a semicolon": {"uri": f"sip:{CONSENTED};{UNKNOWN}@GATEWAY"},
    "an escaped semicolon": {"uri": f"sip:{CONSENTED}%3brn={UNKNOWN}@GATEWAY"},
    "NUL": {"from": f"From: <sip:{ALPHA}%00@127.0.0.2>;tag=t"},
    "NUL and another number": {"uri": f"sip:{CONSENTED}%00{UNKNOWN}@GATEWAY"},
    "CRLF": {"from": f"From: <sip:{ALPHA}%0d%0aX:%20y@127.0.0.2>;tag=t"},
    "CRLF and a header": {"uri": f"sip:{CONSENTED}%0d%0aP-Asserted-Identity:%20%3Csip:{BETA}@GATEWAY"},
    "two @": {"from": f"From: <sip:{ALPHA}@127.0.0.2@127.0.0.3>;tag=t"},
    "two @ in the target": {"uri": f"sip:{CONSENTED}@127.0.0.1@GATEWAY"},
    "an escaped @": {"uri": f"sip:{UNKNOWN}%40{CONSENTED}@GATEWAY"},
    "no user": {"from": "From: <sip:127.0.0.2>;tag=t"},
    "an empty user": {"from": "From: <sip:@127.0.0.2>;tag=t"},
    "anonymous": {"from": "From: <sip:anonymous@anonymous.invalid>;tag=t"},
    "anonymous.invalid": {"from": f"From: <sip:{ALPHA}@anonymous.invalid>;tag=t"},
    "letters behind": {"uri": f"sip:{CONSENTED}x@GATEWAY"},
    "a digit behind": {"uri": f"sip:{CONSENTED}1@GATEWAY", "to": f"To: <sip:{CONSENTED}1@GATEWAY>"},
    "a space, escaped": {"uri": f"sip:{CONSENTED}%20@GATEWAY"},
    "user=dialstring": {"uri": f"sip:{CONSENTED}@GATEWAY;user=dialstring"},
}

TEL: Table = {
    "foreign phone-context": {"uri": "tel:13800138000;phone-context=+1"},
    "domain phone-context": {"uri": "tel:13800138000;phone-context=example.invalid"},
    "phone-context on a global number": {"uri": f"tel:{CONSENTED};phone-context=+86"},
    "two phone-contexts": {"uri": "tel:13800138000;phone-context=+86;phone-context=+1"},
    "ext": {"uri": f"tel:{CONSENTED};ext=12"},
    "rn": {"uri": f"tel:{CONSENTED};npdi;rn={UNKNOWN}"},
    "rn, escaped and in capitals": {"uri": f"tel:{CONSENTED};%52N={UNKNOWN}"},
    "rn before the @": {"uri": f"sip:{CONSENTED};rn={UNKNOWN}@GATEWAY"},
    "rn behind the host": {"uri": f"sip:{CONSENTED}@GATEWAY;rn={UNKNOWN}"},
    "cic": {"uri": f"tel:{CONSENTED};cic=+1288"},
    "cpc of From": {"from": f"From: <tel:{ALPHA};cpc=operator>;tag=t"},
    "*67": {"from": "From: <sip:*678657112340001@127.0.0.2>;tag=t"},
    "*67 of the target": {"uri": f"sip:*67{CONSENTED}@GATEWAY"},
    "#31#": {"uri": f"sip:%2331%23{CONSENTED}@GATEWAY"},
    "carrier prefix": {"uri": "sip:1795113800138000@GATEWAY"},
    "trunk 0 after +86": {"from": "From: <sip:+86057112340001@127.0.0.2>;tag=t"},
    "00 of another country": {"uri": "sip:00113800138000@GATEWAY"},
    "separators hide another number": {"uri": "tel:+86-139-0013-9000"},
    "a pause": {"uri": f"sip:{CONSENTED}p1@GATEWAY"},
    "a tel URI with a host": {"uri": f"tel:{CONSENTED}@GATEWAY"},
}

ROUTING: Table = {
    "preloaded Route": {"extra": "Route: <sip:127.0.0.66:5060;lr>\r\n"},
    "preloaded Route, folded": {"extra": "Route\r\n :\r\n <sip:127.0.0.66:5060;lr>\r\n"},
    "preloaded Route below ours": {"extra": "Route: <sip:GATEWAY;lr>, <sip:127.0.0.66:5060;lr>\r\n"},
    "strict route": {"uri": "sip:GATEWAY;lr;cg=x", "extra": f"Route: <sip:{CONSENTED}@127.0.0.66>\r\n"},
    "maddr": {"uri": f"sip:{CONSENTED}@GATEWAY;maddr=127.0.0.66"},
    "maddr, escaped": {"uri": f"sip:{CONSENTED}@GATEWAY;%6Daddr=127.0.0.66"},
    "another host": {"uri": f"sip:{CONSENTED}@127.0.0.66"},
    "another host that begins like ours": {"uri": f"sip:{CONSENTED}@127.0.0.1.invalid"},
    "URI headers": {"uri": f"sip:{CONSENTED}@GATEWAY?Route=%3Csip:127.0.0.66%3E"},
    "URI headers in Contact": {"contact": "Contact: <sip:127.0.0.2?Replaces=abc>"},
    "To names another": {"to": f"To: <sip:{UNKNOWN}@GATEWAY>"},
    "To names another, tel": {"to": f"To: <tel:{UNKNOWN}>"},
    "To with rn": {"to": f"To: <tel:{CONSENTED};rn={UNKNOWN}>"},
    "Contact of another": {"contact": f"Contact: <sip:{UNKNOWN}@127.0.0.2>"},
    "Contact, a letter in front": {"contact": "Contact: <sip:n13900139000@127.0.0.2>"},
    "Contact, a comma behind": {"contact": "Contact: <sip:13900139000,@127.0.0.2>"},
    "Contact, a service code": {"contact": "Contact: <sip:95588@127.0.0.2>"},
    "Proxy-Require": {"extra": "Proxy-Require: path\r\n"},
}

DIALOGS: Table = {
    "an invented To tag": {"to": f"To: <sip:{CONSENTED}@GATEWAY>;tag=invented"},
    "an empty To tag": {"to": f"To: <sip:{CONSENTED}@GATEWAY>;tag="},
    "a To tag without value": {"to": f"To: <sip:{CONSENTED}@GATEWAY>;tag"},
    "two To tags": {"to": f"To: <sip:{CONSENTED}@GATEWAY>;tag=a;tag=b"},
    "two From tags": {"from": f"From: <sip:{ALPHA}@127.0.0.2>;tag=t;TAG=u"},
    "the tag as a URI parameter": {"to": f"To: <sip:{CONSENTED}@GATEWAY;tag=a>"},
    "an invented cookie": {
        "to": f"To: <sip:{CONSENTED}@GATEWAY>;tag=a",
        "extra": f"Route: <sip:GATEWAY;lr;cg={'A' * 60}>\r\n",
    },
    "a cookie of no dialog": {"extra": f"Route: <sip:GATEWAY;lr;cg={'A' * 60}>\r\nReplaces: 1\r\n"},
    "Replaces": {"extra": "Replaces: 1@a;from-tag=1;to-tag=2\r\n"},
    "Join": {"extra": "Join: 1@a;from-tag=1;to-tag=2\r\n"},
    "BYE of a stranger": {"method": "BYE", "to": f"To: <sip:{CONSENTED}@GATEWAY>;tag=answering"},
    "UPDATE of a stranger": {"method": "UPDATE", "to": f"To: <sip:{CONSENTED}@GATEWAY>;tag=answering"},
    "CANCEL of nothing": {"method": "CANCEL"},
}

METHODS: Table = {
    **{
        f"{method} out of a dialog": {"method": method}
        for method in ("invite", "Invite", "INVITE2", "FETCH", "MESSAGE", "SUBSCRIBE", "PUBLISH", "NOTIFY", "INFO")
    },
    **{f"{method} with nothing behind it": {"method": method} for method in ("REFER", "REGISTER", "UPDATE", "PRACK")},
    "CSeq of another method": {"cseq": "CSeq: 1 OPTIONS"},
    "CSeq in lower case": {"cseq": "CSeq: 1 invite"},
    "INVITE in the CSeq of an OPTIONS": {"method": "OPTIONS", "cseq": "CSeq: 1 INVITE"},
    "INVITE in the CSeq of an ACK": {"method": "INVITE", "cseq": "CSeq: 1 ACK"},
    "an escaped method": {"method": "%49NVITE"},
}

FRAMING: Table = {
    "Content-Length beyond the message": {"length": "Content-Length: 400\r\n"},
    "Content-Length -1": {"length": "Content-Length: -1\r\n"},
    "Content-Length of 30 digits": {"length": f"Content-Length: {'9' * 30}\r\n"},
    "Content-Length 0x0": {"length": "Content-Length: 0x0\r\n"},
    "Content-Length and a comment": {"length": "Content-Length: 0 (none)\r\n"},
    "no empty line": {"length": "Content-Length: 0"},
    "chunks": {"extra": "Transfer-Encoding: chunked\r\n", "length": "", "body": f"0\r\n\r\nINVITE sip:{UNKNOWN}@x"},
}

LOOPS: Table = {
    "Max-Forwards 0": {"max": "Max-Forwards: 0"},
    "Max-Forwards 000": {"max": "Max-Forwards: 000"},
    "Max-Forwards 256": {"max": "Max-Forwards: 256"},
    "71 Vias": {"extra": "".join(f"Via: SIP/2.0/UDP 127.0.0.2:{5100 + n};branch=z9hG4bK{n}\r\n" for n in range(71))},
}
"""The spiral with our own Via is made from what the carrier got: `test_bypass`."""

REFUSED: dict[str, Table] = {
    "header names": HEADER_NAMES,
    "second headers": SECOND_HEADERS,
    "line ends": LINE_ENDS,
    "readings": READINGS,
    "asserted identity": ASSERTED,
    "display-names": DISPLAY_NAMES,
    "user parts": USER_PARTS,
    "tel": TEL,
    "routing": ROUTING,
    "dialogs": DIALOGS,
    "methods": METHODS,
    "framing": FRAMING,
    "loops": LOOPS,
}

NORMALISED: Table = {
    "display-name of another number": {"from": f'From: "{BETA}" <sip:{ALPHA}@127.0.0.2>;tag=t'},
    "quoted address in the display-name": {"from": f'From: "<sip:{BETA}@x>;tag=z" <sip:{ALPHA}@127.0.0.2>;tag=t'},
    "escaped quotes in the display-name": {"from": f'From: "a\\" <sip:{BETA}@x>;\\"" <sip:{ALPHA}@127.0.0.2>;tag=t'},
    "bidi controls in the display-name": {"from": f'From: "\u202e{BETA}\u202c" <sip:{ALPHA}@127.0.0.2>;tag=t'},
    "octet 85 in the display-name, as in GBK": {"from": f'From: "a\udc85b" <sip:{ALPHA}@127.0.0.2>;tag=t'},
    "full-width number in the display-name": {"to": f'To: "１３９００１３９０００" <sip:{CONSENTED}@GATEWAY>'},
    "quoted parameter in From": {"from": f'From: sip:{ALPHA}@127.0.0.2;tag=t;x="<sip:{BETA}@127.0.0.2>"'},
    "quoted parameter in To": {"to": f'To: sip:{CONSENTED}@GATEWAY;x="<sip:{BETA}@127.0.0.2>"'},
    "quoted parameter in Contact": {"contact": f'Contact: sip:desk@127.0.0.2;x="<sip:{BETA}@127.0.0.2>"'},
    "line separator in Subject": {"extra": f"Subject: a\u2028From: <sip:{BETA}@x>;tag=z\r\n"},
    "next line in an unknown header": {"extra": f"X-Note: a\u0085From: <sip:{BETA}@x>;tag=z\r\n"},
    "softswitches' own headers": {
        "extra": f"X-Caller-ID: {BETA}\r\nX-Original-CLI: {BETA}\r\nX-RPID: <sip:{BETA}@x>\r\n"
    },
    "credentials": {"extra": f'Proxy-Authorization: Digest username="{BETA}"\r\n'},
    "ring tone and user-to-user": {"extra": f"Alert-Info: <sip:{BETA}@x>\r\nUser-to-User: {BETA}\r\n"},
    "a name that begins like a known one": {"extra": f"P-Charge-Info: <sip:{BETA}@x>\r\n"},
    "octets behind the Content-Length": {"behind": f"INVITE sip:{UNKNOWN}@GATEWAY SIP/2.0\r\nFrom: <sip:{BETA}@x>\r\n"},
    "forged Record-Route": {"extra": "Record-Route: <sip:127.0.0.66;lr>\r\n"},
    "leading CRLFs": {"method": "\r\n\r\nINVITE", "cseq": "CSeq: 1 INVITE"},
}

CONTROLS: Table = {
    "plain": {},
    "compact forms": {
        "from": f"f: <sip:{ALPHA}@127.0.0.2>;tag=t", "to": f"t: <sip:{CONSENTED}@GATEWAY>",
        "via": GOOD["via"].replace("Via", "v"), "call-id": "i: BRANCH", "length": "l: 0\r\n",
        "contact": f"m: <sip:{ALPHA}@CALLER>",
    },
    "folds": {"from": f"From:\r\n <sip:{ALPHA}@127.0.0.2>\r\n\t;tag=t", "to": f"To:\r\n <sip:{CONSENTED}@GATEWAY>"},
    "SP and HTAB before the colon": {"from": f"From \t: <sip:{ALPHA}@127.0.0.2>;tag=t"},
    "sip and tel PAI": {"extra": f"P-Asserted-Identity: <sip:{ALPHA}@127.0.0.2>, <tel:{ALPHA}>\r\n"},
    "sip and tel PAI in two lines": {
        "extra": f"P-Asserted-Identity: <sip:{ALPHA}@127.0.0.2>\r\nP-Asserted-Identity: <tel:{ALPHA}>\r\n"
    },
    "sip and tel PAI, folded, with a comma in quotes": {
        "extra": f'P-Asserted-Identity: "a, b" <sip:{ALPHA}@127.0.0.2>,\r\n <tel:{ALPHA}>\r\n'
    },
    "percent-escaped digits": {"uri": "sip:%2B861380013800%30@GATEWAY", "from": GOOD["from"].replace("+", "%2b")},
    "tel with separators": {"from": "From: <tel:+86-571-1234-0001>;tag=t", "uri": "tel:+86-138-0013-8000"},
    "national form": {"from": "From: <sip:057112340001@127.0.0.2>;tag=t"},
    "no plus": {"from": "From: <sip:8657112340001@127.0.0.2>;tag=t"},
    "addr-spec without brackets": {"from": f"From: sip:{ALPHA}@127.0.0.2;tag=t", "to": f"To: sip:{CONSENTED}@GATEWAY"},
    "short extension in Contact": {"contact": "Contact: <sip:8001@127.0.0.2>"},
    "headers in other cases": {"from": GOOD["from"].replace("From", "fROM"), "max": "MAX-FORWARDS:70"},
}
