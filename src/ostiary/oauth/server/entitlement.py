"""Which workload may have which upstream token of a person. One rule, and no part of it is a guess.

    the token       one of ours, alive: it says for whom, for which client, at which resource
    the workload    its certificate says which owner it is
    the owner       the resource's entry names it, and so does the session that the token is of
    the server      one that the entry knows behind this owner
    the provider    one that the entry lets this server have

They are asked in this order, and nobody hears which of the last ones failed before the owner is proven: what
is left is told to the log alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ostiary.oauth.server.errors import InvalidGrant, InvalidRequest, InvalidTarget


class NoEntitlement(StrEnum):
    """Why not, in a word that does not change between releases: for the audit, never for the caller."""

    UNKNOWN_RESOURCE = "unknown_resource"
    """No entry of `resources` covers the token's audience any more."""
    OTHER_OWNER = "other_owner"
    """The token's resource belongs to another workload."""
    NO_SESSION = "no_session"
    """Its session ended, or never was."""
    SESSION_OF_OTHER_OWNER = "session_of_other_owner"
    """Its session was made for another workload, or for an earlier object of the same name."""
    SESSION_OF_OTHERS = "session_of_others"
    """Its session is another person's, another client's, or for another resource."""
    IDP_NOT_ALLOWED = "idp_not_allowed"
    """The server may not have this provider's tokens."""
    NOT_DELEGATED = "not_delegated"
    """A client that acts for its person without a session, and may not use their account meanwhile."""


class NotEntitled(InvalidGrant):
    """One text for all: whether a session exists, and whose it is, shows in nothing."""

    def __init__(self, reason: NoEntitlement) -> None:
        super().__init__(
            "the subject_token opens no such account for this workload: its session ended, or belongs to "
            "another workload, or the resource's entry does not let it have this provider's tokens",
            detail=reason.value,
        )
        self.reason = reason


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """What a verified access token says. audience: canonical."""

    subject: str
    client_id: str
    audience: str


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What is stored of a live session."""

    subject: str
    client_id: str
    resource: str
    owner: str
    """As it was when the session was made: with the object's uid, where there is one."""


@dataclass(frozen=True, slots=True)
class ResourceFacts:
    """What the configuration says of a resource now."""

    owner: str
    """As a certificate names it: `namespace/name`."""
    owner_identity: str
    """The same with the object's uid, where there is one."""
    idps: Collection[str]
    servers: Mapping[str, Collection[str]] = field(default_factory=dict)
    """MCP servers behind the owner, and the providers whose tokens each may have. Without any, the resource
    is the one server there is."""


def require_owner(workload: str, resource: ResourceFacts | None) -> ResourceFacts:
    """The resource, if it is there and the workload, `namespace/name`, owns it. Raises NotEntitled."""
    if resource is None:
        raise NotEntitled(NoEntitlement.UNKNOWN_RESOURCE)
    if resource.owner != workload:
        raise NotEntitled(NoEntitlement.OTHER_OWNER)
    return resource


def require_session(token: TokenFacts, session: SessionFacts | None, resource: ResourceFacts) -> None:
    """Raise NotEntitled unless the session is the token's, and of the resource's owner.

    session: None for one that ended, or was never there.
    """
    if session is None:
        raise NotEntitled(NoEntitlement.NO_SESSION)
    if session.owner != resource.owner_identity:
        raise NotEntitled(NoEntitlement.SESSION_OF_OTHER_OWNER)
    said = (token.subject, token.client_id, token.audience)
    if said != (session.subject, session.client_id, session.resource):
        raise NotEntitled(NoEntitlement.SESSION_OF_OTHERS)


def choose_idp(resource: ResourceFacts, token: TokenFacts, *, server: str | None, idp: str | None) -> str:
    """The provider whose token the server gets, for a workload that owns the resource.

    server: as the request's `resource` names it; idp: as its `audience` does. Raises InvalidTarget for a
    server that the entry does not know, InvalidRequest when several providers could be meant, NotEntitled.
    """
    if resource.servers:
        if server is None:
            raise InvalidTarget("name the MCP server that the token is for, as `resource`")
        if server not in resource.servers:
            raise InvalidTarget(f"the resource's entry has no server {server!r:.100} in `servers`")
        allowed = resource.servers[server]
    else:
        if server not in {None, token.audience}:
            raise InvalidTarget(
                f"the resource's entry has no `servers`; write {{{server!r:.100}: [IDP]}} there"
            )
        allowed = resource.idps
    if idp is None:
        if len(allowed) != 1:
            raise InvalidRequest("name the identity provider whose token is wanted, as `audience`")
        return next(iter(allowed))
    if idp not in allowed:
        raise NotEntitled(NoEntitlement.IDP_NOT_ALLOWED)
    return idp
