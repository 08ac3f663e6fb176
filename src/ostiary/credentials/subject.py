"""Whose token is exchanged: the caller's own, or that of another credential. RFC 8693 section 1.1."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Discriminator, Tag

from ostiary.credentials.headers.headers import OutgoingRequest
from ostiary.credentials.headers.per_subject import HeadersOfSubject
from ostiary.credentials.headers.subject_token_source import (
    CallersToken,
    CredentialsToken,
    SubjectTokenSource,
)
from ostiary.oauth.client.token_exchange import token_type_uri
from ostiary.settings import ByType, OnUse

if TYPE_CHECKING:
    from ostiary.credentials.headers.headers import CredentialHeaders
    from ostiary.credentials.runtime import Runtime
    from ostiary.identity.principal import Principal
    from ostiary.oauth.canonical_url import CanonicalUrl

TOKEN_KINDS: Mapping[str, OnUse] = {
    "bearer": OnUse("ostiary.credentials.bearer", "Bearer"),
    "client_credentials": OnUse("ostiary.credentials.client_credentials.credential", "ClientCredentials"),
    "google_access_token": OnUse("ostiary.credentials.google.access_token", "GoogleAccessToken"),
    "google_id_token": OnUse("ostiary.credentials.google.id_token", "GoogleIdToken"),
    "workload_jwt": OnUse("ostiary.credentials.workload_jwt.credential", "WorkloadJwt"),
}

PERSONS_KINDS: Mapping[str, OnUse] = {
    **TOKEN_KINDS,
    "oauth_user": OnUse("ostiary.credentials.oauth_user.credential", "OAuthUser"),
}

if TYPE_CHECKING:
    from ostiary.credentials.bearer import Bearer
    from ostiary.credentials.client_credentials.credential import ClientCredentials
    from ostiary.credentials.google.access_token import GoogleAccessToken
    from ostiary.credentials.google.id_token import GoogleIdToken
    from ostiary.credentials.oauth_user.credential import OAuthUser
    from ostiary.credentials.workload_jwt.credential import WorkloadJwt

    TokenCredential = Bearer | ClientCredentials | GoogleAccessToken | GoogleIdToken | WorkloadJwt
    PersonsCredential = TokenCredential | OAuthUser
else:
    TokenCredential = Annotated[Any, ByType(TOKEN_KINDS)]
    PersonsCredential = Annotated[Any, ByType(PERSONS_KINDS)]
"""The kinds that have one token, which can be shown to somebody else; the second may be a person's."""


def _which(written: Any) -> str:
    return "inbound" if isinstance(written, str) else "credential"


Subject = Annotated[
    Annotated[Literal["inbound"], Tag("inbound")] | Annotated[TokenCredential, Tag("credential")],
    Discriminator(_which),
]
"""`inbound`: the caller, by the token that it came with; or a credential: whom that one's token speaks of."""
PersonsSubject = Annotated[
    Annotated[Literal["inbound"], Tag("inbound")] | Annotated[PersonsCredential, Tag("credential")],
    Discriminator(_which),
]
"""The same, where a person may sign in."""

Make = Callable[[SubjectTokenSource, Hashable], "CredentialHeaders"]
"""Headers for a subject; the second is what tells its tokens from those of other subjects."""


def headers_for(
    subject: PersonsSubject,
    make: Make,
    *,
    token_type: str | None,
    shown_to: CanonicalUrl,
    credential: str,
    endpoint: str,
    runtime: Runtime,
) -> CredentialHeaders:
    """The headers of each caller, or those of the one subject that a credential names.

    shown_to: who reads the subject's token, as far as that is known; credential, endpoint: for errors.
    """
    if subject != "inbound":
        token = token_of_credential(subject, shown_to, role="subject", token_type=token_type, runtime=runtime)
        return make(token, None)

    def make_for(principal: Principal, key: Hashable) -> CredentialHeaders:
        return make(CallersToken(principal, token_type_uri(token_type or "access_token")), key)

    return HeadersOfSubject(make_for, credential=credential, endpoint=endpoint, most=runtime.most_tokens)


def token_of_credential(
    credential: PersonsCredential, at: CanonicalUrl, *, role: str, token_type: str | None, runtime: Runtime
) -> CredentialsToken:
    """Another credential's token, to be presented at this URL."""
    headers = credential.attach(at, runtime=runtime)
    kind = token_type_uri(token_type or _type_of(credential))
    return CredentialsToken(headers, OutgoingRequest("POST", at), kind, role, credential.type)


def _type_of(credential: PersonsCredential) -> str:
    if credential.type == "google_id_token":
        return "id_token"
    if credential.type == "workload_jwt" and credential.use == "bearer":
        return "jwt"
    return "access_token"
