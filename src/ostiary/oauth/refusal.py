"""Why a caller was turned away: stable words for logs and metrics, never for the caller."""

from __future__ import annotations

from enum import StrEnum


class Refusal(StrEnum):
    """One word a cause; they do not change between releases, so that alerts can be built on them."""

    NO_TOKEN = "no_token"  # noqa: S105 - a word, not a secret
    """The request has no bearer token."""
    MALFORMED = "malformed"
    """It looks like a JWT and can't be read as one."""
    OPAQUE_TOKEN = "opaque_token"  # noqa: S105
    """It is not a JWT: such as a Google access token where an ID token is due."""
    TOO_LARGE = "too_large"
    """It is longer than any honest token."""
    ALG_NONE = "alg_none"
    """Its header says that it is not signed."""
    SYMMETRIC_ALG = "symmetric_alg"
    """It is signed with a shared secret: such as HS256 with the public key as the secret."""
    ALG_NOT_ALLOWED = "alg_not_allowed"
    """It is signed in a way that we don't accept."""
    UNSUPPORTED_HEADER = "unsupported_header"
    """Its header demands an extension (`crit`, `b64`) that we don't have."""
    UNKNOWN_KID = "unknown_kid"
    """Its issuer has no such key, or no longer."""
    BAD_SIGNATURE = "bad_signature"
    """It was changed, or signed by somebody else."""
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    WRONG_ISSUER = "wrong_issuer"
    WRONG_AUDIENCE = "wrong_audience"
    MISSING_CLAIM = "missing_claim"
    """A claim that every token needs is absent or of the wrong type."""
    WRONG_KIND = "wrong_kind"
    """It is another kind of JWT than this door takes: such as an ID token where an access token is due."""
    MISSING_SCOPE = "missing_scope"
    NOT_PROVEN = "not_proven"
    """The token is bound to a key, and came without a proof of it, or the other way round."""
    EMAIL_NOT_VERIFIED = "email_not_verified"
    NOT_ALLOWED = "not_allowed"
    """The token is good; its holder is not on the list."""
    INACTIVE = "inactive"
    """Its issuer says that it is not active: expired, revoked, unknown, or not for us to ask about."""
    INTROSPECTION_UNAVAILABLE = "introspection_unavailable"
    """Its issuer can't be asked, so nothing can be decided."""
    KEYS_UNAVAILABLE = "keys_unavailable"
    """The issuer's keys can't be had, so nothing can be verified."""
