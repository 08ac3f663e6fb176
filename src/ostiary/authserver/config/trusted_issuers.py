"""Whose assertions are taken, and for what: the entries of `trusted_issuers:`."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from ostiary.identity.inbound import Issuer, KeyEdge
from ostiary.oauth.canonical_url import canonical_url
from ostiary.settings import Duration


class TrustedUse(StrEnum):
    """What an issuer's assertions are taken for."""

    ID_JAG = "id_jag"
    """A company's IdP vouches for its user: jwt-bearer grant."""
    WORKLOAD = "workload"
    """A platform vouches for a workload, which then is a client."""
    SUBJECT_TOKEN = "subject_token"  # noqa: S105 - a word
    """Its access tokens are exchanged for ours: RFC 8693."""


class TrustedIssuer(KeyEdge):
    """One issuer whose assertions are taken."""

    issuer: Issuer
    """The issuer, letter for letter."""
    use: Annotated[list[TrustedUse], Field(min_length=1)]
    """What for: id_jag, workload, subject_token."""
    audience: str | None = None
    """What an assertion names as its audience. Default: our issuer; for a subject_token, a resource."""
    subjects: dict[str, Annotated[str, StringConstraints(min_length=1)]] = {}
    """workload: subject (`*` at the end or for one part) → client_id of the client that it is."""
    clients: list[str] | None = None
    """The clients that may bring its assertions. Default: all that may use the grant."""
    max_age: Duration = timedelta(minutes=5)
    """id_jag: how old an assertion may be."""
    allow_may_act: bool = False
    """subject_token: a token's own `may_act` claim lets its actor act."""
    allowed_actors: list[str] = []
    """subject_token: clients that may act for any of its subjects."""
    required_typ: str | None = None
    """subject_token: the `typ` that its access tokens have, where it sets one."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        self.refuse_clear_text(self.jwks_url or canonical_url(self.issuer))
        if (TrustedUse.WORKLOAD in self.use) != bool(self.subjects):
            raise ValueError("use: [workload] and subjects go together: say which subject is which client")
        if (self.allow_may_act or self.allowed_actors) and TrustedUse.SUBJECT_TOKEN not in self.use:
            raise ValueError("allow_may_act and allowed_actors are for use: [subject_token]")
        return self
