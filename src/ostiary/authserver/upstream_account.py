"""What one login at an identity provider brought: an account there, and what opens it."""

from __future__ import annotations

from typing import Any

import msgspec

from ostiary.unseen import Unseen


class UpstreamTokens(Unseen, frozen=True, omit_defaults=True):
    """An account's tokens, as the provider gave them. Never shown, never logged, only ever sealed."""

    access_token: str
    refresh_token: str | None = None
    id_token: str | None = None
    expires_at: float | None = None
    """Seconds since the epoch; None when the provider did not say."""
    scopes: tuple[str, ...] = ()


class Identity(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who a provider says somebody is. Issuer and subject name them together, and nothing else does."""

    issuer: str
    """The provider's issuer; for one without, what stands for the set of its endpoints."""
    subject: str
    name: str | None = None
    email: str | None = None
    email_verified: bool = False
    claims: dict[str, Any] = {}
    """What the entry's `claims` take, by the names that policies know."""
    auth_time: int | None = None
    """When the person proved themselves there, if it says so."""


class UpstreamAccount(msgspec.Struct, frozen=True, omit_defaults=True):
    """One account, connected."""

    idp: str
    """The entry's name."""
    issuer: str
    account: str
    """Its subject there; empty for a provider that does not say."""
    client_id: str
    """Our client there: tokens are renewed with the client that got them."""
    tokens: UpstreamTokens
    label: str | None = None
    """What a person calls the account: a login name, an address."""
    identity: Identity | None = None
    """None where the provider does not say who somebody is."""
