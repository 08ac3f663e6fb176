"""A person's token on each request, and what the server demands for it.

With a person at hand (`Runtime(browser=...)`), a server that nobody has signed in at is first asked without a
token: its challenge says what to sign in for. Without one, whatever needs a person is an error that says so.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from ostiary.credentials.error import CredentialError
from ostiary.credentials.headers.token_headers import TokenHeaders
from ostiary.credentials.oauth_user.errors import KIND
from ostiary.credentials.oauth_user.sign_in import token_challenge
from ostiary.credentials.oauth_user.source import Demands, OAuthUserSource
from ostiary.oauth.challenge import read_challenges

if TYPE_CHECKING:
    from ostiary.credentials.headers.headers import Headers, OutgoingRequest, ServerRefusal
    from ostiary.credentials.oauth_user.settings import OAuthUserSettings
    from ostiary.credentials.runtime import Runtime
    from ostiary.credentials.tokens.held_token import TokenStatus
    from ostiary.oauth.canonical_url import CanonicalUrl
    from ostiary.oauth.challenge import Challenge

MOST_STEP_UPS = 3
"""How often a person is asked for more scopes in one process: a server may never be content."""


class OAuthUserHeaders:
    """The headers of one person at one server."""

    def __init__(self, user: OAuthUserSettings, server_url: CanonicalUrl, *, runtime: Runtime) -> None:
        self._user = user
        self._server_url = server_url
        self._runtime = runtime
        self._demands = Demands()
        self._asked_for: list[frozenset[str]] = []
        self._source, self._tokens = self._with_scopes(())
        self._before: tuple[OAuthUserSource, TokenHeaders] | None = None

    def ready(self, request: OutgoingRequest) -> Headers | None:
        """The headers when a token is at hand."""
        return self._tokens.ready(request)

    async def get(self, request: OutgoingRequest) -> Headers:
        """The headers; none when the server has yet to say what it wants. Raises CredentialError."""
        unheard = self._demands.challenge is None and self._runtime.browser is not None
        if unheard and not await self._source.is_known():
            return ()
        try:
            headers = await self._tokens.get(request)
        except CredentialError:
            if self._before is not None:  # more scopes were refused: what we had is as good as ever
                self._source, self._tokens = self._before
                self._before, self._demands.scopes = None, ()
            raise
        self._before = None
        return headers

    def refused(self, request: OutgoingRequest, headers: Headers, refusal: ServerRefusal) -> bool:
        """Hear what the server wants instead."""
        challenges = tuple(read_challenges(refusal.challenge))
        challenge = token_challenge(challenges)
        if refusal.status == HTTPStatus.FORBIDDEN:
            return challenge.error == "insufficient_scope" and self._step_up(headers, challenge)
        self._demands.challenge = challenge
        self._runtime.discoveries.heard(self._server_url, challenges)
        if not headers:
            return self._runtime.browser is not None
        again = self._tokens.refused(request, headers, refusal)
        if again and self._tokens.made(headers) and challenge.error != "use_dpop_nonce":
            self._demands.refused = _token(headers)
        return again

    def accepted(self, request: OutgoingRequest, headers: Headers) -> None:
        """After a refusal, hear that the new token is good."""
        self._tokens.accepted(request, headers)

    def status(self) -> TokenStatus | None:
        """How it stands with the token; None before it was first needed."""
        return self._tokens.status()

    def _step_up(self, headers: Headers, challenge: Challenge) -> bool:
        """Ask the person for more, keeping what they granted; never twice for the same."""
        grant = self._source.grant
        if self._runtime.browser is None or not challenge.scopes:
            return False
        if grant is None:
            return self._before is not None  # somebody is being asked
        if headers and _token(headers) != grant.access_token:
            return True  # somebody was asked meanwhile
        scopes = tuple(dict.fromkeys((*grant.scopes, *challenge.scopes)))
        wanted = frozenset(scopes)
        if wanted <= set(grant.scopes) or wanted in self._asked_for or len(self._asked_for) >= MOST_STEP_UPS:
            return False
        self._asked_for.append(wanted)
        self._demands.challenge, self._demands.scopes = challenge, scopes
        self._before = (self._source, self._tokens)
        self._source, self._tokens = self._with_scopes(scopes)
        return True

    def _with_scopes(self, scopes: tuple[str, ...]) -> tuple[OAuthUserSource, TokenHeaders]:
        source = OAuthUserSource(self._user, self._server_url, runtime=self._runtime, demands=self._demands)
        # A key of its own: what this server has demanded here is nobody else's. The vault is what all share.
        return source, TokenHeaders(source, key=(KIND, self, scopes), cache=self._runtime.tokens)


def _token(headers: Headers) -> str:
    """The token that headers carry."""
    return headers[0][1].partition(" ")[2]
