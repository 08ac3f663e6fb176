"""A token for another one, at any token service. RFC 8693.

    subject   whom the new token speaks of: the caller (`inbound`), or whom a credential's token speaks of
    actor     who acts for them, when that is not the client itself

`preset: entra_obo` asks as Entra ID wants it: a JWT grant with `requested_token_use=on_behalf_of`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import model_validator

from ostiary.credentials.error import CredentialUnreachable
from ostiary.credentials.headers.token_headers import TokenHeaders
from ostiary.credentials.issuer.client_settings import ResourceUri, Scope
from ostiary.credentials.issuer.settings import IssuerSettings, Named, resource_of
from ostiary.credentials.issuer.token_endpoint import token_of
from ostiary.credentials.subject import Subject, TokenCredential, headers_for, token_of_credential
from ostiary.credentials.tokens.cache import TokenKey
from ostiary.credentials.tokens.settings_key import key_of
from ostiary.oauth.client.jwt_bearer import on_behalf_of_form
from ostiary.oauth.client.token_exchange import exchange_form, is_as_asked, token_type_of, token_type_uri

if TYPE_CHECKING:
    from collections.abc import Hashable

    from ostiary.credentials.headers.headers import CredentialHeaders
    from ostiary.credentials.headers.subject_token_source import SubjectTokenSource
    from ostiary.credentials.issuer.discovery import FoundEndpoint
    from ostiary.credentials.runtime import Runtime
    from ostiary.credentials.tokens.token import Token
    from ostiary.oauth.canonical_url import CanonicalUrl

NOT_ENTRAS = (
    "subject_token_type",
    "actor",
    "actor_token_type",
    "audience",
    "resource",
    "requested_token_type",
)
"""Words of RFC 8693 that Entra ID's form has no place for."""


class TokenExchange(IssuerSettings):
    """Send a token that a token service gave for another one."""

    type: Literal["token_exchange"] = "token_exchange"
    """The kind of credential."""
    subject: Subject = "inbound"
    """Whom the new token speaks of: the caller (inbound), by the token that it came with, or a credential:
    whom its token speaks of."""
    subject_token_type: Named | None = None
    """The type of the subject's token: access_token, id_token, jwt, saml2, or a URI.
    Default: by what it is; the caller's is an access token."""
    actor: TokenCredential | None = None
    """A credential whose token says who acts for the subject. Default: the client itself."""
    actor_token_type: Named | None = None
    """The type of the actor's token. Default: by what it is."""
    audience: Named | None = None
    """Whom the new token is for, by the name that the token service knows."""
    resource: ResourceUri | Literal[False] | None = None
    """The server that the new token is for (RFC 8707); false names none.
    Default: what the server calls itself, else its URL; none when `audience` says it."""
    scopes: tuple[Scope, ...] = ()
    """The scopes of the new token."""
    requested_token_type: Named | None = None
    """The type of the new token. Default: what the token service finds right."""
    preset: Literal["entra_obo"] | None = None
    """entra_obo: ask as Entra ID wants it, on behalf of the subject; `scopes` say for whom."""

    @property
    def for_the_addressee_alone(self) -> str:
        """What whoever is asked could use elsewhere."""
        return "the subject's token"

    @model_validator(mode="after")
    def _entra_is_asked_in_its_words(self) -> Self:
        if self.preset is None:
            return self
        if in_vain := [name for name in NOT_ENTRAS if name in self.model_fields_set]:
            raise ValueError(f"preset entra_obo has no {' and no '.join(in_vain)}: leave it out")
        if not self.scopes:
            raise ValueError("preset entra_obo needs scopes, such as api://my-server/.default")
        return self

    def attach(self, server_url: CanonicalUrl, *, runtime: Runtime) -> CredentialHeaders:
        """What a server at this URL is sent."""
        service = self.service_or(server_url)
        actor = None
        if self.actor is not None:
            actor = token_of_credential(
                self.actor, service, role="actor", token_type=self.actor_token_type, runtime=runtime
            )
        key = TokenKey(server_url, key_of(self))

        def make(subject: SubjectTokenSource, whose: Hashable) -> CredentialHeaders:
            source = ExchangeSource(self, subject, actor, server_url, runtime)
            return TokenHeaders(source, key=TokenKey(key, whose), cache=runtime.tokens)

        return headers_for(
            self.subject,
            make,
            token_type=self.subject_token_type,
            shown_to=service,
            credential=self.type,
            endpoint=server_url.origin,
            runtime=runtime,
        )


@dataclass(frozen=True, slots=True)
class ExchangeSource:
    """The tokens that one subject's is exchanged for."""

    settings: TokenExchange
    subject: SubjectTokenSource
    actor: SubjectTokenSource | None
    server_url: CanonicalUrl
    runtime: Runtime
    credential: ClassVar[str] = "token_exchange"

    @property
    def endpoint(self) -> str:
        """The server that the tokens are for."""
        return self.server_url.origin

    async def fetch(self) -> Token:
        """Ask the token service. Raises CredentialError."""
        settings, wanted = self.settings, self.settings.requested_token_type
        requested = wanted and token_type_uri(wanted)
        found = await settings.find(self.server_url, self.runtime, self.credential)
        service = settings.at(found, self.server_url, self.runtime, self.credential)
        form = await self._form(found, requested)
        response = await service.request(form, wanted_type=token_type_of(requested))
        if not is_as_asked(response.issued_token_type, requested):
            raise CredentialUnreachable(
                f"token endpoint {service.url}: it issued {response.issued_token_type!r:.100}, "
                f"where {requested or 'an access token'} was asked for",
                credential=self.credential,
                endpoint=self.endpoint,
                fix="set requested_token_type to what it issues",
            )
        return token_of(response, now=self.runtime.clock())

    @property
    def shareable(self) -> bool:
        """The caller's, whom its key names; other subjects and actors may differ by machine."""
        return self.settings.subject == "inbound" and self.actor is None

    def version(self) -> Hashable:
        """As the client's secrets are now, and the caller's token."""
        return self.settings.version(), self.subject.version()

    async def _form(self, found: FoundEndpoint, requested: str | None) -> dict[str, str]:
        settings, subject = self.settings, await self.subject.token()
        if settings.preset == "entra_obo":
            return on_behalf_of_form(subject.value, scopes=settings.scopes)
        by_name_alone = settings.resource is None and settings.audience is not None
        return exchange_form(
            subject,
            actor=None if self.actor is None else await self.actor.token(),
            audience=settings.audience,
            resource=None if by_name_alone else resource_of(settings.resource, found, self.server_url),
            scopes=settings.scopes,
            requested_token_type=requested,
        )
