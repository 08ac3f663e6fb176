"""The authorization server: its people, sessions, requests, clients and keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "browser_sessions",
        sa.Column("session_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("idp", sa.String(length=63), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("session_hash"),
    )
    op.create_index("ix_browser_sessions_expires_at", "browser_sessions", ["expires_at"], unique=False)
    op.create_index("ix_browser_sessions_user_id", "browser_sessions", ["user_id"], unique=False)
    op.create_table(
        "clients",
        sa.Column("client_id", sa.String(length=2048), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("secret_digest", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("used_at", sa.Double(), nullable=False),
        sa.Column("fresh_until", sa.Double(), nullable=True),
        sa.Column("expires_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("client_id"),
    )
    op.create_index("ix_clients_expires_at", "clients", ["expires_at"], unique=False)
    op.create_index("ix_clients_kind", "clients", ["kind"], unique=False)
    op.create_table(
        "codes",
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("client_id", sa.String(length=2048), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("redeemed_at", sa.Double(), nullable=True),
        sa.Column("tsid_hash", sa.String(length=64), nullable=True),
        sa.Column("kept_until", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("code_hash"),
    )
    op.create_index("ix_codes_kept_until", "codes", ["kept_until"], unique=False)
    op.create_table(
        "device_codes",
        sa.Column("device_hash", sa.String(length=64), nullable=False),
        sa.Column("user_code_hash", sa.String(length=64), nullable=False),
        sa.Column("client_id", sa.String(length=2048), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("poll_interval", sa.Integer(), nullable=False),
        sa.Column("polled_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("device_hash"),
        sa.UniqueConstraint("user_code_hash"),
    )
    op.create_index("ix_device_codes_expires_at", "device_codes", ["expires_at"], unique=False)
    op.create_table(
        "idp_issuers",
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("issuer", sa.String(length=2048), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "pushed_requests",
        sa.Column("uri_hash", sa.String(length=64), nullable=False),
        sa.Column("client_id", sa.String(length=2048), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("uri_hash"),
    )
    op.create_index("ix_pushed_requests_expires_at", "pushed_requests", ["expires_at"], unique=False)
    op.create_table(
        "refresh_tokens",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("tsid_hash", sa.String(length=64), nullable=False),
        sa.Column("issued_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("spent_at", sa.Double(), nullable=True),
        sa.Column("successor_hash", sa.String(length=64), nullable=True),
        sa.Column("successor", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("token_hash"),
    )
    op.create_index("ix_refresh_tokens_expires_at", "refresh_tokens", ["expires_at"], unique=False)
    op.create_index("ix_refresh_tokens_tsid_hash", "refresh_tokens", ["tsid_hash"], unique=False)
    op.create_table(
        "revoked_tokens",
        sa.Column("jti_hash", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("jti_hash"),
    )
    op.create_index("ix_revoked_tokens_expires_at", "revoked_tokens", ["expires_at"], unique=False)
    op.create_table(
        "signing_keys",
        sa.Column("kid", sa.String(length=64), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("algorithm", sa.String(length=8), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("published_at", sa.Double(), nullable=False),
        sa.Column("active_at", sa.Double(), nullable=False),
        sa.Column("retired_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("kid"),
        sa.UniqueConstraint("generation"),
    )
    op.create_table(
        "upstream_clients",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("idp", sa.String(length=63), nullable=False),
        sa.Column("issuer", sa.String(length=2048), nullable=False),
        sa.Column("client_id", sa.String(length=2048), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("registered_at", sa.Double(), nullable=False),
        sa.Column("given_up_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_upstream_clients_idp", "upstream_clients", ["idp"], unique=False)
    op.create_table(
        "upstream_states",
        sa.Column("state_hash", sa.String(length=64), nullable=False),
        sa.Column("browser_hash", sa.String(length=64), nullable=False),
        sa.Column("idp", sa.String(length=63), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("state_hash"),
    )
    op.create_index("ix_upstream_states_expires_at", "upstream_states", ["expires_at"], unique=False)
    op.create_table(
        "used_once",
        sa.Column("value_hash", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("value_hash"),
    )
    op.create_index("ix_used_once_expires_at", "used_once", ["expires_at"], unique=False)
    op.create_table(
        "users",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("issuer", sa.String(length=2048), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("seen_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("issuer", "subject"),
    )
    op.create_table(
        "walks",
        sa.Column("walk_hash", sa.String(length=64), nullable=False),
        sa.Column("browser_hash", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("walk_hash"),
    )
    op.create_index("ix_walks_expires_at", "walks", ["expires_at"], unique=False)
    op.create_table(
        "idp_choices",
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("idp", sa.String(length=63), nullable=False),
        sa.Column("choice", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.Column("made_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
        ),
        sa.PrimaryKeyConstraint("user_id", "owner", "idp"),
    )
    op.create_table(
        "token_sessions",
        sa.Column("tsid_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("client_id", sa.String(length=2048), nullable=False),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("resource", sa.String(length=2048), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("used_at", sa.Double(), nullable=False),
        sa.Column("revalidated_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("ended_because", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
        ),
        sa.PrimaryKeyConstraint("tsid_hash"),
    )
    op.create_index("ix_token_sessions_ended_at", "token_sessions", ["ended_at"], unique=False)
    op.create_index("ix_token_sessions_expires_at", "token_sessions", ["expires_at"], unique=False)
    op.create_index("ix_token_sessions_user_id", "token_sessions", ["user_id"], unique=False)
    op.create_table(
        "upstream_grants",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("idp", sa.String(length=63), nullable=False),
        sa.Column("issuer", sa.String(length=2048), nullable=False),
        sa.Column("account", sa.String(length=255), nullable=False),
        sa.Column("client_id", sa.String(length=2048), nullable=False),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=True),
        sa.Column("connected_at", sa.Double(), nullable=False),
        sa.Column("renewed_at", sa.Double(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("claim_until", sa.Double(), nullable=False),
        sa.Column("claim_holder", sa.String(length=36), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("user_id", "idp", "account", "client_id", "owner"),
    )
    op.create_table(
        "away_permissions",
        sa.Column("grant_id", sa.String(length=36), nullable=False),
        sa.Column("client_id", sa.String(length=2048), nullable=False),
        sa.Column("given_at", sa.Double(), nullable=False),
        sa.Column("until", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["grant_id"], ["upstream_grants.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("grant_id", "client_id"),
    )
    op.create_table(
        "session_grants",
        sa.Column("tsid_hash", sa.String(length=64), nullable=False),
        sa.Column("grant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["grant_id"], ["upstream_grants.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tsid_hash", "grant_id"),
    )


def downgrade() -> None:
    """Drop them: everybody signs in again."""
    op.drop_table("session_grants")
    op.drop_table("away_permissions")
    op.drop_table("upstream_grants")
    op.drop_table("token_sessions")
    op.drop_table("idp_choices")
    op.drop_table("walks")
    op.drop_table("users")
    op.drop_table("used_once")
    op.drop_table("upstream_states")
    op.drop_table("upstream_clients")
    op.drop_table("signing_keys")
    op.drop_table("revoked_tokens")
    op.drop_table("refresh_tokens")
    op.drop_table("pushed_requests")
    op.drop_table("idp_issuers")
    op.drop_table("device_codes")
    op.drop_table("codes")
    op.drop_table("clients")
    op.drop_table("browser_sessions")
