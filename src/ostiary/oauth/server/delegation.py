"""Who acts for whom, and who may: `act` and `may_act`. RFC 8693 sections 4.1 and 4.4.

A token that says "client X for person P" needs somebody's consent to it. There are two, and no third: the
issuer of the person's token put the actor's name in it (`may_act`, where the operator trusts that issuer so
far), or the operator listed the actor.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from ostiary.oauth.server.errors import InvalidRequest

_NAMES = frozenset({"iss", "sub", "client_id"})
"""What names an actor."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. issuer and subject name it for everybody; client_id is the client of ours that asked."""

    issuer: str
    subject: str
    client_id: str | None = None

    @property
    def names(self) -> frozenset[str]:
        """What stands for it in a list: our client's id, or `issuer#subject`; an issuer has no fragment."""
        whole = f"{self.issuer}#{self.subject}"
        return frozenset({whole} if self.client_id is None else {whole, self.client_id})

    @property
    def claims(self) -> dict[str, str]:
        """As `act` says it."""
        named = {"iss": self.issuer, "sub": self.subject, "client_id": self.client_id}
        return {name: value for name, value in named.items() if value is not None}


def permit_delegation(
    subject_claims: Mapping[str, Any],
    actor: Actor,
    *,
    allow_may_act: bool,
    allowed_actors: Collection[str],
) -> None:
    """Raise InvalidRequest (section 2.2.2) unless somebody agreed that the actor acts for the subject."""
    if not actor.names.isdisjoint(allowed_actors):
        return
    if allow_may_act and may_act(subject_claims, actor):
        return
    raise InvalidRequest(
        "nobody agreed that this actor may act for the subject: the subject token's may_act must name it, "
        "or the operator must list it",
        detail=f"actor {sorted(actor.names)!r:.300}, may_act {'is read' if allow_may_act else 'is not read'}",
    )


def may_act(claims: Mapping[str, Any], actor: Actor) -> bool:
    """Whether a subject token names this actor. A `sub` without `iss` is one of the token's own issuer.

    A member that is no name of the actor's is a condition that we can't check, so it is not met.
    """
    named = claims.get("may_act")
    if not isinstance(named, dict) or named.keys() <= {"iss"}:
        return False
    wanted = {"iss": claims.get("iss"), **named} if "sub" in named else named
    return all(isinstance(value, str) and actor.claims.get(name) == value for name, value in wanted.items())


def nested_act(
    actor: Mapping[str, Any], previous: object | None = None, *, max_depth: int = 10, max_bytes: int = 8192
) -> dict[str, Any]:
    """The `act` of a new token: the actor, and inside it who acted before, as the subject token said.

    Raises InvalidRequest when what is inside is malformed, or the chain too long for a header.
    """
    chain = [dict(actor)]
    while previous is not None:
        if len(chain) == max_depth:
            raise InvalidRequest(f"the subject token went through more than {max_depth} actors")
        link = _checked(previous)
        chain.append({name: value for name, value in link.items() if name != "act"})
        previous = link.get("act")
    act = chain.pop()
    while chain:
        act = {**chain.pop(), "act": act}
    if len(msgspec.json.encode(act)) > max_bytes:
        raise InvalidRequest(f"the actors in the subject token's act take more than {max_bytes} bytes")
    return act


def _checked(link: object) -> dict[str, Any]:
    """One actor of a chain, which may have any claims besides those that name it."""
    if (
        isinstance(link, dict)
        and link.get("sub")
        and all(isinstance(link.get(name, ""), str) for name in _NAMES)
    ):
        return link
    raise InvalidRequest("the subject token's act is not a JSON object that names an actor by its sub")
