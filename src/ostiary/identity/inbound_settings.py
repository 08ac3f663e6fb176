"""Whose tokens open a door: the entries of an `inbound:` list."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, StringConstraints, Tag, model_validator

from ostiary.oauth.canonical_url import CanonicalUrl, canonical_url
from ostiary.settings import Duration, SecretField, Settings, Url
from ostiary.transport.reach import EdgeSettings


def _a_url_kept_as_written(issuer: str) -> str:
    canonical_url(issuer)
    return issuer


Issuer = Annotated[str, AfterValidator(_a_url_kept_as_written)]
"""Issuers are compared as plain strings (RFC 8414 section 3.3), so one is checked and kept as written."""
ScopeToken = Annotated[str, StringConstraints(pattern=r"^[\x21\x23-\x5B\x5D-\x7E]+$")]
"""One scope (RFC 6749 section 3.3)."""


class KeyEdge(EdgeSettings):
    """How an issuer's keys are reached."""

    jwks_url: Url | None = None
    """Where the keys are, if the issuer's metadata can't be reached. Default: as the metadata says."""

    def refuse_swapped_keys(self, url: CanonicalUrl) -> None:
        """Raise ValueError when keys from this URL could be swapped on their way."""
        self.refuse_clear_text(url, "anybody between could swap the keys")


class OidcInbound(KeyEdge):
    """Accept access tokens (JWT) of an OIDC or RFC 8414 issuer."""

    type: Literal["oidc"] = "oidc"
    """The kind of entry; an entry without it is this one."""
    issuer: Issuer
    """The issuer, letter for letter as its tokens and metadata name it."""
    audience: str | None = None
    """What a token must name as its audience. Default: the resource that is called."""
    required_scopes: tuple[ScopeToken, ...] = ()
    """Scopes that every token must have."""
    access_token_type: Literal["at+jwt"] | None = None
    """The `typ` that every access token of this issuer has (RFC 9068). Default: it may say nothing there; a
    token is taken unless something in it says that it is another kind, such as an ID token."""

    @model_validator(mode="after")
    def _keys_arrive_unswapped(self) -> Self:
        self.refuse_swapped_keys(self.jwks_url or canonical_url(self.issuer))
        return self


class AllowedGoogleAccount(Settings):
    """One line of an allow-list: an e-mail address, a whole domain (`*@example.com`), or a subject."""

    email: Annotated[str, StringConstraints(pattern=r"^(\*|[^@*\s]+)@[^@*\s]+$")] | None = None
    """An address, or `*@` and a domain; letters' case does not matter. Only verified addresses match."""
    sub: Annotated[str, StringConstraints(min_length=1)] | None = None
    """A Google account's number, which stays when its address changes."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.email is None) == (self.sub is None):
            raise ValueError("an allowed account is either {email: ...} or {sub: ...}")
        return self


class GoogleIdTokenInbound(KeyEdge):
    """Accept Google ID tokens, as Cloud Run does."""

    type: Literal["google_id_token"]
    """The kind of entry."""
    audience: str | None = None
    """What a token must name as its audience. Default: the resource that is called."""
    allow: Annotated[tuple[AllowedGoogleAccount, ...], Field(min_length=1)]
    """Who may come in. Any Google account can get a token for any audience, so the list can't be left out."""
    jwks_url: Url = CanonicalUrl("https", "www.googleapis.com", 443, "/oauth2/v3/certs")
    """Where Google's keys are; another address is for a local Google."""

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        self.refuse_swapped_keys(self.jwks_url)
        return self


LONGEST_CACHE = timedelta(minutes=10)


class IntrospectionInbound(EdgeSettings):
    """Accept opaque access tokens, about which their issuer is asked (RFC 7662)."""

    type: Literal["introspection"]
    """The kind of entry."""
    issuer: Issuer | None = None
    """Who issues them, and says in its metadata where to ask. An answer that names another one is refused."""
    introspection_url: Url | None = None
    """Where to ask. Default: as the issuer's metadata says."""
    client_id: Annotated[str, StringConstraints(min_length=1)]
    """Who we are there."""
    client_secret: SecretField
    """What proves it."""
    auth_method: Literal["client_secret_basic", "client_secret_post"] = "client_secret_basic"
    """How it is shown."""
    audience: str | None = None
    """What an answer must name as the token's audience. Default: the resource that is called."""
    required_scopes: tuple[ScopeToken, ...] = ()
    """Scopes that every token must have."""
    cache: Duration = timedelta(seconds=30)
    """How long an answer counts, 10 minutes at most: a token that was revoked opens the door for that much
    longer."""

    @property
    def name(self) -> str:
        """Whose tokens they are."""
        return self.issuer or str(self.introspection_url)

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        if self.issuer is None and self.introspection_url is None:
            raise ValueError("name the issuer, or introspection_url: somebody has to be asked")
        if self.cache > LONGEST_CACHE:
            raise ValueError("cache is at most 10 minutes: for so long a token that was revoked still counts")
        url = self.introspection_url or canonical_url(self.issuer or "")
        self.refuse_clear_text(url, "our secret and our callers' tokens would travel in the clear")
        return self


def _kind(entry: Any) -> Any:
    return entry.get("type", "oidc") if isinstance(entry, dict) else getattr(entry, "type", None)


InboundSettings = Annotated[
    Annotated[OidcInbound, Tag("oidc")]
    | Annotated[GoogleIdTokenInbound, Tag("google_id_token")]
    | Annotated[IntrospectionInbound, Tag("introspection")],
    Discriminator(_kind),
]
