"""Who somebody is, as an upstream identity provider says it. OIDC Core 5.3.2, and those who never read it.

The subject is the key to a person's records, so two people must never share one: numbers are taken digit for
digit, and whatever has no one spelling is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from ostiary.oauth.dotted_path import first_value, values
from ostiary.oauth.lone_surrogates import refuse_half_characters
from ostiary.oauth.personal_name import first_name

MAX_BYTES = 64 * 1024
MAX_SUBJECT = 255
"""Bytes; OpenID Connect Core section 2."""
MAX_TEXT = 320
"""Characters of an e-mail address that is kept."""


class UserinfoRefused(ValueError):
    """The answer does not say who it is about. The message says why, and quotes no value of it."""


@dataclass(frozen=True, slots=True)
class UserinfoMapping:
    """Where an upstream says what: dotted paths, of which the first that is there wins.

    Null is not there, but for a subject; of names, it is the first that can be shown.
    """

    subject: tuple[str, ...] = ("sub",)
    name: tuple[str, ...] = ("name", "preferred_username")
    email: tuple[str, ...] = ("email",)
    email_verified: tuple[str, ...] = ("email_verified",)


@dataclass(frozen=True, slots=True)
class UpstreamIdentity:
    """A person at one upstream. Only the subject names them there; the rest changes and may be another's."""

    subject: str
    name: str | None = None
    email: str | None = None
    email_verified: bool = False
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """All that was said."""


def read_userinfo(body: bytes, mapping: UserinfoMapping) -> UpstreamIdentity:
    """Read a userinfo answer. Raises UserinfoRefused."""
    if len(body) > MAX_BYTES:
        raise UserinfoRefused(f"the userinfo answer has more than {MAX_BYTES // 1024} KiB")
    try:
        text = body.decode("utf-8-sig")
        claims = json.loads(text, object_pairs_hook=_each_name_once, parse_constant=_no_constant)
        refuse_half_characters(text, claims)
    except (ValueError, RecursionError) as error:
        reason = error if isinstance(error, UserinfoRefused) else "the userinfo answer is not JSON in UTF-8"
        raise UserinfoRefused(str(reason)) from None
    if not isinstance(claims, dict):
        raise UserinfoRefused("the userinfo answer is not a JSON object")
    return identity_of(claims, mapping)


def identity_of(claims: Mapping[str, Any], mapping: UserinfoMapping) -> UpstreamIdentity:
    """Who these claims are about, of a userinfo answer or a verified ID token. Raises UserinfoRefused."""
    return UpstreamIdentity(
        _subject(first_value(claims, mapping.subject), " or ".join(mapping.subject)),
        first_name(values(claims, mapping.name)),
        _address(next(values(claims, mapping.email), None)),
        _is_true(first_value(claims, mapping.email_verified)),
        claims,
    )


def _subject(value: Any, place: str) -> str:
    match value:
        case bool():
            raise UserinfoRefused(f"the subject at {place} is true or false, which names nobody")
        case int():
            subject = str(value)
        case str():
            subject = value
        case float():
            raise UserinfoRefused(f"the subject at {place} is not a whole number, or not written as one")
        case None:
            raise UserinfoRefused(f"the subject at {place} is null")
        case dict() | list():
            raise UserinfoRefused(f"the subject at {place} is a list or an object, not text or a number")
        case _:
            raise UserinfoRefused(f"there is no subject at {place}; say where this provider has it")
    if not subject:
        raise UserinfoRefused(f"the subject at {place} is empty")
    if not subject.isprintable() or subject != subject.strip():
        raise UserinfoRefused(f"the subject at {place} has characters around or in it that nobody sees")
    if len(subject.encode("utf-8")) > MAX_SUBJECT:
        raise UserinfoRefused(f"the subject at {place} is longer than {MAX_SUBJECT} bytes")
    return subject


def _address(value: Any) -> str | None:
    fits = isinstance(value, str) and 0 < len(value) <= MAX_TEXT and value.isprintable()
    return value if fits else None


def _is_true(value: Any) -> bool:
    """Apple and Cognito write a string. A number is no answer, although 1 equals True."""
    return value is True or value == "true"


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise UserinfoRefused("the userinfo answer has the same name twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise UserinfoRefused(f"the userinfo answer has {name}, which is no JSON")
