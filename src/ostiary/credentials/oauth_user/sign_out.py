"""Forget a sign-in, here and at the issuer. RFC 7009."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ostiary.credentials.issuer.client_proof import ClientProof, ProofUnavailable
from ostiary.credentials.oauth_user.client import client_of, grants_reach
from ostiary.credentials.oauth_user.errors import told_to_the_person
from ostiary.credentials.vault.records import Grant, UserRecords
from ostiary.oauth.canonical_url import UrlRefused, canonical_url
from ostiary.transport.fetch import FetchError

if TYPE_CHECKING:
    from ostiary.credentials.issuer.client_settings import ClientSettings
    from ostiary.credentials.oauth_user.settings import OAuthUserSettings
    from ostiary.credentials.runtime import Runtime
    from ostiary.oauth.canonical_url import CanonicalUrl
    from ostiary.transport.reach import Reach


@dataclass(frozen=True, slots=True)
class SignedOut:
    """What became of a sign-in."""

    issuer: str
    not_revoked: str | None = None
    """Why the issuer may still take the tokens, until they end; None when it takes them no more."""


async def sign_out(
    user: OAuthUserSettings, server_url: CanonicalUrl, *, runtime: Runtime
) -> SignedOut | None:
    """End the sign-in at this server; None without one. Raises CredentialError.

    What is kept here is forgotten even when the issuer can't be told.
    """
    records = UserRecords(runtime.vault)
    with told_to_the_person(server_url):
        issuer = user.issuer or await records.issuer(str(server_url))
        grant = None if issuer is None else await records.grant(issuer, str(server_url))
        if grant is None:
            return None
        client = await client_of(grant, user, records)
        await records.forget_grant(grant.issuer, str(server_url))
    return SignedOut(
        grant.issuer, await _revoke(grant, client, grants_reach(grant, user, server_url), runtime)
    )


async def _revoke(grant: Grant, client: ClientSettings | None, reach: Reach, runtime: Runtime) -> str | None:
    """Have the issuer end the tokens: with the refresh token go those made of it (section 2.1)."""
    if grant.revocation_endpoint is None:
        return "it revokes no tokens"
    if client is None:
        return "the client that they were given to is not known here"
    kind = "access_token" if grant.refresh_token is None else "refresh_token"
    form = {"token": grant.refresh_token or grant.access_token, "token_type_hint": kind}
    at = grant.revocation_endpoint
    try:
        proof = await asyncio.to_thread(ClientProof(client, grant.issuer, at, (), runtime.clock).make)
        answer = await runtime.fetcher.post_form(
            canonical_url(at), {**form, **proof.form}, headers=proof.headers, reach=reach
        )
    except (FetchError, ProofUnavailable, UrlRefused) as error:
        return str(error)
    is_done = 200 <= answer.status < 300
    return None if is_done else f"its revocation endpoint answered {answer.status}"
