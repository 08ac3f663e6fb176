"""The authorization server: signs people in, and gives clients tokens for exactly one resource.

From the listeners down, a floor a line; a room knows those below it alone:

    server                 listeners, route tables, what is done from time to time
    internal               what workloads ask, over mutual TLS alone          RFC 8693
    endpoints              what programs ask
    device_pages           where a person lets a device in                     RFC 8628 3.3
    connections            where a person sees and ends what is theirs
    grants                 one file a grant                                    RFC 6749 4
    interaction            from an authorization request to a code             RFC 6749 4.1.1
    assertions             what others vouch for                               RFC 7523, RFC 8693
    tokens                 made for one resource, and read back                RFC 9068
    administration         what operators do at the command line
    sessions               what a client may do for a person
    upstream_grants        what a person gave at an identity provider
    requests               a request of a client that proved who it is
    clients                who asks: registered, self-registered, self-described
    development            an identity provider for trying things out
    authorization_codes    what stands for an authorization until it is redeemed, once
    device_codes           those that wait for one
    absent_claims          claims that a resource wants and nobody has
    described_scopes       what scopes allow, in words
    idps                   where people sign in
    http                   how requests come in and answers go out
    signing                what tokens are signed with
    resources              what tokens are for
    rates                  how often somebody may ask
    authorization_grant    what a person agreed to
    trusted_jwts           JWTs of the issuers that the operator trusts
    config                 the `authserver:` part of ostiary.yaml
    pages                  what people see
    upstream_account       what a sign-in at a provider brought
    audit_events           what is written down
    background             what is done after the answer
    replay_store           assertions and proofs, by their names, used once
    token_response         what a grant gives

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
