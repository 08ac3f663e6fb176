"""An HTTP client for MCP that answers a request which its credential kept from the server.

So it does where the server's answer is not to be read. Raised through the SDK, such a failure ends the
session and leaves the caller waiting; a JSON-RPC error says the same, and the session lives on.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx2

from ostiary.credentials.error import CredentialError, CredentialMisconfigured
from ostiary.credentials.headers.headers import ServerRefusal
from ostiary.transport.road import AnswerUnusable, RoadClient, is_event_stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostiary.credentials.adapters.httpx2 import CredentialAuth

INTERNAL_ERROR = -32603


def tell_nobody(failure: CredentialError) -> None:
    """Leave a failure to the one who is answered."""


class AnsweringClient(RoadClient):
    """An `httpx2.AsyncClient` for `mcp` 2 and what stands on it; tell hears of every failure."""

    def __init__(
        self,
        auth: CredentialAuth,
        *,
        tell: Callable[[CredentialError], None] = tell_nobody,
        **options: Any,
    ) -> None:
        super().__init__(auth.server_url, auth=auth, **options)
        self._credential = auth.credential
        self._tell = tell

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Send it, or answer in the server's place when its credential or its answer won't do."""
        try:
            response = await super().send(request, **options)
            if not (is_event_stream(response) or ServerRefusal.is_one(response.status_code)):
                await response.aread()
        except CredentialError as failure:
            self._tell(failure)
            return await _answer(request, failure) or httpx2.Response(503, text=str(failure), request=request)
        except AnswerUnusable as failure:
            said = f"{request.url.copy_with(query=None)}: {failure}"
            return await _answer(request, said) or httpx2.Response(502, text=said, request=request)
        if not ServerRefusal.is_one(response.status_code):
            return response
        refused = self._refused(request, response)
        self._tell(refused)
        answer = await _answer(request, refused)
        if answer is None:
            return response
        await response.aclose()
        return answer

    def _refused(self, request: httpx2.Request, response: httpx2.Response) -> CredentialError:
        return CredentialMisconfigured(
            f"the server refused it with {response.status_code}, fetched anew where that may help",
            credential=self._credential.type,
            endpoint=str(request.url.copy_with(query=None)),
            fix="see whether its audience is what the server expects, and whether its identity may call it",
        )


async def _answer(request: httpx2.Request, failure: CredentialError | str) -> httpx2.Response | None:
    """The failure as JSON-RPC has it; None for what waits for no answer, such as a notification."""
    try:
        identifier = json.loads(await request.aread()).get("id")
    except (ValueError, AttributeError):
        return None
    if identifier is None:
        return None
    error = {"code": INTERNAL_ERROR, "message": str(failure)}
    return httpx2.Response(200, json={"jsonrpc": "2.0", "id": identifier, "error": error}, request=request)
