"""What a client asks of us when it exchanges a token. RFC 8693 section 2.1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ostiary.oauth.client.token_exchange import ACCESS_TOKENS, TOKEN_TYPES, TypedToken
from ostiary.oauth.server.errors import InvalidRequest
from ostiary.oauth.server.scope import read_scope

if TYPE_CHECKING:
    from ostiary.oauth.server.parameters import Parameters

MAX_TOKEN = 16 * 1024
"""Characters of the longest token that is read."""


@dataclass(frozen=True, slots=True)
class ExchangeRequest:
    """Whose token, who acts, and for what. Nothing in it is proven, and nothing of it shows in a `repr`."""

    subject: TypedToken
    actor: TypedToken | None
    requested_token_type: str
    audiences: tuple[str, ...]
    resources: tuple[str, ...]
    scopes: tuple[str, ...]
    """Empty when nothing was asked for."""


def read_exchange(parameters: Parameters) -> ExchangeRequest:
    """Raises InvalidRequest or InvalidScope. Only access tokens are taken and given."""
    actor = None
    if parameters.get("actor_token") is not None:
        actor = _token(parameters, "actor_token")
    elif parameters.get("actor_token_type") is not None:
        raise InvalidRequest("actor_token_type is there without an actor_token")
    requested = parameters.get("requested_token_type") or TOKEN_TYPES["access_token"]
    if requested not in ACCESS_TOKENS:
        raise InvalidRequest(f"requested_token_type must be {_either()}")
    return ExchangeRequest(
        _token(parameters, "subject_token"),
        actor,
        requested,
        parameters.all("audience"),
        parameters.all("resource"),
        read_scope(parameters.get("scope")),
    )


def _token(parameters: Parameters, name: str) -> TypedToken:
    value, kind = parameters.require(name), parameters.require(f"{name}_type")
    if kind not in ACCESS_TOKENS:
        raise InvalidRequest(f"{name}_type must be {_either()}")
    if len(value) > MAX_TOKEN:
        raise InvalidRequest(f"the {name} has more than {MAX_TOKEN} characters")
    return TypedToken(value, kind)


def _either() -> str:
    return " or ".join(sorted(ACCESS_TOKENS))
