"""What our tokens are signed with: several keys at once, known to every replica."""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Table

from ostiary.storage.schema.metadata import metadata, sealed_column, time_column

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", String(64), primary_key=True),
    Column("generation", Integer, nullable=False, unique=True),
    Column("algorithm", String(8), nullable=False),
    sealed_column(covers="generation algorithm published_at active_at retired_at"),
    time_column("published_at", nullable=False),
    time_column("active_at", nullable=False),
    time_column("retired_at"),
)
"""`generation` counts up, and is unique so that two replicas never make the same next key twice. A key with
`retired_at` was withdrawn by hand, and is believed by nobody from then on."""
