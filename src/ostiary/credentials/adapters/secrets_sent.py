"""A credential on requests that says what it has sent: an answer that repeats it is not shown."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from ostiary.credentials.adapters.httpx2 import CredentialAuth
from ostiary.credentials.headers.overheard import SentSecrets


class RememberingAuth(CredentialAuth):
    """The client keeps it on none of the requests."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._sent = SentSecrets()

    @property
    def sent(self) -> tuple[str, ...]:
        """The secrets, those sent last at the end."""
        return tuple(self._sent)

    async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
        """The conversation as it is, overheard."""
        flow = super().async_auth_flow(request)
        try:
            dressed = await anext(flow)
            while True:
                self._sent.remember(dressed.headers)
                response = yield dressed
                dressed = await flow.asend(response)
        except StopAsyncIteration:
            return
        finally:
            await flow.aclose()
