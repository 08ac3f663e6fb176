"""A development provider's pages and documents, on this machine alone."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from ostiary.authserver.development.people import PEOPLE
from ostiary.authserver.development.provider import OnlyClient, Provider
from ostiary.authserver.pages import (
    DevelopmentAccount,
    DevelopmentSignIn,
    ErrorPage,
    Form,
    Onward,
    asset_routes,
    page_response,
)
from ostiary.oauth.errors import OAuthError
from ostiary.oauth.server.errors import InvalidClient
from ostiary.oauth.server.parameters import Parameters, read_parameters
from ostiary.transport.application import application
from ostiary.transport.limits import Limits
from ostiary.transport.same_origin import SameOrigin
from ostiary.transport.serving import ListenRefused, address_of, serving

LIMITS = Limits(body_bytes=64 * 1024)
"""Forms are small."""
ACCOUNTS = [DevelopmentAccount(one.name, one.display_name, one.email) for one in PEOPLE.values()]
"""As the page shows them."""
_UNKEPT = {"cache-control": "no-store", "pragma": "no-cache"}


class OnlyOnThisMachine(ListenRefused):
    """Somebody wants to listen where others could reach it: they could sign in as anybody."""


class DevelopmentIdp:
    """A development provider on a socket. clock: seconds since the epoch."""

    def __init__(
        self, sock: socket.socket, client: OnlyClient, *, clock: Callable[[], float] = time.time
    ) -> None:
        """Raises OnlyOnThisMachine."""
        listen = address_of(sock)
        if not listen.is_loopback:
            raise OnlyOnThisMachine(
                f"the development identity provider does not listen on {listen}: "
                "whoever reaches it signs in as anybody, so it is for this machine alone"
            )
        self._sock = sock
        self.issuer = f"http://{listen}"
        self._provider = Provider(self.issuer, client, clock)
        self._to = urlsplit(client.redirect_uri).netloc

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Answer while the block runs."""
        hosts = frozenset({str(address_of(self._sock))})
        app = SameOrigin(self._app(), hosts)
        async with serving(app, self._sock, limits=LIMITS, hosts=hosts):
            yield

    def _app(self) -> Starlette:
        metadata, jwks = self._provider.metadata(), self._provider.jwks()
        return application(
            [
                *asset_routes(),
                Route("/.well-known/openid-configuration", _document(metadata)),
                Route("/jwks", _document(jwks)),
                Route("/authorize", self._ask, methods=["GET"]),
                Route("/authorize", self._answer, methods=["POST"]),
                Route("/token", _json(self._token), methods=["POST"]),
                Route("/userinfo", _json(self._userinfo), methods=["GET", "POST"]),
                Route("/revoke", _json(self._revoke), methods=["POST"]),
            ]
        )

    async def _ask(self, request: Request) -> Response:
        try:
            parameters = read_parameters(request.scope["query_string"])
            self._provider.require_client(parameters)
        except OAuthError as error:
            return _refused(error)
        try:
            asked = self._provider.ask(parameters)
        except OAuthError as error:
            return RedirectResponse(self._provider.refuse(parameters, error), 303, headers=_UNKEPT)
        return page_response(DevelopmentSignIn(ACCOUNTS, Form("/authorize", csrf=asked)))

    async def _answer(self, request: Request) -> Response:
        """Only who saw the page knows what its form brings back, and it is good for one answer."""
        try:
            posted = read_parameters(await request.body())
            onward = self._provider.answer(posted.require("csrf"), posted.get("account"))
        except OAuthError as error:
            return _refused(error)
        return page_response(Onward(onward, self._to))

    async def _token(self, request: Request) -> JSONResponse:
        tokens = self._provider.token(await _form(request), request.headers.get("authorization"))
        return JSONResponse(tokens, headers=_UNKEPT)

    async def _userinfo(self, request: Request) -> JSONResponse:
        person = self._provider.userinfo(request.headers.get("authorization"))
        return JSONResponse(person, headers=_UNKEPT)

    async def _revoke(self, request: Request) -> JSONResponse:
        self._provider.revoke(await _form(request), request.headers.get("authorization"))
        return JSONResponse({}, headers=_UNKEPT)


async def _form(request: Request) -> Parameters:
    return read_parameters(await request.body())


def _document(content: dict[str, object]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_: Request) -> Response:
        return JSONResponse(content)

    return answer


def _json(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except OAuthError as error:
            status = 401 if isinstance(error, InvalidClient) else error.status
            said = {"error": error.error, "error_description": error.description}
            return JSONResponse(said, status, headers=_UNKEPT)

    return answer


def _refused(error: OAuthError) -> Response:
    return page_response(
        ErrorPage(
            "This sign-in does not work",
            error.description,
            "Go back to the program that sent you here, and begin again.",
            "development identity provider",
        )
    )
