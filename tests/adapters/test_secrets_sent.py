"""RememberingAuth: what was sent is known, so that nobody who repeats it is quoted."""

from __future__ import annotations

from typing import Literal

import httpx2
from tests.clock import Clock

from ostiary.credentials.adapters.secrets_sent import RememberingAuth
from ostiary.credentials.headers.overheard import MOST_REMEMBERED
from ostiary.credentials.headers.token_headers import TokenHeaders
from ostiary.credentials.runtime import Runtime
from ostiary.credentials.tokens.token import Token
from ostiary.oauth.canonical_url import CanonicalUrl
from ostiary.secrets import Secret
from ostiary.settings import Settings

URL = "http://127.0.0.1/mcp"
HOUR = 3600.0


class Issuer:
    """Each of its tokens is another, and good for an hour."""

    credential = "hourly"
    endpoint = "its issuer"

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.given = 0

    async def fetch(self) -> Token:
        self.given += 1
        return Token(Secret(f"token-{self.given}"), self.clock() + HOUR)


class Hourly(Settings):
    """A credential of such an issuer."""

    type: Literal["hourly"] = "hourly"

    def attach(self, server_url: CanonicalUrl, *, runtime: Runtime) -> TokenHeaders:
        return TokenHeaders(issuer, key=self.type, cache=runtime.tokens)


issuer = Issuer(Clock())


async def test_a_conversation_of_days_is_remembered_by_what_was_sent_last() -> None:
    async with Runtime(clock=issuer.clock) as runtime:
        auth = RememberingAuth(Hourly(), server_url=URL, runtime=runtime)
        for _ in range(MOST_REMEMBERED):
            flow = auth.async_auth_flow(httpx2.Request("POST", URL))
            await anext(flow)
            await flow.aclose()
            issuer.clock.advance(2 * HOUR)
    assert len(auth.sent) == MOST_REMEMBERED
    assert auth.sent[-2:] == (f"Bearer token-{issuer.given}", f"token-{issuer.given}")
    assert "token-1" not in auth.sent
