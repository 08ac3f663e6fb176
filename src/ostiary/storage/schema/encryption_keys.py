"""Under which keys something may be sealed."""

from __future__ import annotations

from sqlalchemy import Column, String, Table

from ostiary.storage.schema.metadata import metadata, sealed_column, time_column

encryption_keys = Table(
    "encryption_keys",
    metadata,
    Column("key_id", String(16), primary_key=True),
    time_column("since", nullable=False),
    sealed_column(covers="since"),
)
"""A key is here from the first server that seals with it until nothing needs it any more. Its own row is
sealed with it."""
