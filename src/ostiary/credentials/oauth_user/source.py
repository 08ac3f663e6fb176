"""Where a person's token comes from: the vault, the issuer (refreshed), or the person.

kept        a token in the vault, by this process or another, that is still good
refreshed   by its refresh token, which most issuers replace each time (RFC 6749 section 6, RFC 9700 4.14)
signed in   by the person, when one is at hand; else an error that says how
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ostiary.credentials.error import CredentialMisconfigured
from ostiary.credentials.issuer.token_endpoint import (
    IssuerEndpoint,
    IssuerRefusedClient,
    RefreshTokenReplaced,
    token_of,
)
from ostiary.credentials.oauth_user.client import client_of, grants_reach
from ostiary.credentials.oauth_user.dpop_key import KeptDpopKey
from ostiary.credentials.oauth_user.errors import KIND, needs_sign_in, told_to_the_person
from ostiary.credentials.oauth_user.sign_in import PersonSignIn, SignInNeed, find_issuer
from ostiary.credentials.tokens.token import Token
from ostiary.credentials.vault.records import Grant, UserRecords
from ostiary.credentials.vault.vault import VaultError
from ostiary.oauth.canonical_url import canonical_url
from ostiary.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Hashable

    from ostiary.credentials.issuer.client_settings import ClientSettings
    from ostiary.credentials.oauth_user.settings import OAuthUserSettings
    from ostiary.credentials.runtime import Runtime
    from ostiary.oauth.canonical_url import CanonicalUrl
    from ostiary.oauth.challenge import Challenge

NOBODY = "nobody has signed in"
REFUSED = "the server refuses the token of the person who signed in"
OVER = "the sign-in has ended"

logger = logging.getLogger("ostiary.credentials")


@dataclass(slots=True)
class Demands:
    """What the server has said so far."""

    challenge: Challenge | None = None
    """Its last challenge."""
    scopes: tuple[str, ...] = ()
    """What a token has to have, when one with less was refused."""
    refused: str | None = field(default=None, repr=False)
    """The token that it takes no more."""


class OAuthUserSource:
    """A TokenSource for one server. demands: shared with who hears the server's refusals."""

    credential = KIND

    def __init__(
        self, user: OAuthUserSettings, server_url: CanonicalUrl, *, runtime: Runtime, demands: Demands
    ) -> None:
        self._user = user
        self._server_url = server_url
        self._runtime = runtime
        self._records = UserRecords(runtime.vault)
        self._demands = demands
        self.grant: Grant | None = None
        """What was given out last."""
        self._unkept: tuple[Grant, Grant] | None = None
        """What took another's place while the vault could not be written."""

    @property
    def endpoint(self) -> str:
        """The server."""
        return str(self._server_url)

    def version(self) -> Hashable:
        """Changes when somebody signs in, here or in another process."""
        return self._runtime.vault.version()

    async def is_known(self) -> bool:
        """Whether anything is kept for this server. Raises CredentialError."""
        with told_to_the_person(self._server_url):
            return await self._records.issuer(self.endpoint) is not None

    async def fetch(self) -> Token:
        """The person's token. Raises CredentialError."""
        with told_to_the_person(self._server_url):
            issuer = await self._issuer()
            grant = await self._kept_or_refreshed(issuer) or await self._signed_in(issuer)
        self.grant, self._demands.refused = grant, None
        key = None if grant.dpop_key is None else KeptDpopKey(self._runtime.clock, grant.dpop_key)
        return Token(Secret(grant.access_token), grant.expires_at, key, grant.scopes)

    async def _kept_or_refreshed(self, issuer: str | None) -> Grant | None:
        """None when only the person can help."""
        if issuer is None:
            return None
        async with self._runtime.vault.turn(f"{issuer} {self._server_url}"):
            grant = await self._latest(issuer)
            if grant is None or not set(self._demands.scopes) <= set(grant.scopes):
                return None
            if self._is_fresh(grant):
                return grant
            refreshed = await self._refresh(grant)
            if refreshed is not None:
                await self._keep(refreshed, in_place_of=grant)
            return refreshed

    async def _latest(self, issuer: str) -> Grant | None:
        """The vault's, unless we have what took its place."""
        grant = await self._records.grant(issuer, self.endpoint)
        if self._unkept is None or grant != self._unkept[0]:
            return grant
        before, after = self._unkept
        await self._keep(after, in_place_of=before)
        return after

    async def _keep(self, grant: Grant, *, in_place_of: Grant) -> None:
        """A disk that is full costs nobody a refresh token that cannot be had again."""
        before = in_place_of if self._unkept is None else self._unkept[0]
        try:
            await self._records.keep_grant(self.endpoint, grant)
        except VaultError as error:
            self._unkept = before, grant
            logger.warning("renewed tokens are kept in memory only: %s", error)
        else:
            self._unkept = None

    async def _issuer(self) -> str | None:
        """Whose grant counts: a server that refuses our token may have moved to another issuer."""
        if self._user.issuer is not None:
            return self._user.issuer
        if self._demands.refused is None:
            return await self._records.issuer(self.endpoint)
        self._runtime.discoveries.forget(self._server_url)
        return (await find_issuer(self._user, self._server_url, self._runtime)).issuer

    def _is_fresh(self, grant: Grant) -> bool:
        """Whether the access token can be used, and is news to us if it can be renewed."""
        known = self.grant is not None and grant.access_token == self.grant.access_token
        return self._is_good(grant) and not (known and grant.refresh_token is not None)

    def _is_good(self, grant: Grant) -> bool:
        over = grant.expires_at is not None and grant.expires_at <= self._runtime.clock()
        return not over and grant.access_token != self._demands.refused

    async def _refresh(self, grant: Grant) -> Grant | None:
        """None when the issuer says that this sign-in is over, and a person is at hand for another."""
        client = await client_of(grant, self._user, self._records)
        if grant.refresh_token is None or client is None:
            return None
        try:
            return await self._refreshed(grant, grant.refresh_token, client)
        except RefreshTokenReplaced as error:  # shown again, the old one would look stolen
            await self._keep(replace(grant, refresh_token=error.refresh_token), in_place_of=grant)
            raise
        except CredentialMisconfigured as error:
            if isinstance(error, IssuerRefusedClient):
                await self._records.forget_client(grant.issuer)
            if self._runtime.browser is not None and not self._is_good(grant):
                return None
            raise needs_sign_in(f"{OVER}: {error.problem}", self._server_url) from None

    async def _refreshed(self, grant: Grant, refresh_token: str, client: ClientSettings) -> Grant:
        key = None if grant.dpop_key is None else KeptDpopKey(self._runtime.clock, grant.dpop_key)
        endpoint = IssuerEndpoint(
            url=canonical_url(grant.token_endpoint),
            issuer=grant.issuer,
            client=client,
            context=self._runtime,
            credential=KIND,
            endpoint=self.endpoint,
            reach=grants_reach(grant, self._user, self._server_url),
            dpop=key,
        )
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        if grant.resource is not None:
            form["resource"] = grant.resource
        response = await endpoint.request(form, known_scopes=grant.scopes)
        return replace(
            grant,
            access_token=response.access_token,
            expires_at=token_of(response, now=self._runtime.clock()).expires_at,
            refresh_token=response.refresh_token if response.is_rotated else refresh_token,
            scopes=grant.scopes if response.scopes is None else response.scopes,
        )

    async def _signed_in(self, issuer: str | None) -> Grant:
        """By the person, for what they granted before and what the server demands."""
        demands, ended = self._demands, None
        if issuer is not None:
            ended = await self._records.grant(issuer, self.endpoint)
        if self._runtime.browser is None:
            raise needs_sign_in(REFUSED if demands.refused else OVER if ended else NOBODY, self._server_url)
        wanted = SignInNeed(demands.challenge, demands.scopes or (ended.scopes if ended else ()))
        sign_in = PersonSignIn(self._user, self._server_url, self._runtime, self._runtime.browser, wanted)
        grant = await sign_in.grant()
        demands.scopes = ()
        return grant
