"""Sign a person in: ask for a code by their browser, and redeem it.

The walk: find the authorization server, be a client there, ask, hear the answer, redeem the code, keep what
was granted. The rules of each step are in `oauth`.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ostiary.credentials.issuer.discovery import find_token_endpoint
from ostiary.credentials.issuer.settings import resource_of
from ostiary.credentials.issuer.token_endpoint import IssuerEndpoint, IssuerRefusedClient, token_of
from ostiary.credentials.oauth_user.client import (
    client_settings,
    configured_client,
    kept_client,
    registered_client,
)
from ostiary.credentials.oauth_user.dpop_key import KeptDpopKey
from ostiary.credentials.oauth_user.errors import KIND, told_to_the_person
from ostiary.credentials.oauth_user.loopback_redirect import LoopbackListener, RedirectPortTaken, listening
from ostiary.credentials.vault.records import Grant, KeptClient, UserRecords
from ostiary.oauth.challenge import Challenge
from ostiary.oauth.client.authorization_request import (
    AuthorizationRequest,
    authorization_endpoint,
    scopes_to_ask,
)
from ostiary.oauth.client.authorization_response import read_code
from ostiary.oauth.client.pkce import ENTROPY_BYTES, code_verifier, require_s256, s256
from ostiary.oauth.client.server_metadata import MetadataRefused
from ostiary.oauth.inspection.person import person_of

if TYPE_CHECKING:
    from ostiary.credentials.browser import Browser
    from ostiary.credentials.issuer.client_settings import ClientSettings
    from ostiary.credentials.issuer.discovery import FoundEndpoint
    from ostiary.credentials.oauth_user.settings import OAuthUserSettings
    from ostiary.credentials.runtime import Runtime
    from ostiary.oauth.canonical_url import CanonicalUrl
    from ostiary.oauth.client.token_response import TokenResponse

PATIENCE = 300.0
"""Seconds that a person has to sign in."""


@dataclass(frozen=True, slots=True)
class SignInNeed:
    """What to sign in for."""

    challenge: Challenge | None = None
    """The server's, when it has refused a request."""
    granted: tuple[str, ...] = ()
    """Scopes that the person has granted before, and are to be kept."""


