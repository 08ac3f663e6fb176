"""What a token endpoint answers, whoever asked it. RFC 6749 sections 5.1, 5.2 and 6, RFC 8693 section 2.2.

A good answer has often spent something: a code, a refresh token. So what nothing depends on is no reason to
refuse one.

    taken     any 2xx; lifetimes of any size, as text, or left out; scopes as a list; a form (GitHub), and
              JSON or a form by what it is, whatever its content type says
    ignored   members of another type than theirs, and whatever nobody knows; false for a refresh token (PHP)
    refused   a name that stands twice, for two readers would read two answers; an access token that is none;
              another type of token than was asked for

An answer that is refused may have replaced the refresh token all the same: `is_rotated` says so.

GitHub   errors with status 200; a form, not JSON, unless asked; scopes with commas
Slack    `ok: false` with status 200; the person's token inside `authed_user`; token_type `user`
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

from ostiary.oauth.client.echoed_secrets import without_echoes
from ostiary.oauth.client.token_mapping import AS_THE_RFC_HAS_IT, TokenMapping
from ostiary.oauth.dotted_path import ABSENT, value_at

MAX_BYTES = 1024 * 1024
LONGEST_LIFE = 10 * 366 * 24 * 3600.0
"""Seconds; a token that lives longer, or for ever, is taken to live so long."""

NOT_WITH_SCOPES = frozenset({"invalid_scope", "invalid_request"})
"""How an endpoint refuses to renew tokens when scopes are named; nothing was spent then."""

_TOKEN = re.compile(r"[\x21-\x7e]+")
_REFRESH_TOKEN = re.compile(r"[\x20-\x7e]+")
"""It goes into a form, and never into a header: blanks do no harm (RFC 6749 appendix A.17)."""
_SECONDS = re.compile(r"\s*[0-9]+(\.[0-9]*)?\s*")
_SCOPE = re.compile(r"[\x21-\x7e]+")
_NOT_SHOWN = re.compile(r"[^\x20-\x7e]+")
_LONGEST_SAID = 300
_LONGEST_TYPE = 40
"""Not cut: the beginning of a secret is harder to recognize than the whole."""
_FORM = "application/x-www-form-urlencoded"
_LOOKS_LIKE_A_FORM = re.compile(r"[\w.~%-]+=[^\s<>]*", re.ASCII)
_MAX_FIELDS = 50


class TokenRequestRefused(Exception):
    """The endpoint said no in the RFC's words, each on one line; `in_brief` before people see them."""

    def __init__(self, error: str, description: str | None, status: int) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status


