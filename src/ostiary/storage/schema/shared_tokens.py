"""Tokens that one replica fetched for all."""

from __future__ import annotations

from sqlalchemy import Column, Double, String, Table

from ostiary.storage.schema.metadata import metadata, sealed_column

shared_tokens = Table(
    "shared_tokens",
    metadata,
    Column("key_hash", String(64), primary_key=True),
    sealed_column(
        covers="expires_at renew_at",
        leaves={
            "lease_until": "a token that is fetched by several, or by each for itself",
            "lease_holder": "the same",
        },
        nullable=True,
    ),
    Column("expires_at", Double, nullable=False, index=True),
    Column("renew_at", Double, nullable=False),
    Column("lease_until", Double, nullable=False),
    Column("lease_holder", String(64)),
)
"""`sealed` is empty while the first token is being fetched. It opens only for whoever has the secret that the
token was fetched with, so it is fetched anew where others seal anew."""