@dataclass(frozen=True, slots=True)
class PersonSignIn:
    """A sign-in for one server."""

    user: OAuthUserSettings
    server_url: CanonicalUrl
    runtime: Runtime
    browser: Browser
    wanted: SignInNeed = field(default_factory=SignInNeed)

    async def grant(self) -> Grant:
        """What the person granted; it is kept, too. Raises CredentialError."""
        with told_to_the_person(self.server_url):
            found = await find_issuer(self.user, self.server_url, self.runtime)
            if found.issuer is None:
                raise MetadataRefused("the authorization server does not say its name")
            require_s256(found.metadata, known=self.user.code_challenge_methods_supported)
            grant = await self._grant(found, found.issuer)
            await UserRecords(self.runtime.vault).keep_grant(str(self.server_url), grant)
        return grant

    async def _grant(self, found: FoundEndpoint, issuer: str) -> Grant:
        state, verifier = secrets.token_urlsafe(32), code_verifier(secrets.token_bytes(ENTROPY_BYTES))
        async with self._client_and_listener(found, issuer, state) as (client, listener):
            asked = self._request(found, client, listener.redirect_uri, state, s256(verifier))
            insecure = self.user.insecure_allow_http
            at = authorization_endpoint(found.metadata, insecure_allow_http=insecure)
            await self.browser(asked.url(at))
            answer = await self._answer(listener)
        code = read_code(answer, state=state, issuer=issuer, metadata=found.metadata)
        key = KeptDpopKey(self.runtime.clock) if self._wants_dpop(found) else None
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": asked.redirect_uri,
            "code_verifier": verifier,
        }
        if asked.resource is not None:
            form["resource"] = asked.resource
        endpoint = token_endpoint(self.server_url, found, client, runtime=self.runtime, dpop=key)
        try:
            response = await endpoint.request(form)
        except IssuerRefusedClient:  # a registration that is no more: the next sign-in makes a new one
            await UserRecords(self.runtime.vault).forget_client(issuer)
            raise
        return self._granted(found, issuer, asked, response, key)

    @contextlib.asynccontextmanager
    async def _client_and_listener(
        self, found: FoundEndpoint, issuer: str, state: str
    ) -> AsyncIterator[tuple[ClientSettings, LoopbackListener]]:
        """Listen first: a server that registers us wants to know where."""
        client = configured_client(self.user, found)
        if client is not None:
            async with listening(self.user.redirect, state=state) as listener:
                yield client, listener
            return
        records = UserRecords(self.runtime.vault)
        kept = await kept_client(records, issuer, now=self.runtime.clock())
        async with contextlib.AsyncExitStack() as stack:
            listener, kept = await self._listen(stack, state, kept)
            if kept is None:
                registered = await registered_client(
                    self.user, found, redirect_uri=listener.redirect_uri, runtime=self.runtime
                )
                kept = KeptClient(registered, listener.port)
                await records.keep_client(issuer, kept)
            try:
                yield client_settings(self.user, kept.client), listener
            except TimeoutError:  # perhaps a page said that nobody knows this client: be another next time
                await records.forget_client(issuer)
                raise

    async def _listen(
        self, stack: contextlib.AsyncExitStack, state: str, kept: KeptClient | None
    ) -> tuple[LoopbackListener, KeptClient | None]:
        """On the port that we are registered with; when it is taken, on another, to be registered anew."""
        redirect = self.user.redirect
        if kept is not None and redirect.port in {None, kept.port}:
            with contextlib.suppress(RedirectPortTaken):
                listener = await stack.enter_async_context(listening(redirect, state=state, port=kept.port))
                return listener, kept
        return await stack.enter_async_context(listening(redirect, state=state)), None

    async def _answer(self, listener: LoopbackListener) -> str:
        try:
            async with asyncio.timeout(PATIENCE):
                return await listener.answer()
        except TimeoutError:
            raise TimeoutError(f"nobody has signed in within {PATIENCE / 60:.0f} minutes") from None

    def _request(
        self, found: FoundEndpoint, client: ClientSettings, redirect_uri: str, state: str, code_challenge: str
    ) -> AuthorizationRequest:
        offered = found.metadata.get("scopes_supported")
        demanded = found.challenge_scopes if self.wanted.challenge is None else self.wanted.challenge.scopes
        scopes = scopes_to_ask(
            challenged=(*self.user.scopes, *demanded),
            supported=found.server.scopes if found.server is not None else (),
            granted=self.wanted.granted,
            offered_by_issuer=tuple(offered) if isinstance(offered, list) else (),
        )
        return AuthorizationRequest(
            str(client.client_id),
            redirect_uri,
            state,
            code_challenge,
            resource_of(self.user.resource, found, self.server_url),
            scopes,
            self.user.authorization_params,
        )

    def _wants_dpop(self, found: FoundEndpoint) -> bool:
        challenged = self.wanted.challenge is not None and self.wanted.challenge.scheme == "dpop"
        return challenged or (found.server is not None and found.server.wants_dpop)

    def _granted(
        self,
        found: FoundEndpoint,
        issuer: str,
        asked: AuthorizationRequest,
        response: TokenResponse,
        key: KeptDpopKey | None,
    ) -> Grant:
        revocation = found.metadata.get("revocation_endpoint")
        return Grant(
            issuer=issuer,
            resource=asked.resource,
            client_id=asked.client_id,
            token_endpoint=str(found.url),
            access_token=response.access_token,
            expires_at=token_of(response, now=self.runtime.clock()).expires_at,
            refresh_token=response.refresh_token,
            scopes=asked.scopes if response.scopes is None else response.scopes,
            revocation_endpoint=revocation if isinstance(revocation, str) else None,
            person=person_of(response.id_token, response.access_token),
            dpop_key=None if key is None else key.kept(),
        )


async def first_challenge(
    user: OAuthUserSettings, server_url: CanonicalUrl, runtime: Runtime
) -> Challenge | None:
    """What the server wants of a request without a token; None when it lets it in. Raises CredentialError."""
    with told_to_the_person(server_url):
        challenges = await runtime.discoveries.challenges(server_url, user.reach)
    return None if challenges is None else token_challenge(challenges)


def token_challenge(challenges: Iterable[Challenge]) -> Challenge:
    """The one that speaks of tokens."""
    for challenge in challenges:
        if challenge.scheme in {"bearer", "dpop"}:
            return challenge
    return Challenge("bearer", {})


async def find_issuer(user: OAuthUserSettings, server_url: CanonicalUrl, runtime: Runtime) -> FoundEndpoint:
    """The authorization server of the configuration, else of the server. Raises CredentialError."""
    await user.require_addressee(server_url, runtime, KIND)
    return await find_token_endpoint(
        token_url=None,
        issuer=user.issuer,
        server_url=server_url,
        discoveries=runtime.discoveries,
        reach=user.reach,
        credential=KIND,
        endpoint=str(server_url),
        by_default_rule=True,
    )


def token_endpoint(
    server_url: CanonicalUrl,
    found: FoundEndpoint,
    client: ClientSettings,
    *,
    runtime: Runtime,
    dpop: KeptDpopKey | None,
) -> IssuerEndpoint:
    """What redeems codes at an issuer that was found."""
    methods = found.metadata.get("token_endpoint_auth_methods_supported")
    return IssuerEndpoint(
        url=found.url,
        issuer=found.issuer,
        client=client,
        context=runtime,
        credential=KIND,
        endpoint=str(server_url),
        reach=found.reach,
        methods_supported=methods if isinstance(methods, list) else (),
        dpop=dpop,
    )
