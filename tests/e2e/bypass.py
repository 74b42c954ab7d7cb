"""The tables of `test_bypass`: what changes in an INVITE or UPDATE that is otherwise good."""

from __future__ import annotations

from tests.support.telephony import ALPHA, BETA, CONSENTED, UNKNOWN

GOOD = {
    "uri": f"sip:{CONSENTED}@GATEWAY",
    "from": f"From: <sip:{ALPHA}@127.0.0.2>;tag=t",
    "to": f"To: <sip:{CONSENTED}@GATEWAY>",
    "extra": "",
    "max": "Max-Forwards: 70",
    "contact": f"Contact: <sip:{ALPHA}@CALLER>",
    "body": "",
}

REFUSED = {
    "second From": {"extra": f"From: <sip:{BETA}@127.0.0.2>;tag=u\r\n"},
    "second From, compact": {"extra": f"f: <sip:{BETA}@127.0.0.2>;tag=u\r\n"},
    "second To, compact": {"extra": f"t: <sip:{UNKNOWN}@127.0.0.1>\r\n"},
    "second Max-Forwards": {"extra": "Max-Forwards: 3\r\n"},
    "NUL before the colon": {"extra": f"P-Asserted-Identity\0: <sip:{BETA}@127.0.0.2>\r\n"},
    "no-break space before the colon": {"extra": f"P-Asserted-Identity\u00a0: <sip:{BETA}@127.0.0.2>\r\n"},
    "vertical tab before the colon": {"extra": f"P-Asserted-Identity\x0b: <sip:{BETA}@127.0.0.2>\r\n"},
    "bare LF smuggles a header": {"extra": f"Subject: a\nP-Asserted-Identity: <sip:{BETA}@127.0.0.2>\r\n"},
    "bare CR smuggles a header": {"extra": f"Subject: a\rP-Asserted-Identity: <sip:{BETA}@127.0.0.2>\r\n"},
    "another PAI": {"extra": f"P-Asserted-Identity: <sip:{BETA}@127.0.0.2>\r\n"},
    "another PAI, SP before the colon": {"extra": f"P-Asserted-Identity : <sip:{BETA}@127.0.0.2>\r\n"},
    "another PAI, folded": {"extra": f"P-Asserted-Identity:\r\n <sip:{BETA}@127.0.0.2>\r\n"},
    "another PAI, second in the list": {
        "extra": f'P-Asserted-Identity: "a, b" <sip:{ALPHA}@127.0.0.2>, <tel:{BETA}>\r\n'
    },
    "another PPI": {"extra": f"P-Preferred-Identity: <tel:{BETA}>\r\n"},
    "Remote-Party-ID": {"extra": f"Remote-Party-ID: <sip:{BETA}@127.0.0.2>;party=calling\r\n"},
    "Diversion": {"extra": f"Diversion: <sip:{BETA}@127.0.0.2>;reason=unconditional\r\n"},
    "Privacy": {"extra": "Privacy: id\r\n"},
    "Privacy, case and list": {"extra": "pRiVaCy: none; USER\r\n"},
    "Replaces": {"extra": "Replaces: 1@a;from-tag=1;to-tag=2\r\n"},
    "preloaded Route": {"extra": "Route: <sip:127.0.0.66:5060;lr>\r\n"},
    "maddr": {"uri": f"sip:{CONSENTED}@GATEWAY;maddr=127.0.0.66"},
    "another host": {"uri": f"sip:{CONSENTED}@127.0.0.66"},
    "URI headers": {"uri": f"sip:{CONSENTED}@GATEWAY?Route=%3Csip:127.0.0.66%3E"},
    "To names another": {"to": f"To: <sip:{UNKNOWN}@GATEWAY>"},
    "rn": {"uri": f"sip:{CONSENTED};rn={UNKNOWN}@GATEWAY"},
    "ext": {"uri": f"tel:{CONSENTED};ext=12"},
    "tgrp before the @": {"from": f"From: <sip:{ALPHA};tgrp=x;trunk-context=y@127.0.0.2>;tag=t"},
    "password": {"from": f"From: <sip:{ALPHA}:secret@127.0.0.2>;tag=t"},
    "number in the display-name only": {"from": f'From: "{ALPHA}" <sip:sales@127.0.0.2>;tag=t'},
    "no user": {"from": "From: <sip:127.0.0.2>;tag=t"},
    "anonymous": {"from": "From: <sip:anonymous@anonymous.invalid>;tag=t"},
    "*67 in front": {"from": "From: <sip:*678657112340001@127.0.0.2>;tag=t"},
    "#31# in front": {"uri": f"sip:%2331%23{CONSENTED}@GATEWAY"},
    "carrier prefix in front": {"uri": "sip:1795113800138000@GATEWAY"},
    "full-width digits": {"from": "From: <sip:+86571１2340001@127.0.0.2>;tag=t"},
    "NUL escaped in the user": {"from": f"From: <sip:{ALPHA}%00@127.0.0.2>;tag=t"},
    "CRLF escaped in the user": {"from": f"From: <sip:{ALPHA}%0d%0aX:%20y@127.0.0.2>;tag=t"},
    "two @": {"from": f"From: <sip:{ALPHA}@127.0.0.2@127.0.0.3>;tag=t"},
    "Contact of another number": {"contact": f"Contact: <sip:{UNKNOWN}@127.0.0.2>"},
    "Contact, a letter in front": {"contact": "Contact: <sip:n13900139000@127.0.0.2>"},
    "Contact, a comma behind": {"contact": "Contact: <sip:13900139000,@127.0.0.2>"},
    "Contact, a service code": {"contact": "Contact: <sip:95588@127.0.0.2>"},
    "Contact with headers": {"contact": "Contact: <sip:127.0.0.2?Replaces=abc>"},
    "display-name Anonymous Caller": {"from": f'From: "Anonymous Caller" <sip:{ALPHA}@127.0.0.2>;tag=t'},
    "seventeen priv-values": {"extra": "Privacy: " + "none;" * 16 + "none\r\n"},
    "GTD body": {"extra": "Content-Type: application/gtd\r\n", "body": "CGN,04,,1,y,4,13900139000\r\n"},
    "Q.931 body": {"extra": "Content-Type: application/q931\r\n", "body": "x"},
    "SIP in a body": {"extra": "Content-Type: message/sip\r\n", "body": f"INVITE sip:{UNKNOWN}@x SIP/2.0\r\n\r\n"},
    "body of no type": {"body": "\x01\x00isup"},
    "ISUP part behind a bare LF": {
        "extra": "Content-Type: multipart/mixed;boundary=b\r\n",
        "body": "--b\nContent-Type: application/isup\n\nx\n--b--",
    },
    "line separator in From": {"from": f'From: "a\u2028b" <sip:{ALPHA}@127.0.0.2>;tag=t'},
    "next line in a PAI": {"extra": f'P-Asserted-Identity: "a\u0085b" <sip:{ALPHA}@127.0.0.2>\r\n'},
    "trunk 0 after +86": {"from": "From: <sip:+86057112340001@127.0.0.2>;tag=t"},
}

