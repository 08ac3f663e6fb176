"""Several credentials on one request, such as Cloud Run's way in and the OAuth of the server behind it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import ConfigDict, Field, RootModel, model_validator

from ostiary.credentials.headers.chained import ChainHeaders
from ostiary.credentials.single_credential import SingleCredential

if TYPE_CHECKING:
    from ostiary.credentials.runtime import Runtime
    from ostiary.oauth.canonical_url import CanonicalUrl


class Chain(RootModel[Annotated[tuple[SingleCredential, ...], Field(min_length=1)]]):
    """A list of credentials, all on one request. No two may set the same header."""

    model_config = ConfigDict(frozen=True)

    @property
    def type(self) -> str:
        """The kinds in it, for people."""
        return " + ".join(credential.type for credential in self.root)

    @model_validator(mode="after")
    def _each_header_is_set_once(self) -> Self:
        counted = Counter(name for credential in self.root for name in header_names(credential))
        for name in (name for name, times in counted.items() if times > 1):
            kinds = [credential.type for credential in self.root if name in header_names(credential)]
            way_out = ": leave out all but one"
            if "google_id_token" in kinds and name == "authorization":
                way_out = ": set header: x-serverless-authorization for google_id_token"
            raise ValueError(f"{' and '.join(kinds)} both set the header {name}{way_out}")
        return self

    def attach(self, server_url: CanonicalUrl, *, runtime: Runtime) -> ChainHeaders:
        """What a server at this URL is sent."""
        return ChainHeaders(
            [
                (credential.attach(server_url, runtime=runtime), header_names(credential))
                for credential in self.root
            ]
        )


def header_names(credential: SingleCredential) -> frozenset[str]:
    """The headers that a credential may set, in lower case."""
    match credential.type:
        case "none":
            return frozenset()
        case "header":
            return frozenset([credential.name.lower()])
        case "google_id_token":
            return frozenset([credential.header])
        case "client_credentials":
            return frozenset(["authorization", "dpop"])
        case "aws_sigv4":
            return frozenset(["authorization", "x-amz-date", "x-amz-security-token"])
    return frozenset(["authorization"])
