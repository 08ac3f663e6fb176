"""An OpenID provider: discovered, and its ID tokens verified. OpenID Connect Core section 3.1.

depart    to its authorization endpoint, with PKCE, state and nonce
arrive    issuer (RFC 9207), code for tokens, ID token, userinfo when it is wanted
renew     refresh token for tokens; a new ID token must be of the same person
revoke    RFC 7009, where its metadata has an endpoint for it
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import msgspec

from ostiary.authserver.config.idps import OidcIdp
from ostiary.authserver.idps.authorization_url import authorization_url, new_verifier
from ostiary.authserver.idps.back_channel import BackChannel, as_tokens
from ostiary.authserver.idps.failures import as_idp_errors, nothing_spent
from ostiary.authserver.idps.id_token_verifier import Expected, IdTokenVerifier
from ostiary.authserver.idps.identity_resolution import IdentityResolution
from ostiary.authserver.idps.idp import (
    GrantDead,
    IdpAnswerRefused,
    IdpError,
    LoginMemory,
    LoginOptions,
    LoginStart,
)
from ostiary.authserver.idps.idp_client import IdpClient
from ostiary.authserver.idps.provider_metadata import ANY_TENANT, ProviderMetadata
from ostiary.authserver.idps.tools import Tools
from ostiary.authserver.upstream_account import UpstreamAccount, UpstreamTokens
from ostiary.event_log import event_log
from ostiary.identity.google_id_token import ISSUERS as GOOGLE_ISSUERS
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.client.authorization_request import authorization_endpoint
from ostiary.oauth.client.authorization_response import answer_of, code_of
from ostiary.oauth.client.id_token import IdTokenRefused, issuer_matches
from ostiary.oauth.client.server_metadata import token_endpoint
from ostiary.oauth.client.token_response import TokenRequestRefused
from ostiary.oauth.errors import TemporarilyUnavailable, TokenRefused
from ostiary.oauth.jwt_parts import unverified_claims
from ostiary.oauth.personal_name import personal_name
from ostiary.transport.reach import reach_from

log = event_log("ostiary.authserver")

OPENID = "openid"
ENDED = frozenset({"invalid_grant", "interaction_required", "login_required", "consent_required"})
"""How a provider says that a refresh token gives nothing any more; the last three are Entra ID's."""


