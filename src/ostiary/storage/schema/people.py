"""Who signed in, and what they gave us at their identity providers."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, String, Table, Text, UniqueConstraint

from ostiary.storage.schema.metadata import metadata, sealed_column, time_column, unsealed

idp_issuers = Table(
    "idp_issuers",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("issuer", String(2048), nullable=False),
    info=unsealed(
        "a server that takes another issuer behind a name without a word, as it does when the row is "
        "deleted: nobody is carried over, since people are known by issuer and subject"
    ),
)
"""Which issuer stood behind an entry's name: another one behind the same name would inherit its people."""

users = Table(
    "users",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("issuer", String(2048), nullable=False),
    Column("subject", String(255), nullable=False),
    sealed_column(
        covers="issuer subject",
        leaves={"created_at": "nothing: nobody asks", "seen_at": "nothing: nobody asks"},
    ),
    time_column("created_at", nullable=False),
    time_column("seen_at", nullable=False),
    UniqueConstraint("issuer", "subject"),
)
"""`issuer` is the upstream's, or stands for the set of its endpoints; `sealed` is the profile last seen."""

upstream_grants = Table(
    "upstream_grants",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("user_id", String(36), ForeignKey("users.id"), nullable=False),
    Column("idp", String(63), nullable=False),
    Column("issuer", String(2048), nullable=False),
    Column("account", String(255), nullable=False),
    Column("client_id", String(2048), nullable=False),
    Column("owner", String(255), nullable=False),
    sealed_column(
        covers="user_id idp issuer account client_id owner scopes expires_at connected_at renewed_at version",
        leaves={
            "state": "a person who has to connect their account again, or a provider that is asked once more "
            "and refuses",
            "claim_until": "tokens that are not renewed, or by two at once, which the provider may punish",
            "claim_holder": "the same",
        },
    ),
    Column("scopes", Text, nullable=False),
    Column("state", String(20), nullable=False),
    time_column("expires_at"),
    time_column("connected_at", nullable=False),
    time_column("renewed_at", nullable=False),
    Column("version", Integer, nullable=False),
    time_column("claim_until", nullable=False),
    Column("claim_holder", String(36)),
    UniqueConstraint("user_id", "idp", "account", "client_id", "owner"),
)
"""What one user gave one owner at one identity provider. `client_id` is ours there: tokens are renewed with
the client that got them. `expires_at` is the access token's, empty when the upstream did not say. Whoever
renews it first claims it until `claim_until`. `sealed` holds the tokens and the account's name."""

away_permissions = Table(
    "away_permissions",
    metadata,
    Column("grant_id", String(36), ForeignKey("upstream_grants.id", ondelete="CASCADE"), primary_key=True),
    Column("client_id", String(2048), primary_key=True),
    time_column("given_at", nullable=False),
    time_column("until", nullable=False),
    sealed_column(covers="given_at until"),
)
"""A person lets a client use an account while they are away, until then."""

idp_choices = Table(
    "idp_choices",
    metadata,
    Column("user_id", String(36), ForeignKey("users.id"), primary_key=True),
    Column("owner", String(255), primary_key=True),
    Column("idp", String(63), primary_key=True),
    Column("choice", String(20), nullable=False),
    Column("reason", String(300), nullable=False),
    time_column("made_at", nullable=False),
    info=unsealed(
        "a person who is asked to connect an account, or is not, and reads another reason why: connecting "
        "takes them and their provider"
    ),
)
"""An account that was skipped by its person, or refused by the provider."""
