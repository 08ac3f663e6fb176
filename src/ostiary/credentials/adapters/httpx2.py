"""A credential on every request of an `httpx2.AsyncClient`, to its own server and nowhere else."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import httpx2

from ostiary.credentials.token_cache import TokenCache
from ostiary.oauth.canonical_url import CanonicalUrl, UrlRefused, canonical_url

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from ostiary.credentials import Credential
    from ostiary.credentials.headers import Headers


class CredentialAuth(httpx2.Auth):
    """Attach a credential to the requests that go to the server's origin.

    A 401 drops the token, fetches a new one once, and tries once more; a redirect elsewhere gets nothing.
    cache: shared with other adapters, so that servers which want the same token share it.
    Raises CredentialError from the request when the credential can't be had.
    """

    requires_request_body = True  # so that it can be sent twice

    def __init__(
        self, credential: Credential, *, server_url: str | CanonicalUrl, cache: TokenCache | None = None
    ) -> None:
        url = server_url if isinstance(server_url, CanonicalUrl) else canonical_url(server_url)
        self._origin = url.origin
        self._headers = credential.attach(url, cache=cache or TokenCache())

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Send with the credential; refused, once more with a new one."""
        if not self._is_ours(request):
            yield request
            return
        await request.aread()
        headers = await self._current()
        dressing = _Dressing(request)
        response = yield dressing.put_on(headers)
        if response.status_code == 401 and self._headers.refused(headers):
            yield dressing.put_on(await self._current())

    def sync_auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:  # noqa: ARG002
        """Refuse, rather than send a request without its credential."""
        raise TypeError("CredentialAuth fetches tokens asynchronously: use httpx2.AsyncClient")

    async def _current(self) -> Headers:
        ready = self._headers.ready(None)
        return await self._headers.get(None) if ready is None else ready

    def _is_ours(self, request: httpx2.Request) -> bool:
        root = str(request.url.copy_with(path="/", query=None, fragment=None))
        try:
            return canonical_url(root).origin == self._origin
        except UrlRefused:
            return False


class _Dressing:
    """A credential on one request, taken off again as soon as the transport has it.

    The client builds redirects from the request's headers: left on, an API key would go anywhere, and a
    bearer token to another port. A transport has copied the headers when it first calls `trace`.
    """

    def __init__(self, request: httpx2.Request) -> None:
        self._request = request
        self._callers_trace = request.extensions.get("trace")
        self._worn: Headers = ()

    def put_on(self, headers: Headers) -> httpx2.Request:
        """The request with these headers."""
        for name, value in headers:
            self._request.headers[name] = value
        self._worn = headers
        self._request.extensions = {**self._request.extensions, "trace": partial(self._trace, headers)}
        return self._request

    async def _trace(self, headers: Headers, event: str, info: Any) -> None:
        if headers is self._worn:  # and not an earlier one, whose answer is still being read
            for name, _ in headers:
                self._request.headers.pop(name, None)
            self._worn = ()
        if self._callers_trace is not None:
            await self._callers_trace(event, info)
