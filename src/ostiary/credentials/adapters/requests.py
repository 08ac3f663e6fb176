"""A credential on every request of `requests`, to its own server and nowhere else."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from ostiary.credentials.adapters.server_credential import url_as_sent
from ostiary.credentials.blocking import BlockingCredential
from ostiary.credentials.headers.headers import MOST_TRIES, OutgoingRequest, ServerRefusal

if TYPE_CHECKING:
    from ostiary.credentials import Credential
    from ostiary.credentials.headers.headers import Headers
    from ostiary.credentials.runtime import Runtime
    from ostiary.oauth.canonical_url import CanonicalUrl


class CredentialAuth(AuthBase):
    """Attach a credential to the requests that go to the server's origin, from as many threads as there are.

    A 401 drops the token, fetches a new one once, and tries once more, unless the body is a stream, which
    can be read once only. A redirect is followed without the credential; one within the origin is then
    sent again with it, if the server wants that.
    runtime: shared with other adapters that block, so that servers which want the same token share it.
    Raises CredentialError from the request when the credential can't be had.
    """

    def __init__(
        self, credential: Credential, *, server_url: str | CanonicalUrl, runtime: Runtime | None = None
    ) -> None:
        self._server = BlockingCredential(credential, server_url=server_url, runtime=runtime)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """The request with the credential on it, when it goes to the server."""
        outgoing = self._own(request)
        if outgoing is not None:
            headers = self._server.headers(outgoing)
            request.headers.update(headers)
            request.hooks["response"].append(partial(self._answered, request, headers))
        return request

    def _answered(
        self,
        first: requests.PreparedRequest,
        worn: Headers,
        response: requests.Response,
        **options: Any,
    ) -> requests.Response:
        """Take the credential off, of which redirects are made; send again what was refused."""
        headers = worn if response.request is first else None
        for name, _ in worn:
            first.headers.pop(name, None)
        for _ in range(MOST_TRIES - 1):
            outgoing = self._own(response.request)
            if outgoing is None or not ServerRefusal.is_one(response.status_code):
                break
            if headers is not None and not self._server.refused(headers, _refusal(response), outgoing):
                break
            if _is_a_stream(response.request.body):
                break
            headers = self._server.headers(outgoing)
            response = _send_again(response, headers, options)
            if ServerRefusal.is_none(response.status_code):
                self._server.accepted(headers, outgoing)
        return response

    def _own(self, request: requests.PreparedRequest) -> OutgoingRequest | None:
        """What is sent, when it goes to the credential's own server."""
        parts = urlsplit(str(request.url))
        url = url_as_sent(f"{parts.scheme}://{parts.netloc}", request.path_url)
        if url is None or url.origin != self._server.origin:
            return None
        body = request.body.encode() if isinstance(request.body, str) else request.body
        return OutgoingRequest(str(request.method), url, body if isinstance(body, bytes) else b"")


def _is_a_stream(body: object) -> bool:
    return not isinstance(body, bytes | str | None)


def _send_again(refused: requests.Response, headers: Headers, options: dict[str, Any]) -> requests.Response:
    again = refused.request.copy()
    again.headers.update(headers)
    refused.close()
    answered: requests.Response = refused.connection.send(again, **options)
    answered.history.append(refused)
    answered.request = again
    return answered


def _refusal(response: requests.Response) -> ServerRefusal:
    challenge = response.headers.get("www-authenticate", "")
    return ServerRefusal(response.status_code, challenge, response.headers.get("dpop-nonce"))
