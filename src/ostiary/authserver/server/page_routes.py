"""Where browsers come: path → page. ASGI; what programs ask is in `doors` and `documents`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from functools import partial

from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from ostiary.authserver import device_pages
from ostiary.authserver.connections.connect import ask, begin
from ostiary.authserver.connections.context import ConnectionsContext
from ostiary.authserver.connections.ending import disconnect_account, end_access, sign_out
from ostiary.authserver.connections.listing import listing
from ostiary.authserver.connections.offline_access import allow_offline_access, revoke_offline_access
from ostiary.authserver.connections.replacement_offer import decide
from ostiary.authserver.connections.sign_in import choose
from ostiary.authserver.http.page_door import page_door
from ostiary.authserver.interaction.authorize import authorize
from ostiary.authserver.interaction.connect_accounts import connect_accounts
from ostiary.authserver.interaction.consent import consent
from ostiary.authserver.interaction.replace_account import replace
from ostiary.authserver.interaction.step_page import step_page
from ostiary.authserver.pages import asset_routes
from ostiary.authserver.server.callback import callback
from ostiary.oauth.canonical_url import canonical_url
from ostiary.transport.application import application
from ostiary.transport.asked_ahead import is_asked_ahead

PagesHandler = Callable[[Request, ConnectionsContext], Awaitable[Response]]

PAGES: list[tuple[str, str, PagesHandler]] = [
    ("GET", "/oauth/authorize", authorize),
    ("POST", "/oauth/authorize", authorize),
    ("GET", "/oauth/callback/{idp}", callback),
    ("GET", "/oauth/walk", step_page),
    ("POST", "/oauth/walk", connect_accounts),
    ("POST", "/oauth/consent", consent),
    ("POST", "/oauth/replace", replace),
    ("GET", "/connections", listing),
    ("POST", "/connections/sign-in", choose),
    ("POST", "/connections/sign-out", sign_out),
    ("POST", "/connections/replace", decide),
    ("POST", "/connections/disconnect", disconnect_account),
    ("POST", "/connections/end", end_access),
    ("POST", "/connections/away", allow_offline_access),
    ("POST", "/connections/away/revoke", revoke_offline_access),
    ("GET", "/connect/{idp}", ask),
    ("POST", "/connect/{idp}", begin),
    ("GET", "/device", device_pages.enter),
    ("POST", "/device", device_pages.look_up),
    ("POST", "/device/decide", device_pages.decide),
]
"""What people's browsers ask for, below the issuer's own path."""


def asgi(context: ConnectionsContext, *, doors: Collection[bytes], documents: Collection[bytes]) -> Starlette:
    """All that is no door. doors, documents: their paths, to say which method they take.

    What programs ask may be asked by the scripts of any site; no other site's script may read a page.
    """
    programs = application(
        [
            *(Route(path.decode(), _wrong_method("POST"), methods=_ALL) for path in doors),
            *(Route(path.decode(), _wrong_method("GET"), methods=_ALL) for path in documents),
        ],
        exception_handlers={404: _not_found},
    )
    anybody = CORSMiddleware(
        programs, allow_origins=["*"], allow_methods=["GET", "POST"], allow_headers=["*"]
    )
    below = canonical_url(context.issuer).path
    return application([*asset_routes(below), *_pages(context, below), Mount("/", app=anybody)])


_ALL = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"]


def _pages(context: ConnectionsContext, below: str) -> list[BaseRoute]:
    """One route a path, which tells the methods apart."""
    by_path: dict[str, dict[str, PagesHandler]] = {}
    for method, path, handler in PAGES:
        by_path.setdefault(below + path, {})[method] = handler
    return [
        Route(path, _of_methods(context, handlers, below), methods=_ALL) for path, handlers in by_path.items()
    ]


def _of_methods(
    context: ConnectionsContext, handlers: dict[str, PagesHandler], below: str
) -> Callable[[Request], Awaitable[Response]]:
    doors = {method: page_door(partial(_asked, handler, context)) for method, handler in handlers.items()}
    allowed = ", ".join(sorted(doors))

    async def answer(request: Request) -> Response:
        request.scope["root_path"] = below  # where a page finds its stylesheet
        if is_asked_ahead(request.headers):
            return _not_yet()
        door = doors.get(request.method)
        return await (_wrong_method(allowed) if door is None else door)(request)

    return answer


async def _asked(handler: PagesHandler, context: ConnectionsContext, request: Request) -> Response:
    return await handler(request, context)


def _not_yet() -> Response:
    """A browser that hears this forgets it, and asks again when somebody wants to see the page."""
    return Response(status_code=503, headers={"cache-control": "no-store"})


def _wrong_method(right: str) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_: Request) -> Response:
        return JSONResponse(
            {"error": "invalid_request", "error_description": f"this endpoint takes {right} requests"},
            status_code=405,
            headers={"allow": right},
        )

    return answer


async def _not_found(_: Request, __: Exception) -> Response:
    return JSONResponse({"error": "not_found", "error_description": "nothing is here"}, status_code=404)
