"""Whom an assertion speaks of: the same person as at sign-in, by issuer and subject."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ostiary.authserver.config.trusted_issuers import TrustedIssuer
from ostiary.authserver.resources import Target
from ostiary.authserver.upstream_account import Identity
from ostiary.event_log import event_log
from ostiary.oauth.errors import InvalidToken
from ostiary.oauth.personal_name import personal_name
from ostiary.oauth.refusal import Refusal
from ostiary.oauth.server.access_token import fitting_claims

LONGEST = 255
"""Characters of a subject (OpenID Connect Core section 2)."""

log = event_log("ostiary.authserver")


def assertion_subject(claims: Mapping[str, Any], trusted: TrustedIssuer) -> Identity:
    """The person in verified claims. Raises InvalidToken."""
    subject = claims.get(trusted.subject_claim)
    if not isinstance(subject, str) or not _is_plain(subject):
        raise InvalidToken(
            f"the token lacks a proper {trusted.subject_claim} claim",
            reason=Refusal.MISSING_CLAIM,
            detail=f"claim {trusted.subject_claim} is not text of 1 to {LONGEST} printable characters",
        )
    return Identity(
        issuer=trusted.issuer,
        subject=subject,
        name=personal_name(claims.get("name")),
        email=_address(claims.get("email")),
        email_verified=claims.get("email_verified") is True,
        claims={
            name: claims[claim] for name, claim in trusted.claims.items() if claims.get(claim) is not None
        },
    )


def claims_for(target: Target, person: Identity) -> dict[str, Any]:
    """What the resource asks to be told of them (`token_claims`)."""
    known: dict[str, Any] = {"name": person.name, "email": person.email}
    if person.email is not None:
        known["email_verified"] = person.email_verified
    fitting = fitting_claims(known | person.claims, target.settings.token_claims)
    if fitting.left_out:
        log.warning("claims_left_out", resource=str(target.resource), claims=fitting.left_out)
    return fitting.claims


def _address(value: object) -> str | None:
    return value if isinstance(value, str) and _is_plain(value) else None


def _is_plain(text: str) -> bool:
    return 0 < len(text) <= LONGEST and text.isprintable()
