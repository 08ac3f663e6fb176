"""What of a request proves who we are, so that an answer that repeats it is not shown."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from typing import Any

from ostiary.credentials.adapters.httpx2 import CredentialAuth

MOST_REMEMBERED = 100
"""Of a conversation that goes on for days; a server repeats what it was just sent."""
_PLAIN = re.compile(r"accept.*|connection|content-.*|host|mcp-.*|user-agent|x-amz-date", re.IGNORECASE)


class RememberingAuth(CredentialAuth):
    """A credential on requests that says what it has sent: the client keeps it on none of them."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._sent: dict[str, None] = {}

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
                self._remember(secrets_sent(dressed.headers))
                response = yield dressed
                dressed = await flow.asend(response)
        except StopAsyncIteration:
            return
        finally:
            await flow.aclose()

    def _remember(self, secrets: Iterable[str]) -> None:
        for secret in secrets:
            self._sent.pop(secret, None)
            self._sent[secret] = None
        for oldest in list(self._sent)[:-MOST_REMEMBERED]:
            del self._sent[oldest]


def secrets_sent(headers: Mapping[str, str]) -> tuple[str, ...]:
    """Everything in headers that is not known to be plain: whole, and without its scheme."""
    return tuple(part for name, value in headers.items() if not _PLAIN.fullmatch(name) for part in _in(value))


def _in(value: str) -> Iterator[str]:
    scheme, _, rest = value.partition(" ")
    yield value
    yield rest
    if scheme.lower() == "basic":
        try:
            pair = base64.b64decode(rest).decode()
        except ValueError:
            return
        yield from (pair, pair.partition(":")[2])
