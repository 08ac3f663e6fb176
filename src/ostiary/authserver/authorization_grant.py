"""What a person agreed to: everything that a code, or a device code, stands for."""

from __future__ import annotations

import msgspec

from ostiary.authserver.upstream_account import Identity, UpstreamAccount


class AuthorizationGrant(msgspec.Struct, frozen=True, omit_defaults=True):
    """Sealed until the code is redeemed; the tokens in it are swept with it when it never is."""

    client_id: str
    identity: Identity
    resource: str
    """Canonical."""
    owner: str
    scopes: tuple[str, ...]
    auth_time: int
    """Seconds since the epoch: when the person proved themselves."""
    accounts: tuple[UpstreamAccount, ...] = msgspec.field(default=(), name="connected")
    """What every login on the way brought, the identity's first."""
    redirect_uri: str | None = None
    """As the client sent it; None for a device."""
    code_challenge: str | None = None
    """None for a device."""
    nonce: str | None = None
    dpop_jkt: str | None = None
    """The key that the code is bound to (RFC 9449 section 10)."""
    replaced: tuple[str, ...] = ()
    """Providers at which the person agreed that another account takes the place of the one they had."""
