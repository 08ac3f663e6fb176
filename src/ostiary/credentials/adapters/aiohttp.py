"""A credential on every request of an `aiohttp.ClientSession`, to its own server and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.credentials.adapters.server_credential import ServerCredential, url_as_sent
from ostiary.credentials.headers.headers import MOST_TRIES, OutgoingRequest, ServerRefusal

if TYPE_CHECKING:
    from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

    from ostiary.credentials import Credential
    from ostiary.credentials.headers.headers import Headers
    from ostiary.credentials.runtime import Runtime
    from ostiary.oauth.canonical_url import CanonicalUrl


class CredentialAuth:
    """A client middleware: `aiohttp.ClientSession(middlewares=[CredentialAuth(...)])`.

    aiohttp calls it for each hop of a redirect, with headers that know nothing of the hop before. A 401
    drops the token, fetches a new one once, and tries once more.
    runtime: shared with other adapters of the same event loop, so that servers which want the same token
    share it. Raises CredentialError from the request when the credential can't be had.
    """

    def __init__(
        self, credential: Credential, *, server_url: str | CanonicalUrl, runtime: Runtime | None = None
    ) -> None:
        self._server = ServerCredential(credential, server_url, runtime)

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Send with the credential; refused, once more with a new one."""
        url = url_as_sent(str(request.url.origin()), request.url.raw_path_qs)
        if url is None or url.origin != self._server.origin:
            return await handler(request)
        outgoing = OutgoingRequest(request.method, url, await _read(request))
        headers: Headers = ()
        for tries in range(MOST_TRIES):
            for name, _ in headers:
                request.headers.pop(name, None)
            headers = await self._server.headers(outgoing)
            request.headers.update(headers)
            response = await handler(request)
            if not ServerRefusal.is_one(response.status):
                if tries and ServerRefusal.is_none(response.status):
                    self._server.accepted(outgoing, headers)
                break
            again = self._server.refused(outgoing, headers, _refusal(response))
            if not again or tries + 1 == MOST_TRIES:
                break
            response.release()
        return response


async def _read(request: ClientRequest) -> bytes:
    """The body; what comes as a stream is kept, so that it can be sent twice."""
    return request.body if isinstance(request.body, bytes) else await request.body.as_bytes()


def _refusal(response: ClientResponse) -> ServerRefusal:
    challenge = ", ".join(response.headers.getall("www-authenticate", ()))
    return ServerRefusal(response.status, challenge, response.headers.get("dpop-nonce"))
