"""Where browsers come: path → page. ASGI; what programs ask is in `doors` and `documents`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ostiary.authserver.pages import asset_routes
from ostiary.authserver.parts import Parts


def asgi(parts: Parts, *, doors: Collection[bytes], documents: Collection[bytes]) -> Starlette:
    """All that is no door. doors, documents: their paths, to say which method they take."""
    routes = [
        *asset_routes(),
        *(Route(path.decode(), _wrong_method("POST"), methods=_ALL) for path in doors),
        *(Route(path.decode(), _wrong_method("GET"), methods=_ALL) for path in documents),
    ]
    return Starlette(
        routes=routes,
        middleware=[
            Middleware(
                CORSMiddleware, allow_origins=["*"], allow_methods=["GET", "POST"], allow_headers=["*"]
            )
        ],
        exception_handlers={404: _not_found},
    )


_ALL = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"]


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
