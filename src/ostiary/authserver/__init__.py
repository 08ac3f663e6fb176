"""The authorization server: signs people in, and gives clients tokens for exactly one resource.

    config/          the `authserver:` part of ostiary.yaml
    authserver       puts it together on its listeners
    parts            what the endpoints share
    http/            how requests come in and answers go out
    discovery        what the server says of itself                          RFC 8414

what programs ask
    token_endpoint   authenticate the client, choose the grant, answer      RFC 6749 3.2
    grants/          one file a grant
    clients/         who asks: registered, self-registered, self-described
    mtls_listener    where clients with certificates ask                     RFC 8705 5
    binding          to what tokens are bound                                RFC 9449, RFC 8705
    used_once        assertions and proofs, by their names
    access_tokens    made for one resource                                   RFC 9068
    session_tokens   those of a session, and an ID token with them           OIDC Core 3.1.3.3
    own_tokens       our access tokens, read back
    proven_tokens    their signatures, checked before
    device_authorization   a device asks for its codes                       RFC 8628 3.1
    revocation       a client gives a token back                             RFC 7009
    introspection    what a token is worth now                               RFC 7662
    userinfo         who signed in                                           OIDC Core 5.3
    signing/         what tokens are signed with

where people come
    walk/            from an authorization request to a code
    connections/     what a person has connected, and how they end it
    device_pages     a person lets a device in                               RFC 8628 3.3
    pages/           what people see
    idps/            identity providers
    sessions/        what a client may do for a person
    connected        what one leg at a provider brought
    authorized       what a person agreed to
    codes            what stands for it until it is redeemed, once
    devices          those that wait for it

    resources        what tokens are for
    rates            how often somebody may ask
    audit_events     what is written down
    background       what is done after the answer
    sweep            what has had its time goes

Rules of the protocol are in `oauth/`; what survives is in `storage/`. The gateway meets it over HTTP alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ostiary.authserver.config import AuthServerSettings

if TYPE_CHECKING:
    from ostiary.authserver.server.authserver import AuthServer

__all__ = ["AuthServer", "AuthServerSettings"]


def __getattr__(name: str) -> Any:
    """Every command reads ostiary.yaml and so imports our settings; few need the server and its database."""
    if name == "AuthServer":
        from ostiary.authserver.server.authserver import AuthServer  # noqa: PLC0415

        return AuthServer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
