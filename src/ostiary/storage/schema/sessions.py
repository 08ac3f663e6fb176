"""What a client may do for a person, and how it stays able to."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, String, Table, Text

from ostiary.storage.schema.metadata import hash_column, metadata, sealed_column, time_column, unsealed

token_sessions = Table(
    "token_sessions",
    metadata,
    hash_column("tsid_hash", primary_key=True),
    Column("user_id", String(36), ForeignKey("users.id"), nullable=False, index=True),
    Column("client_id", String(2048), nullable=False),
    Column("owner", String(255), nullable=False),
    Column("resource", String(2048), nullable=False),
    Column("scopes", Text, nullable=False),
    sealed_column(
        covers="user_id client_id owner resource scopes created_at revalidated_at",
        leaves={
            "used_at": "nothing: it is shown to the session's person",
            "expires_at": "a session that is shown longer, and whose accounts stay connected as long: its "
            "tokens end when they say themselves, and its refresh tokens are sealed with their ends",
            "ended_at": "an end of which workloads hear at another time, or not: with it the session's seal "
            "is gone, so it opens no more, whatever stands here",
            "ended_because": "nothing: it is for whoever looks at the table",
        },
    ),
    time_column("created_at", nullable=False),
    time_column("used_at", nullable=False),
    time_column("revalidated_at", nullable=False),
    time_column("expires_at", nullable=False, index=True),
    time_column("ended_at", index=True),
    Column("ended_because", String(40)),
)
"""One sign-in. `sealed` holds the claims taken at it, its `tsid`, and what its tokens are bound to; it is
empty when the session has ended."""

session_grants = Table(
    "session_grants",
    metadata,
    hash_column("tsid_hash", primary_key=True),
    Column("grant_id", String(36), ForeignKey("upstream_grants.id", ondelete="CASCADE"), primary_key=True),
    info=unsealed(
        "a session that reaches another account of the same person for the same owner: a grant of anybody "
        "else, or for another owner, is not the session's, wherever it is pointed to"
    ),
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
    sealed_column(covers="tsid_hash issued_at expires_at spent_at successor_hash"),
)
"""The family of a session. In that of a spent one the successor is sealed: who sends the same token twice
within the grace gets the same answer."""
