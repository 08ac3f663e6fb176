"""What all kinds of identity providers can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import msgspec

from ostiary.authserver.upstream_account import UpstreamAccount, UpstreamTokens
from ostiary.operator_error import OperatorError
from ostiary.unseen import Unseen

LONGEST_WAIT = 3600
"""Seconds that a provider may send us away for."""


class LoginMemory(Unseen, frozen=True, omit_defaults=True):
    """What has to be remembered between sending a browser off and its coming back. Only ever sealed."""

    issuer: str
    """Whose answer it has to be (RFC 9207)."""
    client_id: str
    redirect_uri: str
    code_verifier: str | None = None
    nonce: str | None = None
    max_age: int | None = None
    token_endpoint: str | None = None
    """Where the code goes, for a provider that was discovered."""
    scopes: tuple[str, ...] = ()
    """What was asked for: what was given, when the provider does not say (RFC 6749 section 5.1)."""
    resource: str | None = None
    """What the tokens are for, at a provider that is asked so (RFC 8707)."""


class LoginStart(msgspec.Struct, frozen=True):
    """Where to send the browser, and what to remember meanwhile."""

    url: str
    memory: LoginMemory


class LoginOptions(msgspec.Struct, frozen=True):
    """What the client's own request says, passed on to the identity."""

    prompt: tuple[str, ...] = ()
    max_age: int | None = None
    login_hint: str | None = None


class IdpError(Exception):
    """A login, or a renewal, that failed. The message is for the log and for the person: no secret in it."""

    def __init__(self, message: str, *, may_have_spent: bool = True) -> None:
        super().__init__(message)
        self.may_have_spent = may_have_spent
        """Whether the provider may have taken what can be used once: a code, a refresh token."""


class IdpDenied(IdpError):
    """The person, or the provider for them, said no. `error` is the provider's own code."""

    def __init__(self, message: str, *, error: str) -> None:
        super().__init__(message, may_have_spent=False)
        self.error = error


class IdpUnavailable(IdpError):
    """It is down or slow; the same may succeed later."""

    def __init__(
        self, message: str, *, retry_after: float | None = None, may_have_spent: bool = True
    ) -> None:
        super().__init__(message, may_have_spent=may_have_spent)
        self.retry_after = 5 if retry_after is None else max(1, min(int(retry_after), LONGEST_WAIT))
        """Seconds after which it is worth trying again."""


class IdpAnswerRefused(IdpError):
    """It answered what it must not: another issuer, a wrong nonce, a bad ID token, nonsense."""

    def __init__(
        self, message: str, *, may_have_spent: bool = True, left: UpstreamTokens | None = None
    ) -> None:
        super().__init__(message, may_have_spent=may_have_spent)
        self.left = left
        """What stands of the tokens that were to be renewed, when the refresh token was replaced all the
        same; without a refresh token when the new one can't be used either."""


class GrantDead(IdpError):
    """It takes the refresh token no more: the account has to be connected again."""


class IdpRepointed(OperatorError):
    """An entry leads to another issuer than before. The message says to which, and how to confirm it."""


class UpstreamIdp(Protocol):
    """One entry of `upstream_idps`."""

    name: str
    display_name: str
    can_identify: bool
    """Whether it says who somebody is."""
    issuer: str
    """Who is behind it: its issuer, or what stands for the set of its endpoints."""

    async def begin(self, *, state: str, redirect_uri: str, options: LoginOptions) -> LoginStart:
        """Begin a login. Raises IdpUnavailable, IdpAnswerRefused (of its metadata)."""
        ...

    async def complete(self, query: bytes, memory: LoginMemory, *, now: float) -> UpstreamAccount:
        """Finish it with what the browser brought. Raises IdpError.

        The `state` was consumed before; all else of the answer is checked here.
        """
        ...

    async def renew(
        self, tokens: UpstreamTokens, *, issuer: str, client_id: str, now: float
    ) -> UpstreamTokens:
        """New tokens for a refresh token. issuer, client_id: who gave it, to which client of ours.

        Raises GrantDead, IdpUnavailable, IdpAnswerRefused.
        """
        ...

    async def revoke(self, tokens: UpstreamTokens, *, issuer: str, client_id: str) -> None:
        """End them there, where it has a way to. Never raises what the provider can cause."""
        ...


@runtime_checkable
class KnowsByAccessToken(UpstreamIdp, Protocol):
    """One that can be asked about a person without a refresh token, as long as an access token lives."""

    async def still_knows(self, tokens: UpstreamTokens, *, issuer: str, account: str) -> None:
        """Return when it knows the person of that account. Raises as `renew`."""
        ...


Idps = Mapping[str, UpstreamIdp]
