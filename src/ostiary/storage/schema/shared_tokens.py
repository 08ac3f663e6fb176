"""Tokens that one replica fetched for all."""

from __future__ import annotations

from sqlalchemy import Column, Double, LargeBinary, String, Table

from ostiary.storage.schema.metadata import metadata

shared_tokens = Table(
    "shared_tokens",
    metadata,
    Column("key_hash", String(64), primary_key=True),
    Column("sealed", LargeBinary),
    Column("expires_at", Double, nullable=False, index=True),
    Column("renew_at", Double, nullable=False),
    Column("lease_until", Double, nullable=False),
    Column("lease_holder", String(64)),
)
"""`sealed` is empty while the first token is being fetched."""
