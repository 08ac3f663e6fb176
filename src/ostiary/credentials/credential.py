"""How a server is convinced: by one credential, or several."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from pydantic import Discriminator, Tag

from ostiary.credentials.chain import Chain
from ostiary.credentials.single_credential import SingleCredential

if TYPE_CHECKING:
    from ostiary.credentials.upstream_token.credential import UpstreamToken

Credential = Annotated[
    Annotated[SingleCredential, Tag("one")] | Annotated[Chain, Tag("chain")],
    Discriminator(lambda written: "chain" if isinstance(written, list | tuple | Chain) else "one"),
]
"""How a server is convinced: one credential, or a list of them, all on one request."""


def as_one(credential: Credential | list[SingleCredential] | tuple[SingleCredential, ...]) -> Credential:
    """A list of credentials as a chain; one as it is."""
    return Chain(tuple(credential)) if isinstance(credential, list | tuple) else credential


def acts_for_callers(credential: Credential) -> bool:
    """Whether what it sends says who calls, so that a server may answer one otherwise than another."""
    parts = credential.root if isinstance(credential, Chain) else (credential,)
    return any(getattr(part, "subject", None) == "inbound" for part in parts)


def upstream_tokens(credential: Credential) -> list[UpstreamToken]:
    """Those that are in it."""
    parts = credential.root if isinstance(credential, Chain) else (credential,)
    return [part for part in parts if part.type == "upstream_token"]


def with_upstream_tokens(
    credential: Credential, change: Callable[[UpstreamToken], UpstreamToken]
) -> Credential:
    """The same, with each of its upstream tokens changed."""

    def changed(part: SingleCredential) -> SingleCredential:
        return change(part) if part.type == "upstream_token" else part

    if isinstance(credential, Chain):
        return credential.model_copy(update={"root": tuple(map(changed, credential.root))})
    return changed(credential)
