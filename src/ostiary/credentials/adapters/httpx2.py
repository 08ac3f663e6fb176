"""A credential on every request of an `httpx2` client, to its own server and nowhere else.

It is also what the official MCP client (`mcp` 2), the OpenAI Agents SDK and pydantic-ai take.
"""

from __future__ import annotations

import httpx2

from ostiary.credentials.adapters.httpx_flow import CredentialFlow
from ostiary.credentials.adapters.worn_headers import WornHeaders


class _Headers(WornHeaders, httpx2.Headers):
    kind = httpx2.Headers


class CredentialAuth(CredentialFlow, httpx2.Auth):
    """Attach a credential to the requests that go to the server's origin.

    A 401 drops the token, fetches a new one once, and tries once more; a redirect elsewhere gets nothing.
    runtime: shared with other adapters, so that servers which want the same token share it; those of
    `httpx2.AsyncClient` belong to one event loop, those of `httpx2.Client` to our background thread.
    Raises CredentialError from the request when the credential can't be had.
    """

    worn_headers = _Headers
