"""Who signed in at an OpenID provider: by its ID token, by userinfo, by an access token that it signed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ostiary.authserver.config.idps import OidcIdp
from ostiary.authserver.idps.claim_mapping import map_claims, sources
from ostiary.authserver.idps.id_token_verifier import IdTokenVerifier
from ostiary.authserver.idps.provider_metadata import ANY_TENANT
from ostiary.authserver.upstream_account import Identity, UpstreamTokens
from ostiary.event_log import event_log
from ostiary.identity.jwt_verifier import MAX_BYTES_OF_AN_ANSWER, read_jwt
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.client.id_token import issuer_matches
from ostiary.oauth.client.server_metadata import MetadataRefused
from ostiary.oauth.client.userinfo import UserinfoMapping, UserinfoRefused, identity_of, read_userinfo
from ostiary.oauth.errors import TokenRefused
from ostiary.oauth.jwt_claims import LEEWAY
from ostiary.transport.fetch import Fetcher, FetchError
from ostiary.transport.reach import Reach

log = event_log("ostiary.authserver")


@dataclass(frozen=True, slots=True)
class IdentityResolution:
    """Of one entry. reach: for what its metadata names."""

    settings: OidcIdp
    fetcher: Fetcher
    id_token_verifier: IdTokenVerifier
    reach: Reach

    async def resolve(
        self, claims: Mapping[str, Any], tokens: UpstreamTokens, metadata: Mapping[str, Any], *, now: float
    ) -> Identity:
        """Raises UserinfoRefused, MetadataRefused, UrlRefused, FetchError, TemporarilyUnavailable."""
        settings = self.settings
        wanted = sources(settings.claims, default="id_token")
        documents: dict[str, Mapping[str, Any]] = {"id_token": claims}
        if settings.userinfo or "userinfo" in wanted:
            documents["userinfo"] = await self._userinfo(claims["sub"], tokens, metadata)
        if "access_token" in wanted:
            documents["access_token"] = await self._access_token(tokens, metadata, now)
        told = identity_of(
            _both(documents.get("userinfo", {}), claims), UserinfoMapping(subject=(settings.subject_claim,))
        )
        return Identity(
            issuer=claims["iss"] if ANY_TENANT in settings.issuer else settings.issuer,
            subject=told.subject,
            name=told.name,
            email=told.email,
            email_verified=told.email_verified,
            claims=map_claims(settings.claims, documents, default="id_token", idp=settings.name),
            auth_time=_moment(claims.get("auth_time")),
        )

    async def _userinfo(
        self, subject: str, tokens: UpstreamTokens, metadata: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        endpoint = metadata.get("userinfo_endpoint")
        if not isinstance(endpoint, str):
            raise MetadataRefused("the issuer's metadata has no userinfo_endpoint")
        url = canonical_url(endpoint)
        headers = {"authorization": f"Bearer {tokens.access_token}"}
        document = await self.fetcher.get(url, headers=headers, reach=self.reach)
        if document.status != 200:
            raise FetchError(url, f"it answered {document.status}, not 200")
        said = read_userinfo(document.body, UserinfoMapping())
        if said.subject != subject:
            raise UserinfoRefused("userinfo speaks of somebody else than the ID token")
        return said.claims

    async def _access_token(
        self, tokens: UpstreamTokens, metadata: Mapping[str, Any], now: float
    ) -> Mapping[str, Any]:
        """Its claims, where it is a JWT of this issuer that is good now; its audience is an API, not us."""
        try:
            jwt = read_jwt(tokens.access_token, max_bytes=MAX_BYTES_OF_AN_ANSWER)
            claims = await self.id_token_verifier.verify_signature(jwt, metadata, reach=self.reach)
        except TokenRefused as refused:
            log.warning("access_token_not_read", idp=self.settings.name, reason=refused.detail)
            return {}
        ends = claims.get("exp")
        alive = isinstance(ends, int | float) and now < ends + LEEWAY
        return claims if alive and issuer_matches(self.settings.issuer, claims) else {}


def _both(userinfo: Mapping[str, Any], id_token: Mapping[str, Any]) -> dict[str, Any]:
    """The ID token goes first. That an address is verified is said of the address beside it alone."""
    kept = dict(userinfo)
    id_token = {name: value for name, value in id_token.items() if value is not None or name not in kept}
    if "email" in id_token and id_token["email"] != kept.get("email"):
        kept.pop("email_verified", None)
    return {**kept, **id_token}


def _moment(value: Any) -> int | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and 0 <= value < 1e11 else None
