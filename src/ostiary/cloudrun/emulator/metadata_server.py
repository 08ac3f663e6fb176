"""The metadata server: tells programs on Google who they are, and gives them tokens."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ostiary.cloudrun.emulator.tokens import LIFETIME

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from ostiary.cloudrun.emulator.google import Google
    from ostiary.cloudrun.emulator.service_accounts import ServiceAccount

    Handler = Callable[[Request], Awaitable[Response]]

METADATA_URLS = (
    "http://metadata.google.internal",
    "http://metadata.google.internal.",
    "http://169.254.169.254",
)
"""What it is called on Google, whose own programs may have it resolved, or routed, to this machine: those
for Node.js ask with the dot, those for Go and Python begin with the number."""
FLAVOR = {"Metadata-Flavor": "Google"}
ROOT = "/computeMetadata/v1"
ACCOUNT = ROOT + "/instance/service-accounts/{account}"
SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)


def routes(google: Google) -> list[Route]:
    """What it answers, for the account that the settings name; nothing when they name none."""
    if google.settings.metadata is None:
        return []
    server = MetadataServer(
        google, google.accounts[google.settings.email(google.settings.metadata.service_account)]
    )
    settings = google.settings
    return [
        Route("/", _text("computeMetadata/\n", guarded=False)),
        Route(f"{ROOT}/project/project-id", _text(settings.project)),
        Route(f"{ROOT}/project/numeric-project-id", _text(str(settings.project_number))),
        Route(
            f"{ROOT}/instance/region", _text(f"projects/{settings.project_number}/regions/{settings.region}")
        ),
        Route(
            f"{ROOT}/instance/zone", _text(f"projects/{settings.project_number}/zones/{settings.region}-1")
        ),
        Route(f"{ROOT}/universe/universe-domain", _text("googleapis.com")),
        Route(f"{ROOT}/instance/service-accounts/", _text(f"default/\n{server.account.email}/\n")),
        Route(f"{ACCOUNT}/", _guarded(server.info)),
        Route(f"{ACCOUNT}/email", _guarded(server.email)),
        Route(f"{ACCOUNT}/scopes", _text("\n".join(SCOPES))),
        Route(f"{ACCOUNT}/token", _guarded(server.token)),
        Route(f"{ACCOUNT}/identity", _guarded(server.identity)),
    ]


class MetadataServer:
    """The part of it that is about the one account."""

    def __init__(self, google: Google, account: ServiceAccount) -> None:
        self.account = account
        self._mint = google.mint

    async def info(self, request: Request) -> Response:
        """All about the account (`?recursive=true`), or the list of what there is about it."""
        if not self._is_asked_for(request):
            return _not_found()
        if request.query_params.get("recursive", "").lower() != "true":
            return PlainTextResponse("aliases\nemail\nidentity\nscopes\ntoken\n", headers=FLAVOR)
        about = {"aliases": ["default"], "email": self.account.email, "scopes": list(SCOPES)}
        return JSONResponse(about, headers=FLAVOR)

    async def email(self, request: Request) -> Response:
        """Its e-mail address."""
        if not self._is_asked_for(request):
            return _not_found()
        return PlainTextResponse(self.account.email, headers=FLAVOR)

    async def token(self, request: Request) -> Response:
        """An access token, for `?scopes=` or for everything."""
        if not self._is_asked_for(request):
            return _not_found()
        asked = request.query_params.get("scopes")
        token = self._mint.access_token(self.account, asked.split(",") if asked else SCOPES)
        return JSONResponse(
            {"access_token": token.value, "expires_in": LIFETIME, "token_type": "Bearer"}, headers=FLAVOR
        )

    async def identity(self, request: Request) -> Response:
        """An ID token for `?audience=`; with the e-mail address only when `format=full`."""
        if not self._is_asked_for(request):
            return _not_found()
        audience = request.query_params.get("audience")
        if not audience:
            return PlainTextResponse("non-empty audience parameter required\n", 400, FLAVOR)
        with_email = request.query_params.get("format") == "full"
        return PlainTextResponse(
            self._mint.id_token(self.account, audience, with_email=with_email), headers=FLAVOR
        )

    def _is_asked_for(self, request: Request) -> bool:
        return request.path_params["account"] in {"default", self.account.email}


def _guarded(handler: Handler) -> Handler:
    @wraps(handler)
    async def guarded(request: Request) -> Response:
        # The header is what a web page, or a server tricked into fetching a URL, cannot send.
        if request.headers.get("Metadata-Flavor") != "Google":
            return PlainTextResponse("Missing Metadata-Flavor:Google header.\n", 403, FLAVOR)
        if "X-Forwarded-For" in request.headers:
            return PlainTextResponse("Request came through a proxy.\n", 403, FLAVOR)
        return await handler(request)

    return guarded


def _text(content: str, *, guarded: bool = True) -> Handler:
    async def answer(_request: Request) -> Response:
        return PlainTextResponse(content, headers=FLAVOR)

    return _guarded(answer) if guarded else answer


def _not_found() -> Response:
    return PlainTextResponse("There is no such service account here.\n", 404, FLAVOR)