class OidcProvider:
    """One entry of type oidc."""

    can_identify = True

    def __init__(self, settings: OidcIdp, tools: Tools) -> None:
        self.name = settings.name
        self.display_name = settings.display_name
        self.issuer = settings.issuer
        self._settings = settings
        self._tools = tools
        self._client = IdpClient(settings.client_id, settings.client_secret, settings.auth_method)
        self._metadata = ProviderMetadata(settings.issuer, settings.reach, tools.fetcher, tools.clock)
        self._reach = reach_from(settings.reach, self._metadata.place)
        accepted = GOOGLE_ISSUERS if settings.issuer in GOOGLE_ISSUERS else (settings.issuer,)
        self._id_token_verifier = IdTokenVerifier(
            tools.key_sets, settings.issuer, accepted, settings.id_token_algorithms
        )
        self._person = IdentityResolution(settings, tools.fetcher, self._id_token_verifier, self._reach)

    async def begin(self, *, state: str, redirect_uri: str, options: LoginOptions) -> LoginStart:
        """Begin a login."""
        with as_idp_errors(self.name):
            metadata = await self._metadata.get()
            at = authorization_endpoint(metadata, insecure_allow_http=self._settings.insecure_allow_http)
            redeemed_at = str(token_endpoint(metadata))
        scopes = tuple(dict.fromkeys([OPENID, *self._settings.scopes]))
        memory = LoginMemory(
            issuer=self.issuer,
            client_id=self._client.client_id,
            redirect_uri=redirect_uri,
            code_verifier=new_verifier(),
            nonce=secrets.token_urlsafe(32),
            max_age=options.max_age,
            token_endpoint=redeemed_at,
            scopes=scopes,
        )
        parameters = {
            "client_id": memory.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(scopes),
            "state": state,
            "nonce": memory.nonce,
            "prompt": " ".join(options.prompt),
            "max_age": None if options.max_age is None else str(options.max_age),
            "login_hint": options.login_hint,
        }
        extra = self._settings.authorization_params
        return LoginStart(
            authorization_url(at, parameters, verifier=memory.code_verifier, extra=extra), memory
        )

    async def complete(self, query: bytes, memory: LoginMemory, *, now: float) -> UpstreamAccount:
        """Finish it."""
        with as_idp_errors(self.name):
            metadata = await self._metadata.get()
            code = self._code(query, metadata)
            form = {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": memory.redirect_uri,
                "code_verifier": memory.code_verifier or "",
            }
            channel = self._channel(memory.token_endpoint or "", metadata)
            answer = await channel.tokens(form, now=now)
            if answer.id_token is None:
                raise IdTokenRefused("the token answer has no ID token")
            tokens = as_tokens(answer, asked=memory.scopes, now=now)
            expected = Expected(memory.client_id, memory.nonce, memory.max_age, tokens.access_token)
            claims = await self._id_token_verifier.verify(
                answer.id_token, expected, metadata, reach=self._reach, now=now
            )
            self._same_tenant(query, claims)
            identity = await self._person.resolve(claims, tokens, metadata, now=now)
        return UpstreamAccount(
            idp=self.name,
            issuer=identity.issuer,
            account=identity.subject,
            client_id=memory.client_id,
            tokens=tokens,
            label=identity.email or personal_name(claims.get("preferred_username")) or identity.name,
            identity=identity,
        )

    async def renew(
        self, tokens: UpstreamTokens, *, issuer: str, client_id: str, now: float
    ) -> UpstreamTokens:
        """New tokens for a refresh token."""
        self._refuse_others(issuer, client_id)
        with nothing_spent(), as_idp_errors(self.name):
            metadata = await self._metadata.get()
            channel = self._channel(str(token_endpoint(metadata)), metadata)
        with as_idp_errors(self.name):
            try:
                new = await channel.renewed(tokens, now=now)
            except TokenRequestRefused as refused:
                if refused.error in ENDED:
                    raise GrantDead(f"identity provider {self.name} says {refused.error}") from None
                raise
        if new.id_token is not None and await self._is_same_person(tokens, new, metadata, now):
            return new
        return msgspec.structs.replace(new, id_token=tokens.id_token)

    async def revoke(self, tokens: UpstreamTokens, *, issuer: str, client_id: str) -> None:
        """End them there."""
        try:
            self._refuse_others(issuer, client_id)
            with as_idp_errors(self.name):
                metadata = await self._metadata.get()
                endpoint = metadata.get("revocation_endpoint")
                if isinstance(endpoint, str):
                    await self._channel(endpoint, metadata).end(tokens)
        except IdpError as error:
            log.warning("upstream_not_revoked", idp=self.name, reason=str(error))

    def _channel(self, endpoint: str, metadata: Mapping[str, Any]) -> BackChannel:
        url = canonical_url(endpoint)
        return BackChannel(self.name, self._tools.fetcher, url, self._client, metadata, self._reach)

    def _code(self, query: bytes, metadata: Mapping[str, Any]) -> str:
        """Whose answer it is comes first; with a placeholder in the issuer, once the tenant is known."""
        answer = answer_of(query)
        if ANY_TENANT in self.issuer:
            answer.pop("iss", None)
        return code_of(answer, issuer=self.issuer, metadata={} if ANY_TENANT in self.issuer else metadata)

    def _same_tenant(self, query: bytes, claims: Mapping[str, Any]) -> None:
        said = answer_of(query).get("iss")
        if ANY_TENANT in self.issuer and said is not None and said != claims["iss"]:
            raise IdTokenRefused("the answer and its ID token are from two issuers")

    async def _is_same_person(
        self, old: UpstreamTokens, new: UpstreamTokens, metadata: Mapping[str, Any], now: float
    ) -> bool:
        """Whether the new ID token may take the old one's place.

        The tokens beside it are good whatever is wrong with it, for the refresh token is spent; but one of
        another person means that all of them are another's. Raises IdpAnswerRefused.
        """
        expected = Expected(self._client.client_id, access_token=new.access_token)
        try:
            claims = await self._id_token_verifier.verify(
                new.id_token or "", expected, metadata, reach=self._reach, now=now
            )
        except (TokenRefused, TemporarilyUnavailable, ValueError) as error:
            log.warning(
                "id_token_not_renewed", idp=self.name, reason=getattr(error, "detail", "") or str(error)
            )
            return False
        before = unverified_claims(old.id_token or "")
        if before and (before.get("sub"), before.get("iss")) != (claims["sub"], claims["iss"]):
            rotated = new.refresh_token != old.refresh_token
            raise IdpAnswerRefused(
                f"identity provider {self.name} renewed another person's tokens",
                left=msgspec.structs.replace(old, refresh_token=None) if rotated else None,
            )
        return True

    def _refuse_others(self, issuer: str, client_id: str) -> None:
        """A refresh token goes to whoever gave it, from whom it was given to, and to nobody else."""
        ours = issuer == self.issuer or issuer_matches(self.issuer, _as_claims(issuer, self.issuer))
        if not ours:
            raise GrantDead(f"identity provider {self.name} is not {issuer} any more")
        if client_id != self._client.client_id:
            raise GrantDead(f"we are not client {client_id} at identity provider {self.name} any more")


def _as_claims(issuer: str, template: str) -> dict[str, str]:
    """The tenant that a stored issuer names."""
    before, _, after = template.partition(ANY_TENANT)
    return {"iss": issuer, "tid": issuer.removeprefix(before).removesuffix(after)}
