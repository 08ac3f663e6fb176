"""What a workload asks for when it exchanges its caller's token for an upstream one. RFC 8693 section 2.1.

`audience` is the name of the identity provider, `resource` the MCP server's: both sides know them from the
mapping of resources, so they need no URLs. `rejected_token_hash` is ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ostiary.oauth.client.token_exchange import ACCESS_TOKENS, GRANT_TYPE, TOKEN_TYPES
from ostiary.oauth.server.errors import InvalidRequest, OAuthError, UnsupportedGrantType
from ostiary.oauth.server.scope import read_scope
from ostiary.oauth.server.token_exchange import MAX_TOKEN

if TYPE_CHECKING:
    from ostiary.oauth.server.parameters import Parameters

LONGEST_NAME = 2000
"""Characters of a server's or a provider's name."""

TokenKind = Literal["access", "id"]

_HASH = re.compile(r"[A-Za-z0-9_-]{43}")


class ReauthenticationRequired(OAuthError):
    """The person has to connect the account, or to connect it again."""

    error = "reauthentication_required"

    def __init__(self, description: str, *, idp: str, connect_url: str, detail: str = "") -> None:
        super().__init__(description, detail=detail)
        self.idp = idp
        self.connect_url = connect_url
        """Where the person does it, in their own browser."""


@dataclass(frozen=True, slots=True)
class UpstreamExchangeRequest:
    """Nothing in it is proven."""

    subject_token: str = field(repr=False)
    kind: TokenKind
    """Which of the account's tokens is wanted."""
    idp: str | None
    server: str | None
    scopes: tuple[str, ...]
    """Empty when nothing was asked for."""
    rejected_token_hash: str | None = field(repr=False)
    """SHA-256 in base64url of the token that its server would not have."""


def read_upstream_exchange(parameters: Parameters) -> UpstreamExchangeRequest:
    """Raises InvalidRequest, InvalidScope, UnsupportedGrantType."""
    if parameters.require("grant_type") != GRANT_TYPE:
        raise UnsupportedGrantType(f"this endpoint takes {GRANT_TYPE} alone")
    token = parameters.require("subject_token")
    if parameters.require("subject_token_type") not in ACCESS_TOKENS:
        raise InvalidRequest(f"subject_token_type must be {' or '.join(sorted(ACCESS_TOKENS))}")
    if len(token) > MAX_TOKEN:
        raise InvalidRequest(f"the subject_token has more than {MAX_TOKEN} characters")
    if parameters.get("actor_token") is not None or parameters.get("actor_token_type") is not None:
        raise InvalidRequest("who acts is known by the certificate: send no actor_token")
    rejected = parameters.get("rejected_token_hash")
    if rejected is not None and not _HASH.fullmatch(rejected):
        raise InvalidRequest("rejected_token_hash is SHA-256 in base64url without padding: 43 characters")
    return UpstreamExchangeRequest(
        token,
        _kind(parameters.get("requested_token_type")),
        _name(parameters, "audience"),
        _name(parameters, "resource"),
        read_scope(parameters.get("scope")),
        rejected,
    )


def _kind(requested: str | None) -> TokenKind:
    if requested in {None, TOKEN_TYPES["access_token"]}:
        return "access"
    if requested == TOKEN_TYPES["id_token"]:
        return "id"
    raise InvalidRequest(
        f"requested_token_type must be {TOKEN_TYPES['access_token']} or {TOKEN_TYPES['id_token']}"
    )


def _name(parameters: Parameters, name: str) -> str | None:
    given = parameters.all(name)
    if len(given) > 1:
        raise InvalidRequest(f"name exactly one {name}")
    if given and len(given[0]) > LONGEST_NAME:
        raise InvalidRequest(f"the {name} has more than {LONGEST_NAME} characters")
    return given[0] if given else None
