"""The tables as they are now. How a store gets there is in `migrations/`."""

from __future__ import annotations

from sqlalchemy import Column, Double, LargeBinary, MetaData, String, Table

metadata = MetaData()

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
"""Times are seconds since the epoch. `sealed` is empty while the first token is being fetched."""
