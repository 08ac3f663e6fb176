"""An ASGI application whose paths are exact: `/mcp/` is not `/mcp`, and nothing is there.

Starlette would redirect to the path without its slash, at an address put together from what the request says
of itself. Behind a proxy that ends TLS that is plain http, and a client would send its token there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute


def application(
    routes: Sequence[BaseRoute],
    *,
    middleware: Sequence[Middleware] = (),
    exception_handlers: Mapping[Any, Any] | None = None,
) -> Starlette:
    """The application of these routes."""
    return exact(Starlette(routes=routes, middleware=middleware, exception_handlers=exception_handlers))


def exact(app: Starlette) -> Starlette:
    """The application, which redirects nobody to another path of its own."""
    app.router.redirect_slashes = False
    return app
