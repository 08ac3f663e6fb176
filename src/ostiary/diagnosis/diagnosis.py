"""A cause, the sentence that names it, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from ostiary.diagnosis.evidence import Evidence


class Cause(StrEnum):
    """Why a call does not work: stable words, for programs."""

    UNKNOWN_HOST = "unknown_host"
    NOTHING_LISTENS = "nothing_listens"
    PROXY_REFUSES = "proxy_refuses"
    CERTIFICATE_NOT_TRUSTED = "certificate_not_trusted"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_NOT_YET_VALID = "certificate_not_yet_valid"
    CERTIFICATE_OF_ANOTHER_NAME = "certificate_of_another_name"
    TLS_FAILS = "tls_fails"
    NO_ANSWER = "no_answer"
    MOVED = "moved"
    IAP_IN_FRONT = "iap_in_front"
    SIGN_IN_PAGE = "sign_in_page"
    FRONT_END = "front_end"
    TOO_MANY_CALLS = "too_many_calls"
    WRONG_PATH = "wrong_path"
    NOT_MCP = "not_mcp"
    SERVER_BROKEN = "server_broken"
    PROGRAM_CANNOT_START = "program_cannot_start"
    PROGRAM_ENDS = "program_ends"
    NO_CREDENTIAL = "no_credential"
    CREDENTIAL_UNAVAILABLE = "credential_unavailable"
    OUR_CLOCK = "our_clock"
    WRONG_HEADER = "wrong_header"
    NOT_A_BEARER_SERVER = "not_a_bearer_server"
    SIGNATURE_REMOVED = "signature_removed"
    UNSIGNED = "unsigned"
    ACCESS_TOKEN = "access_token_instead_of_id_token"  # noqa: S105 - a word, not a secret
    ID_TOKEN = "id_token_instead_of_access_token"  # noqa: S105
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    WRONG_ISSUER = "wrong_issuer"
    USER_TOKEN = "user_token"  # noqa: S105
    AUDIENCE_MISMATCH = "audience_mismatch"
    OPAQUE_TOKEN = "opaque_token"  # noqa: S105
    MISSING_SCOPE = "missing_scope"
    MISSING_INVOKER = "missing_run_invoker"
    NOT_ALLOWED = "not_allowed"
    TOKEN_REFUSED = "token_refused"  # noqa: S105
    GATEWAYS_OWN_CREDENTIAL = "gateways_own_credential"
    SERVERS_MISSING = "servers_missing"
    OTHER_ERA = "other_era"


IN_THE_TOKEN = frozenset(
    {
        *(Cause.WRONG_HEADER, Cause.NOT_A_BEARER_SERVER, Cause.SIGNATURE_REMOVED, Cause.UNSIGNED),
        *(Cause.ACCESS_TOKEN, Cause.ID_TOKEN, Cause.EXPIRED, Cause.NOT_YET_VALID, Cause.WRONG_ISSUER),
        *(Cause.USER_TOKEN, Cause.AUDIENCE_MISMATCH, Cause.OPAQUE_TOKEN, Cause.MISSING_SCOPE),
        *(Cause.OUR_CLOCK, Cause.IAP_IN_FRONT),
    }
)
"""Causes that whoever chose the token can mend."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why the call does not work."""

    cause: Cause
    sentence: str
    fix: str


Rule = Callable[[Evidence], Diagnosis | None]
