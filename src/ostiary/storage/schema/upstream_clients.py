"""Who we are at authorization servers that registered us."""

from __future__ import annotations

from sqlalchemy import Column, String, Table

from ostiary.storage.schema.metadata import metadata, sealed_column, time_column

upstream_clients = Table(
    "upstream_clients",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("idp", String(63), nullable=False, index=True),
    Column("issuer", String(2048), nullable=False),
    Column("client_id", String(2048), nullable=False),
    sealed_column(
        covers="idp issuer client_id registered_at",
        leaves={"given_up_at": "a registration that is tried again, and refused by its server"},
    ),
    time_column("registered_at", nullable=False),
    time_column("given_up_at"),
)
"""RFC 7591. Earlier ones stay, for tokens are renewed with the client that got them; one that was given up is
not used for new sign-ins. `sealed` holds its secret."""
