"""The code, or why there is none. RFC 6749 sections 4.1.2 and 4.1.2.1, RFC 9207."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from ostiary.oauth.errors import InvalidRequest
from ostiary.oauth.issuer_identification import check_issuer

if TYPE_CHECKING:
    from collections.abc import Mapping


_READ = frozenset({"code", "state", "iss", "error", "error_description"})
_LONGEST_SAID = 300
_MOST = 100
"""Parameters; providers add some of their own."""


class NotOurs(ValueError):
    """The answer does not belong to the question: another tab's, or somebody else's."""


class AuthorizationRefused(ValueError):
    """The authorization server or the person said no, in these words; shown in one line, and cut."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(": ".join(_shown(words) for words in (error, description) if words))
        self.error = error
        self.description = description


def _shown(words: str) -> str:
    """In any language."""
    return "".join(one if one.isprintable() else " " for one in words[:_LONGEST_SAID]).strip()


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
    try:
        answer = answer_of(query.encode())
    except InvalidRequest:
        raise NotOurs("the answer has a parameter twice") from None
    return code_of(answer, issuer=issuer, metadata=metadata)


def answer_of(query: bytes) -> dict[str, str]:
    """What a browser brought back, as far as anybody reads it; empty is absent (RFC 6749 section 3.1).

    What stands beside is a provider's own matter, and so is the encoding of a description that is only shown:
    neither is a reason to lose the code, or the refusal. Raises InvalidRequest for what stands twice.
    """
    try:
        pairs = parse_qsl(query.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST)
    except ValueError:
        raise InvalidRequest(f"the request has more than {_MOST} parameters") from None
    answer: dict[str, str] = {}
    for name, value in pairs:
        if name in answer:
            raise InvalidRequest(f"the parameter {name} stands more than once")
        if name in _READ:
            answer[name] = value
    return {name: value for name, value in answer.items() if value}


def code_of(answer: Mapping[str, str], *, issuer: str, metadata: Mapping[str, Any]) -> str:
    """The code of an answer whose state was checked before. Raises as `read_code` does."""
    check_issuer(answer.get("iss"), issuer=issuer, metadata=metadata)
    if "error" in answer:
        raise AuthorizationRefused(answer["error"], answer.get("error_description", ""))
    if not answer.get("code"):
        raise NotOurs("the answer has neither a code nor an error")
    return answer["code"]
