"""Papers, life cycle and scope of numbers, tenants, restrictions that can be lifted, registry versions."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

COLUMNS = {
    "operators": """
credit_code text NOT NULL DEFAULT ''
""",
    "trunks": """
outbound boolean NOT NULL DEFAULT true
inbound boolean NOT NULL DEFAULT true
carrier text NOT NULL DEFAULT ''
circuit text NOT NULL DEFAULT ''
contract text NOT NULL DEFAULT ''
contract_from timestamptz
contract_to timestamptz
agreement text NOT NULL DEFAULT ''
region text NOT NULL DEFAULT ''
""",
    "number_ranges": """
steps jsonb NOT NULL DEFAULT '[]'
length smallint NOT NULL DEFAULT 0
regions text[] NOT NULL DEFAULT '{}'
carriers text[] NOT NULL DEFAULT '{}'
tenant text NOT NULL DEFAULT ''
""",
    "documents": """
tenant text NOT NULL DEFAULT ''
result text NOT NULL DEFAULT 'accepted'
supersedes text REFERENCES documents (id)
recorded_by text NOT NULL DEFAULT ''
""",
    "restrictions": """
lifted_by text
approver text
lift_reason text
""",
}

STATEMENTS = """
ALTER TABLE documents ALTER COLUMN operator DROP NOT NULL;
CREATE INDEX documents_operator ON documents (operator, kind);
CREATE INDEX restrictions_to_at ON restrictions (to_at);
CREATE TABLE tenants (
    id text PRIMARY KEY,
    operator text NOT NULL REFERENCES operators (id),
    name text NOT NULL,
    credit_code text NOT NULL,
    state text NOT NULL
);
CREATE TABLE registry_versions (
    version bigint PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    principal text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    reason text NOT NULL,
    approver text NOT NULL,
    changed integer NOT NULL,
    undo bytea NOT NULL
);
CREATE TRIGGER documents_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON documents
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
"""


def upgrade() -> None:
    """Registries that are there stay as they are; their papers are to be recorded."""
    for table, columns in COLUMNS.items():
        for column in columns.strip().splitlines():
            op.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
    for statement in STATEMENTS.strip().split(";\n"):
        op.execute(statement)
