"""A token for another one: the form that asks, and whether the answer is what was asked for. RFC 8693."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
TOKEN_TYPES: Mapping[str, str] = {
    name: f"urn:ietf:params:oauth:token-type:{name}"
    for name in ("access_token", "refresh_token", "id_token", "jwt", "saml1", "saml2", "id-jag")
}
"""The types of tokens by their short names (RFC 8693 section 3)."""
ACCESS_TOKENS = frozenset({TOKEN_TYPES["access_token"], TOKEN_TYPES["jwt"]})
"""What can be sent to a server as it is; an access token may be called by its format."""


@dataclass(frozen=True, slots=True)
class TypedToken:
    """A token and the URI of its type. It never shows in a `repr`."""

    value: str = field(repr=False)
    type: str


def token_type_uri(name: str) -> str:
    """The URI of a token type that is named shortly, or by its URI already."""
    return TOKEN_TYPES.get(name, name)


def exchange_form(
    subject: TypedToken,
    *,
    actor: TypedToken | None = None,
    audience: str | None = None,
    resource: str | None = None,
    scopes: Sequence[str] = (),
    requested_token_type: str | None = None,
) -> dict[str, str]:
    """The request of section 2.1, without what says who the client is."""
    form = {
        "grant_type": GRANT_TYPE,
        "subject_token": subject.value,
        "subject_token_type": subject.type,
        "actor_token": None if actor is None else actor.value,
        "actor_token_type": None if actor is None else actor.type,
        "audience": audience,
        "resource": resource,
        "scope": " ".join(scopes),
        "requested_token_type": requested_token_type,
    }
    return {name: value for name, value in form.items() if value}


def is_as_asked(issued: str | None, requested: str | None) -> bool:
    """Whether the issued type will do. Several issuers leave it out; they are taken at their word."""
    if issued is None or issued == requested:
        return True
    return issued in ACCESS_TOKENS and (requested is None or requested in ACCESS_TOKENS)


def token_type_of(requested: str | None) -> str:
    """What `token_type` the answer must have: `N_A` for what is no access token (section 2.2.1)."""
    return "Bearer" if requested is None or requested in ACCESS_TOKENS else "N_A"
