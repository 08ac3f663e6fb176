"""The public half of what signs ID tokens: a JWK set (RFC 7517), and OpenID Connect Discovery of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ostiary.cloudrun.emulator.keys import ALGORITHM
from ostiary.cloudrun.emulator.tokens import ISSUER

if TYPE_CHECKING:
    from starlette.requests import Request

    from ostiary.cloudrun.emulator.google import Google

JWKS_PATH = "/oauth2/v3/certs"


def routes(google: Google) -> list[Route]:
    """The key set and the document."""

    async def jwks(_request: Request) -> Response:
        return JSONResponse(google.key.public_jwks())

    async def configuration(_request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": ISSUER,
                "token_endpoint": f"{google.url}/token",
                "jwks_uri": google.url + JWKS_PATH,
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": [ALGORITHM],
            }
        )

    return [Route(JWKS_PATH, jwks), Route("/.well-known/openid-configuration", configuration)]
