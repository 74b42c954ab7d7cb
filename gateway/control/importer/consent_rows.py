"""Rows of consents: cells to events."""

from __future__ import annotations

from datetime import datetime

from gateway.control.importer.event_reader import EventReader
from gateway.control.importer.values import AHEAD_FIX, TIME_FIX, UNKNOWN_TIME, known, parse_time, text_problem
from gateway.store.sql.consents import ConsentEvent

REQUIRED = ("callee", "operator", "purpose", "granted_at")
OPTIONAL = ("expires_at", "evidence_uri", "event", "evidence_sha256", "evidence_method", "evidence_at")
GRANT, REVOKE = "grant", "revoke"
METHODS = ("call", "web", "app", "sms", "paper", "in_person", "other")
"""How consent was given."""
_SHA256_DIGITS = 64


class ConsentReader(EventReader):
    """Turns cells into events, noting what is wrong."""

    def event(
        self,
        line: int,
        callee: str,
        operator: str,
        purpose: str,
        granted_at: str,
        expires_at: str = "",
        evidence_uri: str = "",
        event: str = "",
        evidence_sha256: str = "",
        evidence_method: str = "",
        evidence_at: str = "",
    ) -> ConsentEvent | None:
        """One row; cells in the order of REQUIRED and OPTIONAL. None where something is wrong."""
        add = self._problems.add
        before = len(self._problems.found)
        number = self._callee(line, callee)
        operator_number = self._operators.get(operator, 0)
        if not operator_number:
            add(line, "operator", operator, f"name one of the operators ({known(self._operators)})")
        purpose_number = self._purposes.get(purpose, 0)
        if not purpose_number:
            add(line, "purpose", purpose, f"name one of the purposes ({known(self._purposes)})")
        revoke = event.lower() == REVOKE
        if not revoke and event.lower() not in ("", GRANT):
            add(line, "event", event, f"write {GRANT} or {REVOKE}")
        at = parse_time(granted_at) if granted_at else (self._now if revoke else UNKNOWN_TIME)
        if at is None:
            add(line, "granted_at", granted_at, TIME_FIX)
        elif at > self._latest:
            add(line, "granted_at", granted_at, AHEAD_FIX)
        expires = parse_time(expires_at) if expires_at else None
        if expires_at and expires is None:
            add(line, "expires_at", expires_at, TIME_FIX)
        elif expires and at and expires <= at:
            add(line, "expires_at", expires_at, "write a time after granted_at, or leave it empty")
        sha256 = proved_at = None
        if evidence_uri or evidence_sha256 or evidence_method or evidence_at:
            sha256, proved_at = self._proof(line, evidence_uri, evidence_sha256, evidence_method, evidence_at)
        if at is None or len(self._problems.found) > before:
            return None
        return ConsentEvent(
            line, self._subscribers.hash(number), self._subscribers.seal(number), operator_number, purpose_number,
            revoke, at, expires, evidence_uri or None, sha256, evidence_method or None, proved_at,
        )  # fmt: skip

    def _proof(self, line: int, uri: str, sha256: str, method: str, at: str) -> tuple[bytes | None, datetime | None]:
        """SHA-256 and time of the proof; what is wrong with it is noted."""
        add = self._problems.add
        if fix := text_problem(uri):
            add(line, "evidence_uri", uri, fix)
        digest = None
        if sha256:
            try:
                digest = bytes.fromhex(sha256) if len(sha256) == _SHA256_DIGITS else None
            except ValueError:
                digest = None
            if digest is None:
                add(line, "evidence_sha256", sha256, f"write {_SHA256_DIGITS} hex digits")
        if method and method not in METHODS:
            add(line, "evidence_method", method, f"write one of {', '.join(METHODS)}")
        proved = parse_time(at) if at else None
        if at and proved is None:
            add(line, "evidence_at", at, TIME_FIX)
        elif proved and proved > self._latest:
            add(line, "evidence_at", at, AHEAD_FIX)
        return digest, proved
