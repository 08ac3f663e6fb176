"""What of a request proves who we are, remembered, so that an answer that repeats it is not shown."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ostiary.credentials.headers.headers import CredentialHeaders, Headers, OutgoingRequest

MOST_REMEMBERED = 100
"""Of a conversation that goes on for days; a server repeats what it was just sent."""
_PLAIN = re.compile(r"accept.*|connection|content-.*|host|mcp-.*|user-agent|x-amz-date", re.IGNORECASE)


class SentSecrets:
    """The secrets that were sent."""

    def __init__(self) -> None:
        self._sent: dict[str, None] = {}

    def __iter__(self) -> Iterator[str]:
        """Those sent last at the end."""
        return iter(tuple(self._sent))

    def remember(self, headers: Mapping[str, str]) -> None:
        """These are sent."""
        for secret in secrets_sent(headers):
            self._sent.pop(secret, None)
            self._sent[secret] = None
        for oldest in list(self._sent)[:-MOST_REMEMBERED]:
            del self._sent[oldest]


class OverheardCredential:
    """CredentialHeaders as they are. sent: is told of what they have."""

    def __init__(self, credential: CredentialHeaders, sent: SentSecrets) -> None:
        self._credential = credential
        self._sent = sent
        self.refused = credential.refused
        self.accepted = credential.accepted

    def ready(self, request: OutgoingRequest) -> Headers | None:
        """As of every CredentialHeaders."""
        headers = self._credential.ready(request)
        if headers is not None:
            self._sent.remember(dict(headers))
        return headers

    async def get(self, request: OutgoingRequest) -> Headers:
        """As of every CredentialHeaders."""
        headers = await self._credential.get(request)
        self._sent.remember(dict(headers))
        return headers


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
