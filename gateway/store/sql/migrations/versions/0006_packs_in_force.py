"""Several rule packs in force at once, and when each was: `pack_terms` in place of `registry_state.pack`."""

from __future__ import annotations

import hashlib
import tomllib
import zlib

from alembic import op
from sqlalchemy import Connection, text

revision = "packs_in_force"
down_revision = "0005"

STATEMENTS = """
CREATE TABLE pack_terms (
    id text NOT NULL,
    version integer NOT NULL,
    from_at timestamptz NOT NULL,
    to_at timestamptz,
    principal text NOT NULL,
    ended_by text NOT NULL DEFAULT '',
    reason text NOT NULL DEFAULT '',
    approver text NOT NULL DEFAULT '',
    PRIMARY KEY (id, from_at),
    FOREIGN KEY (id, version) REFERENCES packs (id, version)
);
CREATE UNIQUE INDEX pack_terms_now ON pack_terms (id) WHERE to_at IS NULL
"""

TERMS = """
INSERT INTO pack_terms (id, version, from_at, to_at, principal, ended_by)
SELECT id, version, at, lead(at) OVER said, principal, coalesce(lead(principal) OVER said, '') FROM (
    SELECT packs.id, packs.version, audit.at, audit.principal FROM audit
    JOIN packs ON audit.detail ->> 'pack' = packs.id || '@' || packs.version WHERE audit.action = 'import.pack'
) AS imported WINDOW said AS (ORDER BY at)
"""
"""One pack at a time was in force: from its import, as the audit tells, to the next."""


def upgrade() -> None:
    """The pack in force stays so, alone and the default. Terms of before are the audit's; one that the audit does not
    tell of begins with its import."""
    for statement in STATEMENTS.split(";\n"):
        op.execute(statement)
    connection = op.get_bind()
    words = connection.execute(text("SELECT pack FROM registry_state")).scalar_one()
    found = _label(words)
    if found is not None:
        _keep(connection, *found, words)
        connection.execute(text(TERMS))
        _in_force(connection, *found)
        _publish(connection)
    op.execute("ALTER TABLE registry_state DROP COLUMN pack")


def _label(words: str) -> tuple[str, int] | None:
    """Id and version of a pack's text. None for a text that is none: no worker took it, so nothing is in force."""
    try:
        table = tomllib.loads(words)
        return str(table["id"]), int(table["version"])
    except (tomllib.TOMLDecodeError, KeyError, ValueError, TypeError):
        return None


def _keep(connection: Connection, pack: str, version: int, words: str) -> None:
    """Calls were judged by the text in force: where what is stored under its name differs or is gone, it is taken."""
    connection.execute(
        text(
            "INSERT INTO packs (id, version, sha256, text, principal) VALUES (:id, :version, :sha256, :text, 'upgrade')"
            " ON CONFLICT (id, version) DO UPDATE SET sha256 = excluded.sha256, text = excluded.text"
            " WHERE packs.text <> excluded.text"
        ),
        {"id": pack, "version": version, "sha256": hashlib.sha256(words.encode()).digest(), "text": words},
    )


def _in_force(connection: Connection, pack: str, version: int) -> None:
    """The last term must be of the pack in force; else the audit does not tell all."""
    last = connection.execute(text("SELECT id, version FROM pack_terms WHERE to_at IS NULL")).one_or_none()
    if last is not None and tuple(last) == (pack, version):
        return
    connection.execute(text("UPDATE pack_terms SET to_at = now(), ended_by = 'upgrade' WHERE to_at IS NULL"))
    connection.execute(
        text(
            "INSERT INTO pack_terms (id, version, from_at, principal) SELECT id, version, greatest(imported_at, "
            "(SELECT max(to_at) FROM pack_terms)), principal FROM packs WHERE id = :id AND version = :version"
        ),
        {"id": pack, "version": version},
    )


def _publish(connection: Connection) -> None:
    """Workers get a new version: snapshots of before hold their pack where nobody looks any more."""
    version = connection.execute(text("UPDATE registry_state SET version = version + 1 RETURNING version")).scalar_one()
    connection.execute(
        text(
            "INSERT INTO registry_versions (version, principal, action, subject, reason, approver, changed, undo) "
            "VALUES (:version, 'upgrade', 'packs', '', '', '', 0, :undo)"
        ),
        {"version": version, "undo": zlib.compress(b"{}")},
    )
    connection.execute(text("INSERT INTO outbox (kind) VALUES ('registry')"))
