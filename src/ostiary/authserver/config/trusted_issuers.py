"""Whose assertions are taken, and for what: the entries of `trusted_issuers:`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from ostiary.identity.inbound_settings import Issuer, KeyEdge, ScopeToken
from ostiary.oauth.canonical_url import CanonicalUrl, canonical_url
from ostiary.oauth.server.resource import ResourcePattern
from ostiary.oauth.server.trusted_subject import check_pattern
from ostiary.settings import Duration, Switch


class TrustedUse(StrEnum):
    """What an issuer's assertions are taken for."""

    ID_JAG = "id_jag"
    """A company's IdP vouches for its user: jwt-bearer grant."""
    WORKLOAD = "workload"
    """A platform vouches for a workload, which then is a client."""
    SUBJECT_TOKEN = "subject_token"  # noqa: S105 - a word
    """Its access tokens are exchanged for ours: RFC 8693."""


_ID_JAG, _WORKLOAD, _SUBJECT_TOKEN = TrustedUse.ID_JAG, TrustedUse.WORKLOAD, TrustedUse.SUBJECT_TOKEN
_ONLY_FOR: Mapping[str, Collection[TrustedUse]] = {
    "subjects": [_WORKLOAD],
    "max_age": [_ID_JAG],
    "resources": [_ID_JAG, _SUBJECT_TOKEN],
    "subject_claim": [_ID_JAG, _SUBJECT_TOKEN],
    "claims": [_ID_JAG, _SUBJECT_TOKEN],
    "scopes": [_SUBJECT_TOKEN],
    "allow_may_act": [_SUBJECT_TOKEN],
    "allowed_actors": [_SUBJECT_TOKEN],
    "required_typ": [_SUBJECT_TOKEN],
}
"""A setting that nothing would read is a mistake."""
_URI = re.compile(r"[a-z][a-z0-9+.-]*:[\x21-\x7e]+", re.IGNORECASE)

Text = Annotated[str, StringConstraints(min_length=1, max_length=255)]


def _is_a_pattern(text: str) -> str:
    ResourcePattern.parse(text)
    return text


class TrustedIssuer(KeyEdge):
    """One issuer whose assertions are taken."""

    issuer: Issuer
    """The issuer, letter for letter."""
    use: Annotated[list[TrustedUse], Field(min_length=1)]
    """What for: id_jag, workload, subject_token."""
    audience: str | None = None
    """What an assertion names as its audience. Default: our issuer; for a subject_token, any resource of
    `resources`. Never a client's id: that is what ID tokens name."""
    subjects: dict[str, Annotated[str, StringConstraints(min_length=1)]] = {}
    """workload: subject (`*` at the end or for one part) → client_id of the client that it is."""
    clients: list[Text] | None = None
    """The clients that may bring its assertions. Default: all that may use the grant."""
    resources: Annotated[list[Annotated[str, AfterValidator(_is_a_pattern)]], Field(min_length=1)] | None = (
        None
    )
    """id_jag, subject_token: what it may let people into. Default: every resource. To be named where several
    companies share this server."""
    subject_claim: Text = "sub"
    """id_jag, subject_token: the claim that names a person, with the value that sign-in knows them by."""
    claims: dict[Text, Text] = {}
    """id_jag, subject_token: what is taken from its assertions: the name that policies and tokens know it
    under → the claim."""
    max_age: Duration = timedelta(minutes=5)
    """id_jag: how old an assertion may be."""
    scopes: list[ScopeToken] | None = None
    """subject_token: the scopes that any of its tokens is worth here. Default: those that the token has."""
    allow_may_act: Switch = False
    """subject_token: a token's own `may_act` claim lets its actor act. Needs `clients`."""
    allowed_actors: list[Text] = []
    """subject_token: who may act for any of its subjects: a client_id, or a workload as `issuer#subject`."""
    required_typ: Text | None = None
    """subject_token: the `typ` that its access tokens have, where it sets one."""

    @property
    def patterns(self) -> list[ResourcePattern] | None:
        """`resources`, read; None for all."""
        return None if self.resources is None else [ResourcePattern.parse(one) for one in self.resources]

    def may_open(self, resource: CanonicalUrl) -> bool:
        """Whether its word counts for this resource."""
        patterns = self.patterns
        return patterns is None or any(pattern.covers(resource) for pattern in patterns)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        self.refuse_swapped_keys(self.jwks_url or canonical_url(self.issuer))
        for name in sorted(self.model_fields_set & _ONLY_FOR.keys()):
            if not set(_ONLY_FOR[name]) & set(self.use):
                raise ValueError(f"{name} is for use: [{', '.join(_ONLY_FOR[name])}]")
        if TrustedUse.WORKLOAD in self.use and not self.subjects:
            raise ValueError("use: [workload] needs subjects: say which subject is which client")
        for pattern in self.subjects:
            check_pattern(pattern)
        if TrustedUse.SUBJECT_TOKEN in self.use:
            self._exchanges_with_consent()
        return self

    def _exchanges_with_consent(self) -> None:
        """RFC 8693 leaves open who may act for whom; here somebody has to have said so."""
        if not self.allow_may_act and not self.allowed_actors:
            raise ValueError(
                "use: [subject_token] needs allowed_actors or allow_may_act: say who may act for its subjects"
            )
        if any("*" in actor for actor in self.allowed_actors):
            raise ValueError("allowed_actors has no wildcard: name each actor")
        if self.allow_may_act and self.clients is None:
            raise ValueError("allow_may_act needs clients: say which clients its tokens may let act")
        if self.audience is None:
            return
        if _URI.fullmatch(self.audience) is None or self.audience in (self.clients or ()):
            raise ValueError(
                "the audience of a subject_token is a resource's URI, never a client's id, for that is what "
                "ID tokens name"
            )
        if len(set(self.use)) > 1:
            raise ValueError(
                "one audience for several uses would let an assertion be used for another one: "
                "write an entry for each use"
            )


def check_together(
    entries: Collection[TrustedIssuer], *, client_ids: Collection[str], subject_claims: Mapping[str, str]
) -> None:
    """Raise ValueError unless the entries fit one another and the rest of the configuration.

    subject_claims: by the issuers of identity providers, the claim that sign-in knows people by.
    """
    uses = [(entry.issuer, use) for entry in entries for use in entry.use]
    if twice := next((one for one in uses if uses.count(one) > 1), None):
        raise ValueError(f"trusted issuer {twice[0]} stands twice for use: [{twice[1]}]")
    for entry in entries:
        if TrustedUse.SUBJECT_TOKEN in entry.use and entry.audience in client_ids:
            raise ValueError(
                f"trusted issuer {entry.issuer} has the audience {entry.audience}, which is a client: "
                "its ID tokens would be taken for access tokens"
            )
        known_by = subject_claims.get(entry.issuer, entry.subject_claim)
        if set(entry.use) != {TrustedUse.WORKLOAD} and known_by != entry.subject_claim:
            raise ValueError(
                f"people of {entry.issuer} are known by {known_by} when they sign in and by "
                f"{entry.subject_claim} in its assertions: set subject_claim: {known_by} in trusted_issuers"
            )
