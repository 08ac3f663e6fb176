"""A credential on every request of an `httpx` client, to its own server and nowhere else.

It is also what the MCP client takes before `mcp` 2, and with it LangChain's MCP adapters.
"""

from __future__ import annotations

import httpx

from ostiary.credentials.adapters.httpx_flow import CredentialFlow
from ostiary.credentials.adapters.worn_headers import WornHeaders


class _Headers(WornHeaders, httpx.Headers):
    kind = httpx.Headers


class CredentialAuth(CredentialFlow, httpx.Auth):
    """Attach a credential to the requests that go to the server's origin.

    A 401 drops the token, fetches a new one once, and tries once more; a redirect elsewhere gets nothing.
    runtime: shared with other adapters, so that servers which want the same token share it; those of
    `httpx.AsyncClient` belong to one event loop, those of `httpx.Client` to our background thread.
    Raises CredentialError from the request when the credential can't be had.
    """

    worn_headers = _Headers