CONTROLS = {
    "plain": {},
    "compact forms": {"from": f"f: <sip:{ALPHA}@127.0.0.2>;tag=t", "to": f"t: <sip:{CONSENTED}@GATEWAY>"},
    "folds": {"from": f"From:\r\n <sip:{ALPHA}@127.0.0.2>\r\n ;tag=t"},
    "SP and HTAB before the colon": {"from": f"From \t: <sip:{ALPHA}@127.0.0.2>;tag=t"},
    "sip and tel PAI": {"extra": f"P-Asserted-Identity: <sip:{ALPHA}@127.0.0.2>, <tel:{ALPHA}>\r\n"},
    "tel with separators": {"from": "From: <tel:+86-571-1234-0001>;tag=t"},
    "national form": {"from": "From: <sip:057112340001@127.0.0.2>;tag=t"},
    "no plus": {"from": "From: <sip:8657112340001@127.0.0.2>;tag=t"},
    "display-name of another number": {"from": f'From: "{BETA}" <sip:{ALPHA}@127.0.0.2>;tag=t'},
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
    "short extension in Contact": {"contact": "Contact: <sip:8001@127.0.0.2>"},
}


CHANGED = {
    "unknown From parameter hides the rest": {
        "from": f'From: "Anonymous" <sip:{ALPHA}@127.0.0.2;x=y>',
        "extra": "Privacy: id\r\n",
        "contact": f"Contact: <sip:{BETA}@CALLER>",
    },
    "From verstat and rn": {"from": f"From: <sip:{ALPHA}@127.0.0.2;verstat=TN-Validation-Passed;rn={BETA}>"},
    "verstat behind the tag": {"from": f"From: <sip:{ALPHA}@127.0.0.2>;verstat=TN-Validation-Passed"},
    "Anonymous From": {"from": f'From: "Anonymous" <sip:{ALPHA}@127.0.0.2>'},
    "To rn": {"to": f"To: <sip:{CONSENTED}@GATEWAY;rn={BETA};npdi>"},
    "Contact Replaces": {"contact": "Contact: <sip:CALLER?Replaces=abc>"},
    "Contact of another": {"contact": f"Contact: <sip:{BETA}@CALLER>"},
    "Privacy": {"extra": "Privacy: id\r\n"},
    "GTD body": {"extra": "Content-Type: application/gtd\r\n", "body": "CGN,1\r\n"},
}

UNCHANGED = {"plain": {}, "no Contact number": {"contact": "Contact: <sip:CALLER>"}}
