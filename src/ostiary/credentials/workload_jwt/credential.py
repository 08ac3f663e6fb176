"""A workload's own JWT, such as a projected Kubernetes service account token.

bearer             sent to the server as it is
client_assertion   shown to a token endpoint as the client's proof of itself   RFC 7523 section 2.2
jwt_bearer         shown to a token endpoint as the grant                      RFC 7523 section 2.1
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import model_validator

from ostiary.credentials.error import CredentialMisconfigured
from ostiary.credentials.headers.token_headers import TokenHeaders
from ostiary.credentials.issuer.client_settings import ResourceUri, Scope
from ostiary.credentials.issuer.settings import IssuerSettings, Named, resource_of
from ostiary.credentials.issuer.token_endpoint import token_of
from ostiary.credentials.tokens.cache import TokenKey
from ostiary.credentials.tokens.settings_key import key_of
from ostiary.credentials.workload_jwt.headers import JwtFileHeaders
from ostiary.credentials.workload_jwt.jwt_file import JwtFile, Whose
from ostiary.oauth.client.jwt_bearer import client_assertion_form, jwt_bearer_form
from ostiary.oauth.jwt_parts import is_for
from ostiary.settings import ConfiguredPath

if TYPE_CHECKING:
    from collections.abc import Hashable

    from ostiary.credentials.headers.headers import CredentialHeaders
    from ostiary.credentials.issuer.discovery import FoundEndpoint
    from ostiary.credentials.runtime import Runtime
    from ostiary.credentials.tokens.token import Token
    from ostiary.oauth.canonical_url import CanonicalUrl


class WorkloadJwt(IssuerSettings):
    """Send a JWT that the platform keeps in a file, or what it can be exchanged for."""

    type: Literal["workload_jwt"] = "workload_jwt"
    """The kind of credential."""
    file: ConfiguredPath
    """The file with the JWT. It is read again when it changes."""
    use: Literal["bearer", "client_assertion", "jwt_bearer"] = "bearer"
    """What is done with it: sent to the server as it is, or shown to a token endpoint as the client's proof
    or as the grant."""
    scopes: tuple[Scope, ...] = ()
    """The scopes to ask the issuer for."""
    resource: ResourceUri | Literal[False] | None = None
    """The server that the issuer's token is for (RFC 8707); false names none.
    Default: what the server calls itself, else its URL."""
    audience: Named | None = None
    """Whom the token is for, for issuers that want to hear it so."""

    @model_validator(mode="after")
    def _use_and_settings_agree(self) -> Self:
        if self.use == "bearer":
            set_in_vain = sorted(self.model_fields_set - {"type", "file", "use"})
            if set_in_vain:
                raise ValueError(
                    f"use: bearer sends the JWT as it is and asks no issuer, so {' and '.join(set_in_vain)} "
                    "would not be used: leave it out, or set use"
                )
        if self.use == "client_assertion" and self.method != "none":
            raise ValueError("with use: client_assertion the JWT is the client's proof: leave the other out")
        return self

    def attach(self, server_url: CanonicalUrl, *, runtime: Runtime) -> CredentialHeaders:
        """What a server at this URL is sent."""
        file = JwtFile(self.file, clock=runtime.clock, whose=Whose(self.type, server_url.origin))
        if self.use == "bearer":
            return JwtFileHeaders(file)
        source = WorkloadTokenSource(self, file, server_url, runtime)
        return TokenHeaders(source, key=TokenKey(server_url, key_of(self)), cache=runtime.tokens)


@dataclass(frozen=True, slots=True)
class WorkloadTokenSource:
    """Access tokens of an issuer that knows the workload by its JWT."""

    settings: WorkloadJwt
    file: JwtFile
    server_url: CanonicalUrl
    runtime: Runtime
    credential: ClassVar[str] = "workload_jwt"

    @property
    def endpoint(self) -> str:
        """The server that the tokens are for."""
        return self.server_url.origin

    async def fetch(self) -> Token:
        """Ask the issuer. Raises CredentialError."""
        settings = self.settings
        assertion = self.file.newest().value.reveal()
        found = await settings.find(self.server_url, self.runtime, self.credential)
        self._require_that_it_may_be_shown(assertion, found)
        write = client_assertion_form if settings.use == "client_assertion" else jwt_bearer_form
        form = write(
            assertion,
            scopes=settings.scopes,
            resource=resource_of(settings.resource, found, self.server_url),
            audience=settings.audience,
        )
        issuer = settings.at(found, self.server_url, self.runtime, self.credential)
        return token_of(await issuer.request(form), now=self.runtime.clock())

    def version(self) -> Hashable:
        """As the file and the client's secrets are now."""
        return self.file.version(), self.settings.version()

    def _require_that_it_may_be_shown(self, assertion: str, found: FoundEndpoint) -> None:
        """A server may name any issuer, and that one any endpoint: the JWT has to be for the issuer."""
        if not self.settings.is_addressed and not is_for(assertion, frozenset({str(found.issuer)})):
            raise CredentialMisconfigured(
                f"the server names the issuer {found.issuer}, for whom the JWT is not",
                credential=self.credential,
                endpoint=self.endpoint,
                fix="set issuer if it may have the JWT, or have the JWT made for it",
            )
