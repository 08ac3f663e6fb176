"""Where people sign in, and where they have accounts: the entries of `upstream_idps:`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ostiary.authserver.config.presets import SHORTENED, with_preset
from ostiary.credentials.issuer.client_settings import ResourceUri
from ostiary.identity.inbound_settings import Issuer, ScopeToken
from ostiary.oauth.canonical_url import CanonicalUrl, canonical_url
from ostiary.oauth.client.authorization_request import refuse_reserved
from ostiary.oauth.client.token_mapping import TokenMapping
from ostiary.settings import (
    UNNAMED_ISSUERS,
    Duration,
    SecretField,
    Settings,
    Switch,
    Url,
    read_duration,
)
from ostiary.transport.reach import EdgeSettings

IdpName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=63)]
OUR_HEADERS = frozenset({"authorization", "host", "content-length", "transfer-encoding", "connection"})
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")


def _template_of_a_url(issuer: str) -> str:
    canonical_url(issuer.replace("{tenantid}", "common"))
    return issuer


OidcIssuer = Annotated[str, AfterValidator(_template_of_a_url)]


IdTokenAlgorithm = Literal[
    "RS256",
    "ES256",
    "EdDSA",
    "Ed25519",
    "PS256",
    "RS384",
    "RS512",
    "ES384",
    "ES512",
    "PS384",
    "PS512",
]


class ClaimSource(Settings):
    """One claim that is taken when somebody signs in."""

    source: Annotated[Literal["id_token", "userinfo", "access_token"] | None, Field(alias="from")] = None
    """Where it stands. Default: id_token; for an oauth2 provider, which has none, userinfo. An access_token
    is read only when it is a JWT of this issuer."""
    claim: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    """Its name there; a dot leads into an object."""


class UserinfoSettings(Settings):
    """How to ask who somebody is, and where in the answer that stands."""

    url: Url
    """Where to ask, with the access token."""
    method: Literal["GET", "POST"] = "GET"
    """How to ask."""
    headers: dict[str, str] = {}
    """Further headers of the request."""
    subject: str | list[str] = "sub"
    """Where the account's lasting identifier stands: a path such as `data.id`, or several, first hit wins."""
    name: str | list[str] = ["name"]
    """Where the name stands."""
    email: str | list[str] = ["email"]
    """Where the e-mail address stands."""
    email_verified: str | list[str] = ["email_verified"]
    """Where it says whether the address was verified; nothing counts as verified where it does not."""
    label: str | list[str] = ["preferred_username"]
    """Where the name stands that people know the account by. Default: else the address, else the name."""

    @field_validator("headers")
    @classmethod
    def _can_be_sent(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if name.lower() in OUR_HEADERS or _HEADER.fullmatch(name) is None or not value.isprintable():
                raise ValueError(f"header {name!r:.60} cannot be configured here")
        return headers


class TokenAnswerSettings(Settings):
    """Where things stand in an odd token answer: paths such as `authed_user.access_token`."""

    access_token: str = "access_token"  # noqa: S105 - names, as the next
    """The access token."""
    refresh_token: str = "refresh_token"  # noqa: S105
    """The refresh token."""
    expires_in: str = "expires_in"
    """How many seconds the access token lives."""
    scope: str = "scope"
    """The scopes that were given."""
    scope_separator: Literal[" ", ","] = " "
    """What stands between two of them."""
    any_token_type: Switch = False
    """Take whatever `token_type` it has, or none, for Bearer."""

    @property
    def mapping(self) -> TokenMapping:
        """The same for the rule that reads it."""
        return TokenMapping(
            access_token=self.access_token,
            refresh_token=self.refresh_token,
            expires_in=self.expires_in,
            scope=self.scope,
            scope_separator=self.scope_separator,
            token_type_lenient=self.any_token_type,
        )


class _Edge(EdgeSettings):
    """What all kinds of identity providers have."""

    name: IdpName
    """What it is called in this file, in addresses (`/oauth/callback/{name}`), and in audit events."""
    preset: str | None = None
    """Take what is known of google, github, entra, okta, slack, atlassian, gitlab or keycloak."""
    label: Annotated[str, StringConstraints(max_length=80)] | None = None
    """What people read on the pages. Default: its name."""
    scopes: list[ScopeToken] = []
    """What to ask for."""
    authorization_params: Annotated[dict[str, str], AfterValidator(refuse_reserved)] = {}
    """Further parameters of its authorization request, such as `access_type: offline`."""
    previous_issuer: str | None = None
    """Confirms that this entry was pointed at another issuer: who was behind the name before. Their people
    and ours are not the same, so nobody is carried over."""

    @property
    def display_name(self) -> str:
        """What people read."""
        return self.label or self.name

    def refuse_tokens_in_the_clear(self, url: CanonicalUrl) -> None:
        """Raise ValueError when codes and tokens would travel in the clear."""
        self.refuse_clear_text(url, "tokens would travel in the clear")


class _OurClient(Settings):
    """Who we are there."""

    client_id: Annotated[str, StringConstraints(min_length=1)]
    """Our client there."""
    client_secret: SecretField | None = None
    """Its secret; none for a public client."""
    auth_method: Literal["client_secret_basic", "client_secret_post", "none"] | None = None
    """How we prove who we are. Default: what its metadata offers first of client_secret_basic,
    client_secret_post; none without a secret."""


Revalidation = Annotated[
    Literal["on_refresh", "never"] | timedelta,
    BeforeValidator(lambda value: value if value in ("on_refresh", "never") else read_duration(value)),
]


class _Identity(_Edge):
    """One that can say who somebody is."""

    revalidate: Revalidation = "on_refresh"
    """When a client renews its token, ask here whether the person still exists: `on_refresh`, at most once in
    a duration such as `1h`, or `never`. Needs a refresh token of the provider's; for an oauth2 provider, an
    access token that does not end will do."""


class OidcIdp(_Identity, _OurClient):
    """An OpenID provider: discovered, its ID tokens verified."""

    type: Literal["oidc"] = "oidc"
    """The kind of provider."""
    issuer: OidcIssuer
    """The issuer, letter for letter. `{tenantid}` stands for any tenant of Entra ID."""
    scopes: list[ScopeToken] = ["openid", "profile", "email"]
    """What to ask for; `openid` is always asked for."""
    subject_claim: str = "sub"
    """The claim that names a person for good. Entra ID: `oid` is the same in all applications."""
    claims: dict[str, ClaimSource] = {}
    """Claims taken at sign-in, by the name that policies and tokens know them under."""
    userinfo: Switch = False
    """Ask the userinfo endpoint too."""
    id_token_algorithms: list[IdTokenAlgorithm] = ["RS256", "ES256", "EdDSA", "Ed25519", "PS256"]
    """How its ID tokens may be signed."""

    @model_validator(mode="after")
    def _in_the_clear_only_at_home(self) -> Self:
        self.refuse_tokens_in_the_clear(canonical_url(self.issuer.replace("{tenantid}", "common")))
        return self


class OAuth2Idp(_Identity, _OurClient):
    """A provider without OpenID Connect: its endpoints are named here, and userinfo says who somebody is."""

    type: Literal["oauth2"]
    """The kind of provider."""
    authorization_endpoint: Url
    """Where the browser goes."""
    token_endpoint: Url
    """Where codes become tokens."""
    userinfo: UserinfoSettings | None = None
    """Who somebody is. Without it, it can only be connected, never be the identity."""
    issuer: Issuer | None = None
    """Its issuer, if it says one in its answers (RFC 9207). Default: its token endpoint's address stands for
    it."""
    token_answer: TokenAnswerSettings = TokenAnswerSettings()
    """Where things stand in its token answer."""
    renewal_answer: TokenAnswerSettings | None = None
    """Where they stand when tokens are renewed. Default: in the same places."""
    ended_errors: list[str] = []
    """Beside `invalid_grant`: the error codes by which it says that a refresh token has ended."""
    scope_parameter: Literal["scope", "user_scope"] = "scope"
    """What its authorization request calls scopes: at Slack, `scope` would be a bot's."""
    scope_separator: Literal[" ", ","] = " "
    """What stands between two scopes there."""
    revocation_endpoint: Url | None = None
    """Where tokens are ended when an account is disconnected (RFC 7009)."""
    pkce: Switch = True
    """Whether to send a code challenge; it is ignored by those that do not know it."""
    claims: dict[str, ClaimSource] = {}
    """Claims taken at sign-in from userinfo, by the name that policies and tokens know them under."""

    @model_validator(mode="after")
    def _takes_what_there_is(self) -> Self:
        for name, claim in self.claims.items():
            if claim.source not in {None, "userinfo"}:
                raise ValueError(
                    f"claim {name}: an oauth2 provider has no {claim.source}; take it from userinfo"
                )
        if self.claims and self.userinfo is None:
            raise ValueError("claims are taken from userinfo, which is missing")
        if self.scope_parameter in self.authorization_params:
            raise ValueError(f"{self.scope_parameter} is set by Ostiary itself, from scopes")
        return self

    @model_validator(mode="after")
    def _in_the_clear_only_at_home(self) -> Self:
        for url in (self.authorization_endpoint, self.token_endpoint, self.revocation_endpoint):
            if url is not None:
                self.refuse_tokens_in_the_clear(url)
        if self.userinfo is not None:
            self.refuse_tokens_in_the_clear(self.userinfo.url)
        return self


class McpIdp(_Edge):
    """An MCP server with an authorization server of its own: found by its metadata, connected on demand."""

    type: Literal["mcp"]
    """The kind of provider."""
    url: Url
    """The MCP server."""
    client_id: str | None = None
    """Our client at its authorization server. Default: our own document, else dynamic registration."""
    client_secret: SecretField | None = None
    """Its secret; goes with issuer."""
    issuer: Issuer | None = None
    """Its authorization server, letter for letter as it names itself. Default: the first that the MCP server
    names; our secret goes to none that only a server names."""
    resource: ResourceUri | Literal[False] | None = None
    """What the tokens are for (RFC 8707); false says nothing, for those that refuse to hear it, as Google and
    Entra ID do. Default: what the MCP server calls itself."""
    code_challenge_methods_supported: tuple[Literal["S256"], ...] = ()
    """What its authorization server's metadata leaves out: [S256] where it checks PKCE and does not say so,
    as Entra ID does. Without either, nobody is sent there."""

    @model_validator(mode="after")
    def _a_secret_has_an_addressee(self, info: ValidationInfo) -> Self:
        unnamed = self.issuer is None and not (info.context or {}).get(UNNAMED_ISSUERS)
        if self.client_secret is not None and unnamed:
            raise ValueError(
                "set issuer: it gets client_secret, and the MCP server does not choose who that is; "
                f"`ostiary doctor {self.url}` says whom the server names"
            )
        return self

    @model_validator(mode="after")
    def _in_the_clear_only_at_home(self) -> Self:
        self.refuse_tokens_in_the_clear(self.url)
        return self


def _kind(entry: Any) -> Any:
    return entry.get("type", "oidc") if isinstance(entry, Mapping) else getattr(entry, "type", None)


class _MayBeShortened:
    """What editors know of an entry with a preset."""

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [handler(schema), SHORTENED]}


IdpSettings = Annotated[
    Annotated[OidcIdp, Tag("oidc")] | Annotated[OAuth2Idp, Tag("oauth2")] | Annotated[McpIdp, Tag("mcp")],
    Discriminator(_kind),
    BeforeValidator(with_preset),
    _MayBeShortened(),
]

__all__ = ["Duration", "IdpSettings", "McpIdp", "OAuth2Idp", "OidcIdp"]
