"""What a client may do for a person, and how it stays able to."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, LargeBinary, String, Table, Text

from ostiary.storage.schema.metadata import hash_column, metadata, sealed_column, time_column

token_sessions = Table(
    "token_sessions",
    metadata,
    hash_column("tsid_hash", primary_key=True),
    Column("user_id", String(36), ForeignKey("users.id"), nullable=False, index=True),
    Column("client_id", String(2048), nullable=False),
    Column("owner", String(255), nullable=False),
    Column("resource", String(2048), nullable=False),
    Column("scopes", Text, nullable=False),
    sealed_column(),
    time_column("created_at", nullable=False),
    time_column("used_at", nullable=False),
    time_column("revalidated_at", nullable=False),
    time_column("expires_at", nullable=False, index=True),
    time_column("ended_at", index=True),
    Column("ended_because", String(40)),
)
"""One sign-in. `sealed` holds the claims taken at it, its `tsid`, and what its tokens are bound to."""

session_grants = Table(
    "session_grants",
    metadata,
    hash_column("tsid_hash", primary_key=True),
    Column("grant_id", String(36), ForeignKey("upstream_grants.id", ondelete="CASCADE"), primary_key=True),
)
"""Which grants a session may use. A grant that no session points to any more is revoked at its provider."""

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    hash_column("token_hash", primary_key=True),
    hash_column("tsid_hash", nullable=False, index=True),
    time_column("issued_at", nullable=False),
    time_column("expires_at", nullable=False, index=True),
    time_column("spent_at"),
    hash_column("successor_hash"),
    Column("successor", LargeBinary),
)
"""The family of a session. `successor` is sealed: who sends the same token twice within the grace gets the
same answer."""
