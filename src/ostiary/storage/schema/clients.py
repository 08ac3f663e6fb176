"""Who asks: clients that registered themselves, were registered by command, or describe themselves."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, String, Table, Text

from ostiary.storage.schema.metadata import metadata, sealed_column, time_column

clients = Table(
    "clients",
    metadata,
    Column("client_id", String(2048), primary_key=True),
    Column("kind", String(12), nullable=False, index=True),
    Column("metadata", Text, nullable=False),
    Column("secret_digest", LargeBinary),
    time_column("created_at", nullable=False),
    time_column("used_at", nullable=False),
    time_column("fresh_until"),
    time_column("expires_at", index=True),
    time_column("let_in_at"),
    Column("registered_from", String(64), index=True),
    sealed_column(
        covers="kind metadata secret_digest fresh_until",
        leaves={
            "created_at": "another order in which clients make room for others",
            "used_at": "the same",
            "let_in_at": "the same",
            "registered_from": "the same",
            "expires_at": "a client that is known for longer or shorter without being used",
        },
    ),
    Index("ix_clients_kind_let_in_at_created_at", "kind", "let_in_at", "created_at"),
)
"""`metadata` is JSON in the names of RFC 7591; of a document, as it was fetched, believed without another
look until `fresh_until`. `expires_at` is empty for what stays until it is removed.
`let_in_at` is when somebody first let it in; `registered_from` is the address that it came from, of IPv6 its
/64."""
