"""Rows that had no seal get a column for it, and the store knows under which keys it is sealed.

What is there is sealed at the next start (`storage/first_seals.py`), for no step knows the encryption key.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = ("away_permissions", "browser_sessions", "clients", "refresh_tokens")


def upgrade() -> None:
    """Add the columns, empty, and the table."""
    nothing = sa.text("x''" if op.get_bind().dialect.name == "sqlite" else "''")
    for table in TABLES:
        op.add_column(table, sa.Column("sealed", sa.LargeBinary(), nullable=False, server_default=nothing))
    op.execute("DELETE FROM shared_tokens")  # each is fetched again, by whoever can open it
    op.execute("UPDATE refresh_tokens SET sealed = successor WHERE successor IS NOT NULL")
    op.drop_column("refresh_tokens", "successor")
    for table in TABLES:
        with op.batch_alter_table(table) as made_anew:
            made_anew.alter_column("sealed", server_default=None)
    op.create_table(
        "encryption_keys",
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key_id"),
    )
