"""One way to convince a server: the kinds, told apart by their `type`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

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
from ostiary.credentials.workload_jwt.credential import WorkloadJwt

SingleCredential = Annotated[
    AwsSigV4
    | Bearer
    | ClientCredentials
    | GoogleAccessToken
    | GoogleIdToken
    | Header
    | IdJag
    | NoCredential
    | OAuthUser
    | TokenExchange
    | WorkloadJwt,
    Field(discriminator="type"),
]
"""One way to convince a server. Its `type` says which kind."""
