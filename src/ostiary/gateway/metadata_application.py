"""What browsers and OAuth clients read: resource metadata (RFC 9728), and plain refusals of all else."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ostiary.transport.application import application

DISCOVERY_CACHE = "public, max-age=300"


class LiveApplication:
    """The one in force, which a reload replaces."""

    current: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have it answer."""
        await self.current(scope, receive, send)


def metadata_application(
    metadata: Mapping[str, Mapping[str, Any]], endpoints: Collection[str], origins: list[str]
) -> Starlette:
    """The gateway's ASGI half.

    metadata: well-known path → document; endpoints: paths that take POST; origins: pages that may call.
    """

    async def read_metadata(request: Request) -> Response:
        document = metadata[request.url.path]
        return JSONResponse(
            document, headers={"cache-control": DISCOVERY_CACHE, "access-control-allow-origin": "*"}
        )

    async def only_post(_: Request) -> Response:
        return JSONResponse(
            {"error": "method_not_allowed", "error_description": "MCP requests are POST requests"},
            status_code=405,
            headers={"allow": "POST"},
        )

    return application(
        [
            *(Route(path, read_metadata, methods=["GET"]) for path in metadata),
            *(Route(path, only_post, methods=["GET", "PUT", "DELETE", "PATCH"]) for path in endpoints),
        ],
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=origins,
                allow_methods=["POST", "GET", "DELETE"],
                allow_headers=["*"],
            )
        ],
        exception_handlers={404: _not_found},
    )


async def _not_found(_: Request, __: Exception) -> Response:
    return JSONResponse({"error": "not_found", "error_description": "nothing is here"}, status_code=404)
