"""Tokens that one replica fetched for all."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "shared_tokens",
        sa.Column("key_hash", sa.String(64), primary_key=True),
        sa.Column("sealed", sa.LargeBinary),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("renew_at", sa.Double, nullable=False),
        sa.Column("lease_until", sa.Double, nullable=False),
        sa.Column("lease_holder", sa.String(64)),
    )
    op.create_index("ix_shared_tokens_expires_at", "shared_tokens", ["expires_at"])


def downgrade() -> None:
    """Drop it: its tokens are fetched again."""
    op.drop_table("shared_tokens")
