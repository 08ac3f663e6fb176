"""Who is shown what a client proves itself with: whom the configuration names, never whom a server names.

An issuer that only the server names may be in league with it. It may see what is worth nothing elsewhere:
the client's name, its certificate, a statement for that very issuer, which describes itself at its own
address and so can't be another by name. The rest is for whom the configuration names:

    a shared secret                    good wherever the client is known
    somebody's token, an ID-JAG        good wherever it was made for
    a statement for a token endpoint   for whatever address such an issuer's metadata names
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import ValidationInfo, model_validator

from ostiary.credentials.error import CredentialMisconfigured
from ostiary.credentials.issuer.client_settings import ClientSettings, Issuer
from ostiary.credentials.issuer.discovery import find_token_endpoint
from ostiary.settings import UNNAMED_ISSUERS

if TYPE_CHECKING:
    from ostiary.credentials.issuer.context import IssuerContext
    from ostiary.oauth.canonical_url import CanonicalUrl


class AddressedClient(ClientSettings):
    """An OAuth client, and whom it shows itself to."""

    issuer: Issuer | None = None
    """The issuer, letter for letter as it names itself. Default: the first of those that the server names;
    a client_secret goes to none that only a server names."""

    @property
    def is_addressed(self) -> bool:
        """Whether the configuration says who is asked for tokens."""
        return self.issuer is not None

    @property
    def for_the_addressee_alone(self) -> str | None:
        """What whoever is asked could use elsewhere; None for nothing."""
        if self.client_secret is not None:
            return "client_secret"
        if self.private_key is not None and self.assertion_audience == "endpoint":
            return "a statement for a token endpoint"
        return None

    @model_validator(mode="after")
    def _is_addressed_where_it_must_be(self, info: ValidationInfo) -> Self:
        shown = self.for_the_addressee_alone
        if shown is None or self.is_addressed or (info.context or {}).get(UNNAMED_ISSUERS):
            return self
        others = " or token_url" if "token_url" in type(self).model_fields else ""
        raise ValueError(
            f"set issuer{others}: whoever is asked for tokens gets {shown}, and the server does not choose "
            "who that is; `ostiary doctor` says which line to add"
        )

    async def require_addressee(
        self, server_url: CanonicalUrl, context: IssuerContext, credential: str
    ) -> None:
        """Raise CredentialError, with the line to add, where the server alone says who would be asked."""
        shown = self.for_the_addressee_alone
        if shown is None or self.is_addressed:
            return
        found = await find_token_endpoint(
            token_url=None,
            issuer=None,
            server_url=server_url,
            discoveries=context.discoveries,
            reach=self.reach,
            credential=credential,
        )
        raise CredentialMisconfigured(
            f"the server names the issuer {found.issuer}, and does not choose who gets {shown}",
            credential=credential,
            endpoint=server_url.origin,
            fix=f"if that is who may have it, add to the credential the line `issuer: {found.issuer}`",
        )
