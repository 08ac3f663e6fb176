"""What a client presents to prove who it is. RFC 6749 section 2.3, RFC 7521 section 4.2.

Read from the header and the form, and proven by nobody yet. One way at a time: a request that brings two is
refused, for one of them could be somebody else's.
"""

from __future__ import annotations

import binascii
import re
from typing import Literal

import msgspec

from ostiary.oauth.client.client_authentication import JWT_BEARER as CLIENT_ASSERTION_TYPE
from ostiary.oauth.jwt_parts import unverified_claims
from ostiary.oauth.server.errors import InvalidClient, InvalidRequest
from ostiary.oauth.server.form_encoding import form_decoded, is_broken
from ostiary.oauth.server.parameters import Parameters
from ostiary.unseen import Unseen

LONGEST_ID = 2000

_CLIENT_ID = re.compile(r"[\x20-\x7e]+")


class PresentedSecret(Unseen, frozen=True):
    """A name and a secret."""

    client_id: str
    secret: str
    method: Literal["client_secret_basic", "client_secret_post"]


class PresentedAssertion(Unseen, frozen=True):
    """A signed statement: the client's own, or of an issuer that knows the workload it runs as."""

    client_id: str | None
    """As the request names it, else as the client's own statement does; None when a workload says nothing."""
    assertion: str


class PresentedClientId(msgspec.Struct, frozen=True):
    """A client_id alone: a public client, or one whose certificate speaks for it."""

    client_id: str


Presented = PresentedSecret | PresentedAssertion | PresentedClientId


def read_presented(authorization: str | None, parameters: Parameters) -> Presented:
    """Read the one way in which a client presents itself.

    authorization: the header's value. Raises InvalidRequest for two ways or two names, InvalidClient for none
    and for what cannot be read.
    """
    named = parameters.get("client_id")
    if named is not None:
        check_client_id(named)
    _refuse_two_ways(authorization, parameters)
    if authorization is not None:
        return _basic(authorization, named)
    if "client_assertion" in parameters or "client_assertion_type" in parameters:
        return _assertion(parameters, named)
    if named is None:
        raise InvalidClient("the request does not say which client it is from")
    secret = parameters.get("client_secret")
    return (
        PresentedClientId(named) if secret is None else PresentedSecret(named, secret, "client_secret_post")
    )


def subject_of_assertion(assertion: str) -> str | None:
    """Which client a statement claims to be from; None unless it speaks of itself (RFC 7523 section 3)."""
    claims = unverified_claims(assertion)
    subject = claims.get("sub")
    return subject if isinstance(subject, str) and subject == claims.get("iss") else None


def _refuse_two_ways(authorization: str | None, parameters: Parameters) -> None:
    ways = (authorization is not None, "client_secret" in parameters, "client_assertion" in parameters)
    if sum(ways) > 1:
        raise InvalidRequest("the client authenticates in more than one way: choose one")


def _basic(authorization: str, named: str | None) -> Presented:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise InvalidClient("the Authorization header of a client is Basic")
    try:
        pair = binascii.a2b_base64(encoded.strip(), strict_mode=True)
    except ValueError:
        raise InvalidClient("the Authorization header is not in base64") from None
    left, colon, right = pair.partition(b":")
    if not colon:
        raise InvalidClient("the Authorization header has no colon between name and secret")
    client_id, secret = _form_decoded(left), _form_decoded(right)
    check_client_id(client_id)
    if named is not None and named != client_id:
        raise InvalidRequest("client_id is another one than in the Authorization header")
    return (
        PresentedSecret(client_id, secret, "client_secret_basic") if secret else PresentedClientId(client_id)
    )


def _form_decoded(encoded: bytes) -> str:
    """RFC 6749 section 2.3.1: both halves are form-encoded before they are joined."""
    if is_broken(encoded):
        raise InvalidClient("the Authorization header has a percent sign that encodes nothing")
    try:
        return form_decoded(encoded)
    except UnicodeDecodeError:
        raise InvalidClient("the Authorization header is not in UTF-8") from None


def _assertion(parameters: Parameters, named: str | None) -> PresentedAssertion:
    assertion, kind = parameters.get("client_assertion"), parameters.get("client_assertion_type")
    if assertion is None or kind is None:
        raise InvalidRequest("client_assertion and client_assertion_type come together")
    if kind != CLIENT_ASSERTION_TYPE:
        raise InvalidClient(f"client_assertion_type is not {CLIENT_ASSERTION_TYPE}, the only one taken here")
    subject = subject_of_assertion(assertion)
    if subject is not None:
        check_client_id(subject)
    if named is not None and subject is not None and named != subject:
        raise InvalidClient("client_id is another one than in the client_assertion")
    return PresentedAssertion(named or subject, assertion)


def check_client_id(client_id: str) -> None:
    """Raise InvalidClient for what no client is called (RFC 6749 appendix A.1)."""
    if len(client_id) > LONGEST_ID or _CLIENT_ID.fullmatch(client_id) is None:
        raise InvalidClient("client_id is empty, too long, or has a character that none has")
