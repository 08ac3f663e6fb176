"""The emulator's own API, for tests.

POST /emulator/clock    {"offset": "1h"}               be that much ahead of the machine's time
POST /emulator/sign     {"claims": {}, "header": {}}   a token that no flow gives
GET  /emulator/minted                                  how many tokens were made
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import Field, ValidationError
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ostiary.cloudrun.emulator.google_error import InvalidArgument
from ostiary.cloudrun.emulator.odd_tokens import odd_token
from ostiary.settings import Duration, Settings

if TYPE_CHECKING:
    from starlette.requests import Request

    from ostiary.cloudrun.emulator.google import Google


Asked = TypeVar("Asked", bound=Settings)


class MoveClock(Settings):
    """How far ahead of the machine's time the emulator's is from now on."""

    offset: Duration


class Sign(Settings):
    """What a token should say; its header has `alg` RS256 and the key's `kid` unless it is said otherwise."""

    claims: dict[str, Any]
    header: dict[str, Any] = Field(default_factory=dict)


def routes(google: Google) -> list[Route]:
    """The three of them."""

    async def clock(request: Request) -> Response:
        google.clock.offset = (await _asked(MoveClock, request)).offset
        return JSONResponse({"now": google.clock()})

    async def sign(request: Request) -> Response:
        asked = await _asked(Sign, request)
        try:
            return JSONResponse({"token": odd_token(google.key, asked.claims, asked.header)})
        except ValueError as error:
            raise InvalidArgument(str(error)) from None

    async def minted(_request: Request) -> Response:
        return JSONResponse({kind: google.mint.minted[kind] for kind in ("id_token", "access_token")})

    return [
        Route("/emulator/clock", clock, methods=["POST"]),
        Route("/emulator/sign", sign, methods=["POST"]),
        Route("/emulator/minted", minted),
    ]


async def _asked(model: type[Asked], request: Request) -> Asked:
    # No page of another origin sends this type without asking before, in any browser.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise InvalidArgument("the request's Content-Type is not application/json")
    try:
        return model.model_validate_json(await request.body())
    except ValidationError as error:
        faults = (
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}".removeprefix(": ")
            for fault in error.errors()
        )
        raise InvalidArgument("; ".join(faults)) from None
