"""How a server is convinced: by one credential, or several."""

from __future__ import annotations

from typing import Annotated

from pydantic import Discriminator, Tag

from ostiary.credentials.chain import Chain
from ostiary.credentials.single_credential import SingleCredential

Credential = Annotated[
    Annotated[SingleCredential, Tag("one")] | Annotated[Chain, Tag("chain")],
    Discriminator(lambda written: "chain" if isinstance(written, list | tuple | Chain) else "one"),
]
"""How a server is convinced: one credential, or a list of them, all on one request."""


def as_one(credential: Credential | list[SingleCredential] | tuple[SingleCredential, ...]) -> Credential:
    """A list of credentials as a chain; one as it is."""
    return Chain(tuple(credential)) if isinstance(credential, list | tuple) else credential
