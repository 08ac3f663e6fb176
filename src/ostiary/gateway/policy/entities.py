"""Who asks, and for what, as Cedar's entities."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ostiary.gateway.policy.access import Access, Kind
from ostiary.identity.principal import Principal
from ostiary.oauth.dotted_path import value_at

Entity = dict[str, Any]
GROUPS = "groups"
"""The claim that says in which groups somebody is."""
MOST_TEXTS = 2000
"""Of one claim."""


def principal_entity(
    principal: Principal | None, claims: Collection[str], scopes: Collection[str] | None = None
) -> Entity:
    """claims: those that policies read as tags; scopes: as if the token had these.

    None is whoever calls where nobody has to say who they are.
    """
    if principal is None:
        nobody = {"authenticated": False, "issuer": "", "subject": "", "scopes": [], "groups": []}
        return _entity("Principal", "", nobody)
    token = dict(principal.claims)
    groups = texts_of(value_at(token, GROUPS))
    attributes: dict[str, Any] = {
        "authenticated": True,
        "issuer": principal.issuer,
        "subject": principal.subject,
        "scopes": sorted(principal.scopes if scopes is None else scopes),
        "groups": groups,
    }
    if principal.client_id is not None:
        attributes["client"] = principal.client_id
    email = token.get("email")
    if isinstance(email, str) and token.get("email_verified") is True:
        attributes["email"] = email
    entity = _entity("Principal", f"{principal.issuer}#{principal.subject}", attributes)
    entity["parents"] = [{"type": "Group", "id": group} for group in dict.fromkeys(groups)]
    said = ((name, texts_of(value_at(token, name))) for name in claims)
    entity["tags"] = {name: texts for name, texts in said if texts}
    return entity


def thing_entity(access: Access) -> Entity:
    """What is asked for, and whose it is."""
    attributes: dict[str, Any] = {"server": access.server, "name": access.name}
    if access.kind is Kind.SERVER:
        attributes["name"] = access.server
    elif access.kind is Kind.TOOL:
        attributes |= access.hints.told()
    entity = _entity(access.kind, access.entity_id, attributes)
    if access.kind is not Kind.SERVER:
        entity["parents"] = [{"type": "Server", "id": access.server}]
    return entity


def texts_of(claim: Any) -> list[str]:
    """A claim as text; nothing for what is absent, or made of objects."""
    values = claim if isinstance(claim, list) else [claim]
    return [text for one in values[:MOST_TEXTS] if (text := _text(one)) is not None]


def _text(value: Any) -> str | None:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
    return None


def _entity(kind: str, name: str, attributes: dict[str, Any]) -> Entity:
    return {"uid": {"type": str(kind), "id": name}, "attrs": attributes, "parents": []}
