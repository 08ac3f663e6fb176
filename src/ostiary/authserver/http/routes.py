"""Which path leads where: doors for what is posted by programs, ASGI for browsers and documents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ostiary.authserver.discovery import discovery_document
from ostiary.authserver.http.door import Handler, door
from ostiary.authserver.http.form_request import read_form_request
from ostiary.authserver.parts import Parts
from ostiary.authserver.signing.signing_keys import JWKS_MAX_AGE
from ostiary.authserver.token_endpoint import TokenEndpoint
from ostiary.oauth.endpoint_url import endpoint_path, well_known_paths
from ostiary.transport.direct import Door

CACHED = f"public, max-age={int(JWKS_MAX_AGE)}"


def doors(parts: Parts) -> dict[bytes, Door]:
    """What programs post to."""
    forms: dict[str, Handler] = {"/oauth/token": TokenEndpoint(parts)}
    return {
        endpoint_path(parts.issuer, path).encode(): door(handler, url=parts.url(path), read=read_form_request)
        for path, handler in forms.items()
    }


def asgi(parts: Parts, *, only_post: list[str]) -> Starlette:
    """All else. only_post: paths of the doors, which are told apart from paths that do not exist."""
    metadata = msgspec.json.encode(discovery_document(parts.settings))
    routes = [
        Route(path, _document(lambda: metadata), methods=["GET"]) for path in well_known_paths(parts.issuer)
    ]
    jwks_path = endpoint_path(parts.issuer, "/.well-known/jwks.json")
    routes.append(Route(jwks_path, _document(parts.signing.jwks), methods=["GET"]))
    routes += [Route(path, _only_post, methods=["GET", "PUT", "DELETE", "PATCH"]) for path in only_post]
    return Starlette(
        routes=routes,
        middleware=[
            Middleware(
                CORSMiddleware, allow_origins=["*"], allow_methods=["GET", "POST"], allow_headers=["*"]
            )
        ],
        exception_handlers={404: _not_found},
    )


def _document(content: Callable[[], bytes]) -> Any:
    async def answer(_: Request) -> Response:
        return Response(content(), media_type="application/json", headers={"cache-control": CACHED})

    return answer


async def _only_post(_: Request) -> Response:
    return JSONResponse(
        {"error": "invalid_request", "error_description": "this endpoint takes POST requests"},
        status_code=405,
        headers={"allow": "POST"},
    )


async def _not_found(_: Request, __: Exception) -> Response:
    return JSONResponse({"error": "not_found", "error_description": "nothing is here"}, status_code=404)
