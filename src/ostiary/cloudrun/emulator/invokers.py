"""Who may call a Cloud Run service: the members of its `roles/run.invoker` binding, as IAM writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

EVERYBODY = "allUsers"
EVERYBODY_WITH_A_TOKEN = "allAuthenticatedUsers"  # noqa: S105 - a word of IAM

_MEMBER = re.compile(r"(serviceAccount|user):[^@\s:]+@[a-z0-9.-]+|domain:[a-z0-9.-]+")


@dataclass(frozen=True, slots=True)
class TokenHolder:
    """Whom a verified ID token names. `email` is what Google vouches for, so never an unverified one."""

    email: str | None
    is_service_account: bool


def read_member(member: str) -> str:
    """A member as IAM takes it. Raises ValueError."""
    if member in {EVERYBODY, EVERYBODY_WITH_A_TOKEN} or _MEMBER.fullmatch(member):
        return member
    raise ValueError(
        "an invoker is serviceAccount:EMAIL, user:EMAIL, domain:NAME, allUsers or allAuthenticatedUsers"
    )


def is_public(invokers: Sequence[str]) -> bool:
    """Whether the service may be called without any token."""
    return EVERYBODY in invokers


def may_invoke(caller: TokenHolder, invokers: Sequence[str]) -> bool:
    """Whether one of the members is this caller, or has it among its own."""
    members = {EVERYBODY, EVERYBODY_WITH_A_TOKEN}
    if caller.email is not None:
        kind = "serviceAccount" if caller.is_service_account else "user"
        members.add(f"{kind}:{caller.email}")
        if not caller.is_service_account:
            members.add(f"domain:{caller.email.rpartition('@')[2]}")
    return not members.isdisjoint(invokers)
