"""The conversation of a request and its credential, as `httpx2` and `httpx` hold it.

They are two packages with one protocol: what is sent and what was answered are exchanged with a generator,
and the classes on both sides are alike but for their names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ostiary.credentials.adapters.server_credential import ServerCredential, url_as_sent
from ostiary.credentials.blocking import BlockingCredential
from ostiary.credentials.credential import as_one
from ostiary.credentials.headers.headers import MOST_TRIES, OutgoingRequest, ServerRefusal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from ostiary.credentials import Credential
    from ostiary.credentials.adapters.worn_headers import WornHeaders
    from ostiary.credentials.runtime import Runtime
    from ostiary.oauth.canonical_url import CanonicalUrl

Request = Any
"""`httpx2.Request` or `httpx.Request`."""
Response = Any
"""`httpx2.Response` or `httpx.Response`."""


class CredentialFlow:
    """The credential on requests that go to the server's origin; a refused one is replaced, and sent anew.

    A redirect is followed without the credential. One within the origin is then sent again with it, if
    the server wants that.
    """

    requires_request_body = True  # so that it can be sent twice
    worn_headers: type[WornHeaders]
    """The library's headers, as a credential is worn with them."""

    def __init__(
        self, credential: Credential, *, server_url: str | CanonicalUrl, runtime: Runtime | None = None
    ) -> None:
        self.credential = as_one(credential)
        """What it attaches."""
        self._server = ServerCredential(credential, server_url, runtime)
        self._blocking = BlockingCredential(credential, server_url=self._server.url, runtime=runtime)

    @property
    def server_url(self) -> CanonicalUrl:
        """Whose server gets it."""
        return self._server.url

    async def prepare(self) -> None:
        """Have at hand what requests need, before the first one. Raises CredentialError."""
        await self._server.headers(OutgoingRequest("POST", self._server.url))

    async def async_auth_flow(self, request: Request) -> AsyncGenerator[Request, Response]:
        """Send with the credential; refused, once more with a new one."""
        url = self._own_url(request)
        if url is None:
            yield request
            return
        for tries in range(MOST_TRIES):
            outgoing = OutgoingRequest(request.method, url, await request.aread())
            headers = await self._server.headers(outgoing)
            worn = self.worn_headers(request.headers, headers)
            response = yield _AsyncDressing(request).put_on(worn)
            if not ServerRefusal.is_one(response.status_code):
                if tries and ServerRefusal.is_none(response.status_code):
                    self._server.accepted(outgoing, headers)
                return
            if response.request is request and not self._server.refused(
                outgoing, headers, _refusal(response)
            ):
                return
            request = response.request  # another one when the client followed a redirect
            url = self._own_url(request)
            if url is None:
                return

    def sync_auth_flow(self, request: Request) -> Generator[Request, Response, None]:
        """The same for clients that do not await."""
        url = self._own_url(request)
        if url is None:
            yield request
            return
        for tries in range(MOST_TRIES):
            outgoing = OutgoingRequest(request.method, url, request.read())
            headers = self._blocking.headers(outgoing)
            worn = self.worn_headers(request.headers, headers)
            response = yield _Dressing(request).put_on(worn)
            if not ServerRefusal.is_one(response.status_code):
                if tries and ServerRefusal.is_none(response.status_code):
                    self._blocking.accepted(headers, outgoing)
                return
            if response.request is request and not self._blocking.refused(
                headers, _refusal(response), outgoing
            ):
                return
            request = response.request
            url = self._own_url(request)
            if url is None:
                return

    def _own_url(self, request: Request) -> CanonicalUrl | None:
        """The request's URL when it goes to the credential's own server."""
        url = request.url
        if url.userinfo:
            return None
        sent = url_as_sent(f"{url.scheme}://{url.netloc.decode('ascii')}", url.raw_path.decode("ascii"))
        return sent if sent is not None and sent.origin == self._server.origin else None


def _refusal(response: Response) -> ServerRefusal:
    challenge = ", ".join(response.headers.get_list("www-authenticate"))
    return ServerRefusal(response.status_code, challenge, response.headers.get("dpop-nonce"))


class _Dressing:
    """A credential on one request, taken off again as soon as the transport has it.

    Redirects are built of a copy of the request's headers, which has no credential. Transports that call
    `trace` have copied the headers by then: after them the request has none either.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._worn: WornHeaders | None = None
        self._next_trace = request.extensions.get("trace")  # the caller's, or that of an earlier try
        request.extensions = {**request.extensions, "trace": self.trace}

    def put_on(self, worn: WornHeaders) -> Request:
        """The request with these headers."""
        self._request.headers = self._worn = worn
        return self._request

    def take_off(self) -> None:
        """The request without them; with those of a later try, if it has come to that."""
        if self._worn is not None and self._request.headers is self._worn:
            self._request.headers = self._worn.bare()

    def trace(self, event: str, info: Any) -> Any:
        """What a transport tells while it works."""
        self.take_off()
        if self._next_trace is not None:
            self._next_trace(event, info)


class _AsyncDressing(_Dressing):
    async def trace(self, event: str, info: Any) -> Any:
        self.take_off()
        if self._next_trace is not None:
            await self._next_trace(event, info)
