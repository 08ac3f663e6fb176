"""What is under way: asked, signed in, not yet redeemed; and what may be used once."""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Table

from ostiary.storage.schema.metadata import hash_column, metadata, sealed_column, time_column, unsealed

pushed_requests = Table(
    "pushed_requests",
    metadata,
    hash_column("uri_hash", primary_key=True),
    Column("client_id", String(2048), nullable=False),
    sealed_column(covers="client_id expires_at"),
    time_column("expires_at", nullable=False, index=True),
)
"""RFC 9126."""

walks = Table(
    "walks",
    metadata,
    hash_column("walk_hash", primary_key=True),
    hash_column("browser_hash", nullable=False),
    sealed_column(covers="browser_hash version expires_at"),
    Column("version", Integer, nullable=False),
    time_column("expires_at", nullable=False, index=True),
)
"""One browser's way from an authorization request to a code. Whatever tokens it got are in it, sealed, until
the code is redeemed; `version` counts its changes, so that two tabs never overwrite each other."""

upstream_states = Table(
    "upstream_states",
    metadata,
    hash_column("state_hash", primary_key=True),
    hash_column("browser_hash", nullable=False),
    Column("idp", String(63), nullable=False),
    sealed_column(covers="browser_hash idp expires_at"),
    time_column("expires_at", nullable=False, index=True),
)
"""One login at an identity provider: what its `state` stands for."""

codes = Table(
    "codes",
    metadata,
    hash_column("code_hash", primary_key=True),
    Column("client_id", String(2048), nullable=False),
    sealed_column(covers="client_id expires_at redeemed_at tsid_hash kept_until"),
    time_column("expires_at", nullable=False),
    time_column("redeemed_at"),
    hash_column("tsid_hash"),
    time_column("kept_until", nullable=False, index=True),
)
"""A redeemed code is remembered with the session it gave, so that a second redemption ends that session."""

device_codes = Table(
    "device_codes",
    metadata,
    hash_column("device_hash", primary_key=True),
    hash_column("user_code_hash", nullable=False, unique=True),
    Column("client_id", String(2048), nullable=False),
    sealed_column(
        covers="user_code_hash client_id state expires_at",
        leaves={
            "poll_interval": "a device that may ask more often, or less",
            "polled_at": "the same",
        },
    ),
    Column("state", String(10), nullable=False),
    Column("poll_interval", Integer, nullable=False),
    time_column("polled_at", nullable=False),
    time_column("expires_at", nullable=False, index=True),
)
"""RFC 8628. `state` is pending, approved, denied or spent; `sealed` is empty from denied on."""

browser_sessions = Table(
    "browser_sessions",
    metadata,
    hash_column("session_hash", primary_key=True),
    Column("user_id", String(36), nullable=False, index=True),
    Column("idp", String(63), nullable=False),
    time_column("created_at", nullable=False),
    time_column("expires_at", nullable=False, index=True),
    sealed_column(covers="user_id idp created_at expires_at"),
)
"""Who is signed in at the page of connected accounts, and where they proved it."""

used_once = Table(
    "used_once",
    metadata,
    hash_column("value_hash", primary_key=True),
    time_column("expires_at", nullable=False, index=True),
    info=unsealed("an assertion or a proof that can be used again until it expires, by whoever has it"),
)
"""Names (`jti`) of assertions and proofs that were taken, until they would be refused anyway."""

revoked_tokens = Table(
    "revoked_tokens",
    metadata,
    hash_column("jti_hash", primary_key=True),
    time_column("expires_at", nullable=False, index=True),
    info=unsealed(
        "an access token without a session that is good again until it expires, for whoever has it"
    ),
)
"""Access tokens that were revoked before their time."""