class TokenResponseUnreadable(Exception):
    """The answer is none that can be used. The message says why and quotes nothing of it."""

    def __init__(self, reason: str, *, is_rotated: bool = False, refresh_token: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_rotated = is_rotated
        """Whether it brought a refresh token all the same: the one that was shown is spent."""
        self.refresh_token = refresh_token
        """That one; None when it can't be used either."""


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """Tokens, as issued. They never show in a `repr`."""

    access_token: str = field(repr=False)
    expires_in: float | None = None
    """Seconds from now; None when the issuer did not say."""
    scopes: tuple[str, ...] | None = None
    """None when the issuer did not say: then they are what was asked for (RFC 6749 section 5.1)."""
    refresh_token: str | None = field(default=None, repr=False)
    is_rotated: bool = False
    """Whether it brought a refresh token, even one that can't be used: the one that was shown is spent."""
    issued_token_type: str | None = None
    id_token: str | None = field(default=None, repr=False)


def read_token_response(
    status: int,
    content_type: str,
    body: bytes,
    *,
    wanted_type: str = "Bearer",
    mapping: TokenMapping = AS_THE_RFC_HAS_IT,
    sent: Collection[str] = (),
) -> TokenResponse:
    """Raises TokenRequestRefused when it says no, TokenResponseUnreadable for what is no answer.

    wanted_type: the `token_type` that was asked for; compared without regard to case (RFC 6749 section 7.1).
    An answer that does not say has it, unless it is DPoP, which is told from Bearer by this alone.
    sent: the secrets of the request, of which nothing is repeated.
    """
    try:
        answer = _read(status, content_type, body, wanted_type, mapping)
        issued = answer.issued_token_type and without_echoes(answer.issued_token_type, sent)
        return replace(answer, issued_token_type=issued)
    except TokenRequestRefused as refused:
        description = refused.description and without_echoes(refused.description, sent)
        raise TokenRequestRefused(without_echoes(refused.error, sent), description, refused.status) from None
    except TokenResponseUnreadable as unreadable:
        raise TokenResponseUnreadable(
            without_echoes(unreadable.reason, sent),
            is_rotated=unreadable.is_rotated,
            refresh_token=unreadable.refresh_token,
        ) from None


def _read(
    status: int, content_type: str, body: bytes, wanted_type: str, mapping: TokenMapping
) -> TokenResponse:
    if 300 <= status < 400:
        raise TokenResponseUnreadable(
            f"it answered {status}: it redirects, which nobody may follow with secrets"
        )
    if len(body) > MAX_BYTES:
        raise TokenResponseUnreadable(f"its answer has more than {MAX_BYTES // 1024} KiB")
    decoded = _decoded(status, content_type, body)
    answer = _as_the_rfc_has_it(decoded.members, mapping)
    if not 200 <= status < 300 or ("error" in answer and "access_token" not in answer):
        raise _refusal(status, answer, decoded)
    refresh_token = _refresh_token(answer)
    is_rotated = _is_rotated(answer)
    fault = _ambiguity(status, decoded) or _fault(answer, None if mapping.token_type_lenient else wanted_type)
    if fault is not None:
        raise TokenResponseUnreadable(fault, is_rotated=is_rotated, refresh_token=refresh_token)
    return TokenResponse(
        answer["access_token"].strip(),
        _lifetime(answer.get("expires_in")),
        _scopes(answer.get("scope"), mapping.scope_separator),
        refresh_token,
        is_rotated,
        _text(answer.get("issued_token_type")),
        _id_token(answer.get("id_token")),
    )


def in_brief(error: str, description: str | None) -> str:
    """Both for people, bounded."""
    said = error[:_LONGEST_SAID]
    return said if description is None else f"{said} ({description[:_LONGEST_SAID].rstrip('. ')})"


@dataclass(frozen=True, slots=True)
class _Decoded:
    """An answer's members. One that stands twice has the value of neither."""

    kind: str
    members: dict[str, Any]
    is_ambiguous: bool


_TWICE: Any = object()


def _decoded(status: int, content_type: str, body: bytes) -> _Decoded:
    # Text that is not UTF-8 stands in descriptions, and is harmless: tokens are ASCII.
    text = body.decode("utf-8-sig", "replace").strip()
    kind = content_type.partition(";")[0].strip().lower()
    if text[:1] not in {"{", "["} and (kind == _FORM or _LOOKS_LIKE_A_FORM.fullmatch(text)):
        return _form(status, text)
    return _json(status, kind, text)


def _json(status: int, kind: str, text: str) -> _Decoded:
    twice: list[str] = []

    def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members, names = _members(pairs)
        twice.extend(names)
        return members

    try:
        answer = json.loads(text, object_pairs_hook=each_once)
    except (ValueError, RecursionError):
        raise TokenResponseUnreadable(
            f"it answered {status} with {_shown(kind or None)}, not with JSON"
        ) from None
    if not isinstance(answer, dict):
        raise TokenResponseUnreadable(f"it answered {status} with JSON that is not an object")
    return _Decoded("JSON", answer, bool(twice))


def _form(status: int, text: str) -> _Decoded:
    try:
        pairs = parse_qsl(text.strip("&"), strict_parsing=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise TokenResponseUnreadable(f"it answered {status} with a form that can't be read") from None
    members, twice = _members(pairs)
    return _Decoded("a form", members, bool(twice))


def _members(pairs: list[tuple[str, Any]]) -> tuple[dict[str, Any], list[str]]:
    members: dict[str, Any] = {}
    twice = []
    for name, value in pairs:
        if name in members:
            twice.append(name)
        members[name] = _TWICE if name in members else value
    return members, twice


def _as_the_rfc_has_it(answer: Mapping[str, Any], mapping: TokenMapping) -> dict[str, Any]:
    """The members that somebody reads, by the RFC's names; null is absent."""
    places = {
        "access_token": mapping.access_token,
        "refresh_token": mapping.refresh_token,
        "id_token": mapping.id_token,
        "expires_in": mapping.expires_in,
        "scope": mapping.scope,
        "token_type": "token_type",
        "issued_token_type": "issued_token_type",
        "error": "error",
        "error_description": "error_description",
    }
    found = {name: value_at(answer, path) for name, path in places.items()}
    plain = {name: value for name, value in found.items() if value is not ABSENT and value is not None}
    if answer.get("ok") is False:
        plain.pop("access_token", None)
        plain.setdefault("error", None)
    return plain


def _ambiguity(status: int, decoded: _Decoded) -> str | None:
    return f"it answered {status} with {decoded.kind} that has a name twice" if decoded.is_ambiguous else None


def _refusal(status: int, answer: Mapping[str, Any], decoded: _Decoded) -> Exception:
    if (ambiguity := _ambiguity(status, decoded)) is not None:
        return TokenResponseUnreadable(ambiguity)
    error = answer.get("error")
    if not isinstance(error, str) or not error:
        lacks = "with ok false and no" if decoded.members.get("ok") is False else "without an"
        return TokenResponseUnreadable(f"it answered {status} {lacks} error code")
    description = answer.get("error_description")
    said = _one_line(description) if isinstance(description, str) and description else None
    return TokenRequestRefused(_one_line(error), said, status)


def _fault(answer: Mapping[str, Any], wanted_type: str | None) -> str | None:
    """Why its access token can't be used. wanted_type: None where any will do."""
    token, said = answer.get("access_token"), answer.get("token_type")
    if token is None or token == "":
        return "its answer has no access_token"
    if not isinstance(token, str):
        return "its access_token is not a string"
    if _TOKEN.fullmatch(token.strip()) is None:
        return "its access_token has a line break or another character that no token may have"
    if wanted_type is None or (said is None and wanted_type.lower() != "dpop"):
        return None
    if not isinstance(said, str) or said.strip().lower() != wanted_type.lower():
        return f"its answer has token_type {_shown(said)}, where {wanted_type} was asked for"
    return None


def _is_rotated(answer: Mapping[str, Any]) -> bool:
    """Nothing, in whatever language, is no new one."""
    value = answer.get("refresh_token")
    return bool(value) and value is not True


def _refresh_token(answer: Mapping[str, Any]) -> str | None:
    value = answer.get("refresh_token")
    if _is_rotated(answer) and isinstance(value, int):
        return str(value)
    return value if isinstance(value, str) and _REFRESH_TOKEN.fullmatch(value) else None


def _id_token(value: object) -> str | None:
    return value if isinstance(value, str) and _TOKEN.fullmatch(value) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _scopes(said: Any, separator: str) -> tuple[str, ...] | None:
    """Text, or a list as some have it; each once."""
    if isinstance(said, str):
        said = said.split(separator)
    if not isinstance(said, list):
        return None
    stripped = (scope.strip() for scope in said if isinstance(scope, str))
    return tuple(dict.fromkeys(scope for scope in stripped if _SCOPE.fullmatch(scope)))


def _lifetime(value: Any) -> float | None:
    """Of anything but a positive number, also in a string, nobody can say what was meant."""
    if isinstance(value, str) and _SECONDS.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        return None
    return float(min(value, LONGEST_LIFE))


def _shown(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case str():
            return repr(_one_line(value)) if len(value) <= _LONGEST_TYPE else "a long text"
    return "not a string"


def _one_line(text: str) -> str:
    return _NOT_SHOWN.sub(" ", text).strip()
