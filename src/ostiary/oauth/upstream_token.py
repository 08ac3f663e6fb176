"""An upstream's token answer, however it writes it. RFC 6749 section 5.1, and those who deviate.

GitHub   errors with status 200; a form, not JSON, unless asked; scopes with commas
Slack    `ok: false` with status 200; the person's token inside `authed_user`; token_type `user`
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl

from ostiary.oauth.dotted_path import ABSENT, value_at
from ostiary.oauth.token_response import TokenResponseUnreadable, json_object, token_response

MAX_BYTES = 1024 * 1024
_FORM = "application/x-www-form-urlencoded"
_MAX_FIELDS = 50


@dataclass(frozen=True, slots=True)
class TokenMapping:
    """Where an upstream writes what: dotted paths into its answer."""

    access_token: str = "access_token"  # noqa: S105 - a name, as the next ones
    refresh_token: str = "refresh_token"  # noqa: S105
    id_token: str = "id_token"  # noqa: S105
    expires_in: str = "expires_in"
    scope: str = "scope"
    scope_separator: Literal[" ", ","] = " "
    token_type_lenient: bool = False
    """Whether any `token_type`, or none, is taken for Bearer."""


@dataclass(frozen=True, slots=True)
class UpstreamTokens:
    """What an upstream gave for one person. Nothing of it shows in a `repr`."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_in: float | None = None
    """Seconds from now; None when the upstream did not say."""
    scopes: tuple[str, ...] | None = None
    """None when the upstream did not say: then they are what was asked for (RFC 6749 section 5.1)."""
    id_token: str | None = field(default=None, repr=False)
    answer: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """All of it, for what else a provider tells there, such as whose token it is. It is never stored."""


def read_upstream_tokens(
    status: int, content_type: str, body: bytes, mapping: TokenMapping | None = None
) -> UpstreamTokens:
    """Raises TokenRequestRefused when it says no, TokenResponseUnreadable for what is no answer."""
    mapping = mapping or TokenMapping()
    if 300 <= status < 400:
        raise TokenResponseUnreadable(
            f"it answered {status}: it redirects, which nobody may follow with secrets"
        )
    if len(body) > MAX_BYTES:
        raise TokenResponseUnreadable(f"its answer has more than {MAX_BYTES // 1024} KiB")
    is_form = content_type.partition(";")[0].strip().lower() == _FORM
    answer = _form(status, body) if is_form else json_object(status, content_type, body)
    if answer.get("ok") is False and "error" not in answer:
        raise TokenResponseUnreadable(f"it answered {status} with ok false and no error code")
    tokens = token_response(status, _as_the_rfc_has_it(answer, mapping))
    scopes = _scopes(value_at(answer, mapping.scope), mapping.scope_separator)
    return UpstreamTokens(
        tokens.access_token, tokens.refresh_token, tokens.expires_in, scopes, tokens.id_token, answer
    )


def _as_the_rfc_has_it(answer: Mapping[str, Any], mapping: TokenMapping) -> dict[str, Any]:
    places = {
        "access_token": mapping.access_token,
        "refresh_token": mapping.refresh_token,
        "id_token": mapping.id_token,
        "expires_in": mapping.expires_in,
        "token_type": "token_type",
        "error": "error",
        "error_description": "error_description",
    }
    found = {name: value_at(answer, path) for name, path in places.items()}
    plain = {name: value for name, value in found.items() if value is not ABSENT}
    if answer.get("ok") is False:
        plain.pop("access_token", None)
    if mapping.token_type_lenient:
        plain["token_type"] = "Bearer"  # noqa: S105 - a name
    return plain


def _scopes(said: Any, separator: str) -> tuple[str, ...] | None:
    """Text, or a list as some have it; each once."""
    if isinstance(said, str):
        said = said.split(separator)
    if not isinstance(said, list):
        return None
    stripped = (scope.strip() for scope in said if isinstance(scope, str))
    return tuple(dict.fromkeys(filter(None, stripped)))


def _form(status: int, body: bytes) -> dict[str, Any]:
    try:
        pairs = parse_qsl(
            body.decode("utf-8"), strict_parsing=True, errors="strict", max_num_fields=_MAX_FIELDS
        )
    except ValueError:
        raise TokenResponseUnreadable(f"it answered {status} with a form that can't be read") from None
    answer = dict(pairs)
    if len(answer) != len(pairs):
        raise TokenResponseUnreadable(f"it answered {status} with a form that has a name twice")
    return answer
