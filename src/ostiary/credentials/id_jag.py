"""Enterprise-managed authorization: the company's IdP vouches for its user at the server's issuer.

    first     at the IdP: the user's ID token → an ID-JAG for the server's issuer   RFC 8693
    second    at that issuer: the ID-JAG → an access token for the server           RFC 7523

The client is known at both: `idp` holds what it is there.
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
from ostiary.credentials.subject import Subject, headers_for
from ostiary.credentials.tokens.cache import TokenKey
from ostiary.credentials.tokens.settings_key import key_of
from ostiary.oauth.client.id_jag import ID_JAG, TOKEN_TYPE, ask_idp_form, redeem_form

if TYPE_CHECKING:
    from collections.abc import Hashable

    from ostiary.credentials.headers.headers import CredentialHeaders
    from ostiary.credentials.headers.subject_token_source import SubjectTokenSource
    from ostiary.credentials.issuer.discovery import FoundEndpoint
    from ostiary.credentials.runtime import Runtime
    from ostiary.credentials.tokens.token import Token
    from ostiary.oauth.canonical_url import CanonicalUrl


class IdpSettings(IssuerSettings):
    """The company's IdP, and the client that we are there."""

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if self.token_url is None and self.issuer is None:
            raise ValueError("the IdP is nowhere: set token_url or issuer")
        return self


class IdJag(IssuerSettings):
    """Send an access token that the server's issuer gives for the word of the company's IdP."""

    type: Literal["id_jag"] = "id_jag"
    """The kind of credential."""
    subject: Subject = "inbound"
    """The user: the caller (inbound), by the token that it came with, or a credential: whom its token speaks
    of, such as {type: bearer, token: {file: ...}} for an ID token in a file."""
    subject_token_type: Named = "id_token"  # noqa: S105 - a type's name
    """The type of the user's token: id_token, saml2, access_token, or a URI."""
    idp: IdpSettings
    """Who gives the ID-JAG, and the client that we are there."""
    audience: Named | None = None
    """Whom the ID-JAG is for. Default: the server's issuer, as it names itself."""
    resource: ResourceUri | None = None
    """The server. Default: what it calls itself, else its URL."""
    scopes: tuple[Scope, ...] = ()
    """The scopes of the access token."""

    @property
    def for_the_addressee_alone(self) -> str | None:
        """What whoever is asked could use elsewhere: an ID-JAG is otherwise for whoever is asked."""
        return super().for_the_addressee_alone or (self.audience and f"an ID-JAG for {self.audience}")

    @model_validator(mode="after")
    def _the_id_jag_is_for_somebody(self) -> Self:
        if self.token_url is not None and self.issuer is None and self.audience is None:
            raise ValueError("the ID-JAG is for the server's issuer: set issuer beside token_url")
        return self

    def attach(self, server_url: CanonicalUrl, *, runtime: Runtime) -> CredentialHeaders:
        """What a server at this URL is sent."""
        key = TokenKey(server_url, key_of(self))

        def make(subject: SubjectTokenSource, whose: Hashable) -> CredentialHeaders:
            source = IdJagSource(self, subject, server_url, runtime)
            return TokenHeaders(source, key=TokenKey(key, whose), cache=runtime.tokens)

        return headers_for(
            self.subject,
            make,
            token_type=self.subject_token_type,
            shown_to=self.idp.service_or(server_url),
            credential=self.type,
            endpoint=server_url.origin,
            runtime=runtime,
        )


@dataclass(frozen=True, slots=True)
class IdJagSource:
    """One user's access tokens for one server."""

    settings: IdJag
    subject: SubjectTokenSource
    server_url: CanonicalUrl
    runtime: Runtime
    credential: ClassVar[str] = "id_jag"

    @property
    def endpoint(self) -> str:
        """The server that the tokens are for."""
        return self.server_url.origin

    async def fetch(self) -> Token:
        """Both steps. Raises CredentialError."""
        found = await self.settings.find(self.server_url, self.runtime, self.credential)
        id_jag = await self._ask_idp(found)
        issuer = self.settings.at(found, self.server_url, self.runtime, self.credential)
        response = await issuer.request(redeem_form(id_jag, scopes=self.settings.scopes))
        return token_of(response, now=self.runtime.clock())

    @property
    def shareable(self) -> bool:
        """The caller's, whom its key names; other subjects may differ by machine."""
        return self.settings.subject == "inbound"

    def version(self) -> Hashable:
        """As the client's secrets are now, at both places, and the caller's token."""
        return self.settings.version(), self.settings.idp.version(), self.subject.version()

    async def _ask_idp(self, found: FoundEndpoint) -> str:
        subject = await self.subject.token()
        at_idp = await self.settings.idp.find(self.server_url, self.runtime, self.credential)
        idp = self.settings.idp.at(at_idp, self.server_url, self.runtime, self.credential)
        form = ask_idp_form(
            subject,
            issuer=self.settings.audience or found.issuer or str(found.url),
            resource=resource_of(self.settings.resource, found, self.server_url) or str(self.server_url),
            scopes=self.settings.scopes,
        )
        response = await idp.request(form, wanted_type=TOKEN_TYPE)
        if response.issued_token_type != ID_JAG:
            raise CredentialUnreachable(
                f"token endpoint {idp.url}: it issued {response.issued_token_type!r:.100}, and no ID-JAG",
                credential=self.credential,
                endpoint=self.endpoint,
                fix="see whether the IdP has enterprise-managed authorization (cross-app access) turned on",
            )
        return response.access_token
