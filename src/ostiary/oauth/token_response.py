"""What a token endpoint answers. RFC 6749 sections 5.1 and 5.2, RFC 8693 section 2.2."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

LONGEST_LIFE = 10 * 366 * 24 * 3600.0
"""Seconds; what claims to live longer has its digits wrong."""

_TOKEN = re.compile(r"[\x21-\x7e]+")
_NOT_SHOWN = re.compile(r"[^\x20-\x7e]+")
_LONGEST_SAID = 300
_LONGEST_TYPE = 40
"""Not cut: the beginning of a secret is harder to recognize than the whole."""


class TokenRequestRefused(Exception):
    """The endpoint said no in the RFC's words, each on one line; `in_brief` before people see them."""

    def __init__(self, error: str, description: str | None, status: int) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status


class TokenResponseUnreadable(Exception):
    """The answer is none that the RFC knows. The message says why and quotes nothing of it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """Tokens, as issued. They never show in a `repr`."""

    access_token: str = field(repr=False)
    token_type: str
    expires_in: float | None = None
    """Seconds from now; None when the issuer did not say."""
    scope: str | None = None
    refresh_token: str | None = field(default=None, repr=False)
    issued_token_type: str | None = None
    id_token: str | None = field(default=None, repr=False)


def read_token_response(
    status: int, content_type: str, body: bytes, *, wanted_type: str = "Bearer"
) -> TokenResponse:
    """Raises TokenRequestRefused or TokenResponseUnreadable.

    wanted_type: the `token_type` that was asked for; compared without regard to case (RFC 6749 section 7.1).
    """
    if 300 <= status < 400:
        raise TokenResponseUnreadable(
            f"it answered {status}: it redirects, which nobody may follow with secrets"
        )
    return token_response(status, json_object(status, content_type, body), wanted_type=wanted_type)


def token_response(status: int, answer: Mapping[str, Any], *, wanted_type: str = "Bearer") -> TokenResponse:
    """The same, of an answer that is decoded already, as odd issuers need it."""
    if status != 200 or ("error" in answer and "access_token" not in answer):
        raise _refusal(status, answer)
    access_token = _token(answer, "access_token")
    if access_token is None:
        raise TokenResponseUnreadable("its answer has no access_token")
    token_type = answer.get("token_type")
    if not isinstance(token_type, str) or token_type.lower() != wanted_type.lower():
        raise TokenResponseUnreadable(
            f"its answer has token_type {_shown(token_type)}, where {wanted_type} was asked for"
        )
    return TokenResponse(
        access_token,
        token_type,
        _lifetime(answer.get("expires_in")),
        _text(answer, "scope"),
        _token(answer, "refresh_token"),
        _text(answer, "issued_token_type"),
        _token(answer, "id_token"),
    )


def in_brief(error: str, description: str | None) -> str:
    """Both for people, bounded. Whatever is secret in them must be gone before."""
    said = error[:_LONGEST_SAID]
    return said if description is None else f"{said} ({description[:_LONGEST_SAID].rstrip('. ')})"


def json_object(status: int, content_type: str, body: bytes) -> dict[str, Any]:
    """A token endpoint's answer, decoded. Raises TokenResponseUnreadable for what is no JSON object."""
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        kind = _shown(content_type.partition(";")[0].strip().lower() or None)
        raise TokenResponseUnreadable(f"it answered {status} with {kind}, not with JSON") from None
    if not isinstance(answer, dict):
        raise TokenResponseUnreadable(f"it answered {status} with JSON that is not an object")
    return answer


def _refusal(status: int, answer: Mapping[str, Any]) -> Exception:
    error = answer.get("error")
    if not isinstance(error, str) or not error:
        return TokenResponseUnreadable(f"it answered {status} without an error code")
    description = answer.get("error_description")
    said = _one_line(description) if isinstance(description, str) and description else None
    return TokenRequestRefused(_one_line(error), said, status)


def _token(answer: Mapping[str, Any], name: str) -> str | None:
    value = answer.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise TokenResponseUnreadable(f"its {name} is not a string")
    if _TOKEN.fullmatch(value) is None:
        raise TokenResponseUnreadable(
            f"its {name} has a line break or another character that no token may have"
        )
    return value


def _text(answer: Mapping[str, Any], name: str) -> str | None:
    value = answer.get(name)
    return value if isinstance(value, str) else None


def _lifetime(value: object) -> float | None:
    """Digits in a string are taken: some issuers send them."""
    if value is None:
        return None
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,12}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST_LIFE:
        raise TokenResponseUnreadable(f"its expires_in is {_shown(value)}, which is no number of seconds")
    return float(value)


def _shown(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case str():
            return repr(_one_line(value)) if len(value) <= _LONGEST_TYPE else "a long text"
        case int() | float():
            return f"{value}"[:40]
    return "not a string"


def _one_line(text: str) -> str:
    return _NOT_SHOWN.sub(" ", text).strip()
