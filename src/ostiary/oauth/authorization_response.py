"""The code, or why there is none. RFC 6749 sections 4.1.2 and 4.1.2.1, RFC 9207."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from ostiary.oauth.issuer_identification import check_issuer

if TYPE_CHECKING:
    from collections.abc import Mapping


class NotOurs(ValueError):
    """The answer does not belong to the question: another tab's, or somebody else's."""


class AuthorizationRefused(ValueError):
    """The authorization server or the person said no, in these words."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}" if description else error)
        self.error = error
        self.description = description


def belongs_to(query: str, *, state: str) -> bool:
    """Whether the answer carries our state, once."""
    said = [value for name, value in parse_qsl(query) if name == "state"]
    return len(said) == 1 and hmac.compare_digest(said[0].encode(), state.encode())


def read_code(query: str, *, state: str, issuer: str, metadata: Mapping[str, Any]) -> str:
    """The code of an answer's query string.

    issuer, metadata: of the authorization server, as recorded before the redirect. Raises NotOurs,
    WrongIssuer, AuthorizationRefused, in this order: an answer from elsewhere is not even quoted.
    """
    if not belongs_to(query, state=state):
        raise NotOurs("the answer does not carry our state")
    pairs = parse_qsl(query, keep_blank_values=True)
    answer = dict(pairs)
    if len(answer) != len(pairs):
        raise NotOurs("the answer has a parameter twice")
    return code_of(answer, issuer=issuer, metadata=metadata)


def code_of(answer: Mapping[str, str], *, issuer: str, metadata: Mapping[str, Any]) -> str:
    """The code of an answer whose state was checked before. Raises as `read_code` does."""
    check_issuer(answer.get("iss"), issuer=issuer, metadata=metadata)
    if "error" in answer:
        raise AuthorizationRefused(answer["error"], answer.get("error_description", ""))
    if not answer.get("code"):
        raise NotOurs("the answer has neither a code nor an error")
    return answer["code"]
