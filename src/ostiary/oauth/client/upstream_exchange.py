"""A token of the caller's account upstream, for the caller's own: what RFC 8693 has no word for.

rejected_token_hash         in a request: which token its server would not have
reauthentication_required   in an answer: the person has to connect the account, and where
revocations                 sessions that ended, as they are told one after the other
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec

from ostiary.oauth.canonical_url import UrlRefused, canonical_url

REAUTHENTICATION_REQUIRED = "reauthentication_required"

_IDP = re.compile(r"[!-~]{1,255}")
_SESSION = re.compile(r"[0-9a-f]{64}")
_CURSOR = re.compile(r"[A-Za-z0-9._~-]{1,200}")
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class AnswerUnreadable(Exception):
    """The answer is none that can be used. The message says why and quotes nothing of it."""


class Connection(msgspec.Struct, frozen=True):
    """Which account has to be connected, and where its person does it."""

    idp: str
    connect_url: str


class Revocations(msgspec.Struct, frozen=True):
    """What happened to an owner's sessions since it was last asked."""

    next: str
    """What to ask after next time."""
    reset: bool = False
    """Whether more may have ended than is told: whatever is kept is kept no more."""
    ended: tuple[str, ...] = ()
    """Sessions, by their `session_hash`."""


def session_of(claims: Mapping[str, Any]) -> str | None:
    """The session of a person's own sign-in that one of our access tokens is of (its claim `tsid`)."""
    tsid = claims.get("tsid")
    return tsid if isinstance(tsid, str) and tsid else None


def speaks_for_a_person(claims: Mapping[str, Any]) -> bool:
    """Whether one of our access tokens does; without a session, a program may act for them (RFC 8693 4.1)."""
    return session_of(claims) is not None or isinstance(claims.get("act"), Mapping)


def token_hash(token: str) -> str:
    """How a request names the token that was refused."""
    return urlsafe_b64encode(sha256(token.encode()).digest()).rstrip(b"=").decode()


def session_hash(tsid: str) -> str:
    """How a session is named that ended: by a hash, which opens nothing."""
    return sha256(tsid.encode()).hexdigest()


def read_connection(body: bytes) -> Connection:
    """What an answer `reauthentication_required` says. Raises AnswerUnreadable."""
    try:
        found = msgspec.json.decode(body, type=Connection)
    except _UNREADABLE:
        raise AnswerUnreadable("it wants an account to be connected, and does not say where") from None
    if _IDP.fullmatch(found.idp) is None:
        raise AnswerUnreadable("it wants an account to be connected at an identity provider without a name")
    try:
        url = canonical_url(found.connect_url)
    except UrlRefused as refused:
        raise AnswerUnreadable(f"where an account is to be connected is no URL: {refused}") from None
    if url.scheme != "https" and not url.is_loopback:
        raise AnswerUnreadable("where an account is to be connected is plain http on another machine")
    return Connection(found.idp, str(url))


def read_revocations(body: bytes) -> Revocations:
    """What the feed of sessions says. Raises AnswerUnreadable."""
    try:
        found = msgspec.json.decode(body, type=Revocations)
    except _UNREADABLE:
        raise AnswerUnreadable("it is no list of sessions that ended") from None
    if _CURSOR.fullmatch(found.next) is None:
        raise AnswerUnreadable("what it wants to be asked after next time can be no part of a URL")
    if not all(map(_SESSION.fullmatch, found.ended)):
        raise AnswerUnreadable("it names a session that ended by something else than its hash")
    return found
