"""A credential on every request of an `httpx2.AsyncClient`, to its own server and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx2

from ostiary.credentials.headers import MOST_TRIES, Outgoing, Refusal
from ostiary.credentials.runtime import Runtime
from ostiary.oauth.canonical_url import CanonicalUrl, UrlRefused, canonical_url

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from ostiary.credentials import Credential
    from ostiary.credentials.headers import Headers


class CredentialAuth(httpx2.Auth):
    """Attach a credential to the requests that go to the server's origin.

    A 401 drops the token, fetches a new one once, and tries once more; a redirect elsewhere gets nothing.
    runtime: shared with other adapters, so that servers which want the same token share it.
    Raises CredentialError from the request when the credential can't be had.
    """

    requires_request_body = True  # so that it can be sent twice

    def __init__(
        self, credential: Credential, *, server_url: str | CanonicalUrl, runtime: Runtime | None = None
    ) -> None:
        url = server_url if isinstance(server_url, CanonicalUrl) else canonical_url(server_url)
        self._origin = url.origin
        self._headers = credential.attach(url, runtime=runtime or Runtime())

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Send with the credential; refused, once more with a new one."""
        url = _url(request)
        if url is None or url.origin != self._origin:
            yield request
            return
        outgoing = Outgoing(request.method, url, await request.aread())
        dressing = _Dressing(request)
        for _ in range(MOST_TRIES):
            headers = await self._current(outgoing)
            response = yield dressing.put_on(headers)
            if not Refusal.is_one(response.status_code):
                return
            if not self._headers.refused(outgoing, headers, _refusal(response)):
                return

    def sync_auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Refuse, rather than send a request without its credential."""
        raise TypeError("CredentialAuth fetches tokens asynchronously: use httpx2.AsyncClient")

    async def _current(self, outgoing: Outgoing) -> Headers:
        ready = self._headers.ready(outgoing)
        return await self._headers.get(outgoing) if ready is None else ready


def _url(request: httpx2.Request) -> CanonicalUrl | None:
    """The request's URL, with its origin read as we read it and its path as the client sends it."""
    target = request.url.raw_path.decode("ascii")
    path, _, query = target.partition("?")
    try:
        root = canonical_url(str(request.url.copy_with(path="/", query=None, fragment=None)))
    except UrlRefused:
        return None
    return replace(root, path="" if path == "/" else path, query=query if "?" in target else None)


def _refusal(response: httpx2.Response) -> Refusal:
    challenge = ", ".join(response.headers.get_list("www-authenticate"))
    return Refusal(response.status_code, challenge, response.headers.get("dpop-nonce"))


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
