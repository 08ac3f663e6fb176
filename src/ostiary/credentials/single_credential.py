"""One way to convince a server: the kinds, told apart by their `type`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from ostiary.credentials.subject import PERSONS_KINDS
from ostiary.settings import ByType, OnUse

KINDS: Mapping[str, OnUse] = dict(
    sorted(
        {
            **PERSONS_KINDS,
            "aws_sigv4": OnUse("ostiary.credentials.aws.credential", "AwsSigV4"),
            "header": OnUse("ostiary.credentials.header", "Header"),
            "id_jag": OnUse("ostiary.credentials.id_jag", "IdJag"),
            "none": OnUse("ostiary.credentials.none", "NoCredential"),
            "token_exchange": OnUse("ostiary.credentials.token_exchange", "TokenExchange"),
            "upstream_token": OnUse("ostiary.credentials.upstream_token.credential", "UpstreamToken"),
        }.items()
    )
)
"""Each kind by its `type`. One is imported when it is used: most processes use one or two."""

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

    SingleCredential = (
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
        | UpstreamToken
        | WorkloadJwt
    )
else:
    SingleCredential = Annotated[Any, ByType(KINDS)]
"""One way to convince a server. Its `type` says which kind."""
