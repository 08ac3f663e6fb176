"""Clients that nobody let in yet are told from those that somebody uses, and by where they came from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns. Who was seen again after it came is taken for let in."""
    op.add_column("clients", sa.Column("let_in_at", sa.Double(), nullable=True))
    op.add_column("clients", sa.Column("registered_from", sa.String(length=64), nullable=True))
    op.create_index("ix_clients_kind_let_in_at_created_at", "clients", ["kind", "let_in_at", "created_at"])
    op.create_index("ix_clients_registered_from", "clients", ["registered_from"])
    op.execute("UPDATE clients SET let_in_at = used_at WHERE used_at > created_at")
    op.execute(
        "UPDATE clients SET let_in_at = used_at "
        "WHERE client_id IN (SELECT client_id FROM token_sessions) AND let_in_at IS NULL"
    )
