"""The headers of several credentials, as those of one."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING

from ostiary.credentials.headers.headers import Dated

if TYPE_CHECKING:
    from ostiary.credentials.headers.headers import CredentialHeaders, Headers, OutgoingRequest, ServerRefusal
    from ostiary.credentials.tokens.held_token import TokenStatus


class ChainHeaders:
    """parts: each with the names of the headers that it sets."""

    def __init__(self, parts: Sequence[tuple[CredentialHeaders, frozenset[str]]]) -> None:
        self._parts = tuple(parts)
        self._last: tuple[Headers, ...] = ()
        self._headers: Headers = ()

    def ready(self, request: OutgoingRequest) -> Headers | None:
        """All headers, when each part has its own at hand."""
        found = []
        for part, _ in self._parts:
            headers = part.ready(request)
            if headers is None:
                return None
            found.append(headers)
        return self._joined(found)

    async def get(self, request: OutgoingRequest) -> Headers:
        """All headers, fetched when needed. Raises CredentialError of the first that can't be had."""
        return self._joined([await part.get(request) for part, _ in self._parts])

    def refused(self, request: OutgoingRequest, headers: Headers, refusal: ServerRefusal) -> bool:
        """Tell each part of its own headers, since a refusal rarely says whose they were."""
        answers = [part.refused(request, own, refusal) for part, own in self._shares(headers)]
        return any(answers)

    def accepted(self, request: OutgoingRequest, headers: Headers) -> None:
        """Tell each part of its own headers."""
        for part, own in self._shares(headers):
            part.accepted(request, own)

    def status(self) -> TokenStatus | None:
        """Of the part that is worst off, or whose token ends first."""
        known = [status for part, _ in self._parts if isinstance(part, Dated) if (status := part.status())]
        return min(known, key=lambda one: (one.last_error is None, one.expires_at or inf), default=None)

    def _shares(self, headers: Headers) -> list[tuple[CredentialHeaders, Headers]]:
        return [
            (part, tuple(one for one in headers if one[0].lower() in names)) for part, names in self._parts
        ]

    def _joined(self, found: Sequence[Headers]) -> Headers:
        if len(found) != len(self._last) or any(
            now is not before for now, before in zip(found, self._last, strict=True)
        ):
            self._last = tuple(found)
            self._headers = tuple(one for headers in found for one in headers)
        return self._headers
