"""What we send: how to get, keep and attach the token that one server wants.

    Credential         one of the kinds below, or a list of them
    SingleCredential   one of them, told apart by `type`
    AwsSigV4           aws_sigv4            AWS's signature on each request, by web identity
    Bearer             bearer               a fixed bearer token
    ClientCredentials  client_credentials   a token from an OAuth issuer, for ourselves
    GoogleAccessToken  google_access_token  a Google access token, for Google's APIs
    GoogleIdToken      google_id_token      a Google ID token, for Cloud Run
    Header             header               a fixed header
    IdJag              id_jag               a token by the word of the company's IdP
    NoCredential       none                 nothing
    OAuthUser          oauth_user           a person's own token, who signs in with `ostiary login`
    TokenExchange      token_exchange       a token for another one
    WorkloadJwt        workload_jwt         the platform's JWT in a file, or what an issuer gives for it

    Chain              several of them on one request
    CredentialError    the root of everything they raise

A kind is its own configuration model, one file a kind, and `attach` makes of it the headers of one server.
What stands behind the kinds:

    attached/   the headers of each request, and what a refusal means
    tokens/     one fetch however many wait; renewed ahead of expiry
    issuer/     how an OAuth issuer is asked
    google/     how Google is asked
    aws/        how AWS is called
    person/     a person signs in
    adapters/   credentials on the requests of HTTP libraries
    blocking    the same without an event loop
    runtime     what all credentials of a process share
"""

from __future__ import annotations

from ostiary.credentials.aws.credential import AwsSigV4
from ostiary.credentials.bearer import Bearer
from ostiary.credentials.chain import Chain
from ostiary.credentials.client_credentials.credential import ClientCredentials
from ostiary.credentials.credential import Credential
from ostiary.credentials.error import CredentialError
from ostiary.credentials.google.access_token import GoogleAccessToken
from ostiary.credentials.google.id_token import GoogleIdToken
from ostiary.credentials.header import Header
from ostiary.credentials.id_jag import IdJag
from ostiary.credentials.none import NoCredential
from ostiary.credentials.oauth_user.credential import OAuthUser
from ostiary.credentials.single_credential import SingleCredential
from ostiary.credentials.token_exchange import TokenExchange
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
    "SingleCredential",
    "TokenExchange",
    "WorkloadJwt",
]
