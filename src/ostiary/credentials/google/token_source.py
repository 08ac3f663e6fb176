"""Fetch a token of Google's with google-auth, in a thread, since google-auth blocks."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from ostiary.credentials.google.failure import GoogleFailure
from ostiary.credentials.google.requests import HttpRequest, google_requests
from ostiary.transport.proxies import NONE, Proxies

if TYPE_CHECKING:
    from ostiary.credentials.google.caller_identity import GoogleIdentity
    from ostiary.credentials.google.login import GoogleLogin
    from ostiary.credentials.tokens.token import Token

FETCH_TIMEOUT = 30.0
"""Seconds until callers stop waiting; google-auth needs ten to see that it is not on Google."""


@dataclass(frozen=True, slots=True)
class GoogleSource(ABC):
    """One kind of token, from one Google identity."""

    identity: GoogleIdentity
    endpoint: str
    """Whom the tokens are for."""
    proxies: Proxies = field(default=NONE, kw_only=True, compare=False, repr=False)
    """By which requests to Google go."""
    credential: ClassVar[str]
    without_identity: ClassVar[str]
    """What to do when nothing says who we are."""
    role: ClassVar[str]
    """The role that an impersonation for such a token needs."""

    @abstractmethod
    def ask(self, login: GoogleLogin | None, request: HttpRequest, failure: GoogleFailure) -> Token:
        """Ask Google; blocks."""

    async def fetch(self) -> Token:
        """Ask Google. Raises CredentialError."""
        try:
            async with asyncio.timeout(FETCH_TIMEOUT):
                return await asyncio.to_thread(self._fetch)
        except TimeoutError:
            problem = f"Google did not answer within {FETCH_TIMEOUT:.0f} seconds"
            raise self._failure().unreachable(problem, "see whether this machine reaches it") from None

    def _fetch(self) -> Token:
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415 - see google_requests

        failure, sent = self._failure(), list[str]()
        with google_requests(self.proxies, sent) as request:
            try:
                login = self.identity.login()
                failure = _about(login, failure, self.role)
                return self.ask(login, request, failure)
            except (GoogleAuthError, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
                raise replace(failure, sent=tuple(sent)).explained(error) from None

    def _failure(self) -> GoogleFailure:
        account = self.identity.impersonate
        wanted = None if account is None else f"{self.role} on {account}"
        return GoogleFailure(
            self.credential, self.endpoint, self.without_identity, wanted, file=self.identity.file
        )


def _about(login: GoogleLogin | None, failure: GoogleFailure, role: str) -> GoogleFailure:
    if login is None:
        return failure
    if login.acts_by is not None and failure.role_wanted is None:
        return replace(failure, role_wanted=f"{role} on the account that the credentials file names")
    return replace(failure, is_a_persons_login=login.is_a_person)
