"""What we send: how to get, keep and attach the token that one server wants.

    Credential        one of the kinds below, or a list of them
    CredentialError   the root of everything they raise

A kind is its own configuration model, one file or one folder a kind, and `attach` makes of it the headers of
one server:

    aws                  AwsSigV4: AWS's signature on each request, by web identity
    bearer               Bearer: a fixed bearer token
    client_credentials   ClientCredentials: a token from an OAuth issuer, for ourselves
    google               GoogleAccessToken, for Google's APIs; GoogleIdToken, for Cloud Run
    header               Header: a fixed header
    id_jag               IdJag: a token by the word of the company's IdP
    none                 NoCredential: nothing
    oauth_user           OAuthUser: a person's own token, who signs in with `ostiary login`
    token_exchange       TokenExchange: a token for another one
    upstream_token       UpstreamToken: the caller's own token at an identity provider
    workload_jwt         WorkloadJwt: the platform's JWT in a file, or what an issuer gives for it

    single_credential   one of them, told apart by `type`
    chain               several of them on one request
    credential          the one or the other
    subject             whose token is exchanged

What stands behind the kinds, and knows none of them:

    headers   the headers of each request, and what a refusal means
    tokens    one fetch however many wait; renewed ahead of expiry
    issuer    how an OAuth issuer is asked
    vault     where a person's tokens are kept between commands
    browser   how a person is shown a page
    runtime   what all credentials of a process share
    error     what can go wrong

and before them:

    adapters   credentials on the requests of HTTP libraries
    blocking   the same without an event loop
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ostiary.credentials.chain import Chain
from ostiary.credentials.credential import Credential
from ostiary.credentials.error import CredentialError
from ostiary.credentials.headers.headers import ServerRefusal
from ostiary.credentials.single_credential import KINDS, SingleCredential

if TYPE_CHECKING:
    from ostiary.credentials.aws.credential import AwsSigV4
    from ostiary.credentials.bearer import Bearer
    from ostiary.credentials.client_credentials.credential import ClientCredentials
    from ostiary.credentials.google.access_token import GoogleAccessToken
    from ostiary.credentials.google.id_token import GoogleIdToken
    from ostiary.credentials.header import Header
    from ostiary.credentials.id_jag import IdJag
    from ostiary.credentials.none import NoCredential
    from ostiary.credentials.oauth_user.credential import OAuthUser
    from ostiary.credentials.token_exchange import TokenExchange
    from ostiary.credentials.upstream_token.credential import UpstreamToken
    from ostiary.credentials.workload_jwt.credential import WorkloadJwt

__all__ = [
    "AwsSigV4",
    "Bearer",
    "Chain",
    "ClientCredentials",
    "Credential",
    "CredentialError",
    "GoogleAccessToken",
    "GoogleIdToken",
    "Header",
    "IdJag",
    "NoCredential",
    "OAuthUser",
    "ServerRefusal",
    "SingleCredential",
    "TokenExchange",
    "UpstreamToken",
    "WorkloadJwt",
]


def __getattr__(name: str) -> Any:
    """A kind, imported when it is first named: each brings its own libraries, and most programs use one."""
    for kind in KINDS.values():
        if kind.model == name:
            return kind.load()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
