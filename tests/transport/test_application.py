"""Paths are exact: whoever adds a slash is told that nothing is there, and sent nowhere."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

import ostiary
from ostiary.settings import Listen
from ostiary.telemetry.endpoints import telemetry_app
from ostiary.telemetry.metrics import Metrics
from ostiary.transport.application import application
from ostiary.transport.serving import address_of, bind, serving
from ostiary.zoo.server import zoo_app

SOURCE = Path(ostiary.__file__).parent


@asynccontextmanager
async def asking(app: ASGIApp) -> AsyncIterator[httpx2.AsyncClient]:
    sock = bind(Listen("127.0.0.1", 0))
    origin = f"http://{address_of(sock)}"
    async with serving(app, sock), httpx2.AsyncClient(base_url=origin, trust_env=False) as client:
        yield client


async def _here(_: Request) -> Response:
    return PlainTextResponse("here")


APPS: list[tuple[Any, str, str]] = [
    (lambda: application([Route("/a", _here), Route("/b/", _here)]), "GET", "/a/"),
    (lambda: application([Route("/a", _here), Route("/b/", _here)]), "GET", "/b"),
    (lambda: application([Mount("/below", application([Route("/a", _here)]))]), "GET", "/below/a/"),
    (lambda: telemetry_app(Metrics([]), {}), "GET", "/metrics/"),
    (zoo_app, "POST", "/mcp/"),
]


@pytest.mark.parametrize(("app", "method", "path"), APPS)
async def test_a_slash_too_many_is_not_found_and_redirects_nobody(app: Any, method: str, path: str) -> None:
    async with asking(app()) as client:
        answer = await client.request(method, path, headers={"x-forwarded-proto": "https"})
    assert (answer.status_code, answer.headers.get("location")) == (404, None)


def test_every_application_is_made_there() -> None:
    made = re.compile(r"\bStarlette\(|\.streamable_http_app\(")
    lines = [
        f"{file.relative_to(SOURCE)}: {line.strip()}"
        for file in sorted(SOURCE.rglob("*.py"))
        for line in file.read_text().splitlines()
        if made.search(line) and "exact(" not in line
    ]
    assert lines == []


def test_no_redirect_is_put_together_from_what_a_request_says_of_its_address() -> None:
    own_words = re.compile(r"url_for\(|\.base_url\b|request\.url\b(?!\.(path|origin))|RedirectResponse\(")
    allowed = {
        "authserver/development/endpoints.py",  # to the client's registered address, of this machine
        "credentials/adapters/httpx_flow.py",  # requests that we send
        "cli/bridging/http.py",
        "credentials/adapters/answering_client.py",
        "credentials/adapters/requests.py",
        "credentials/adapters/aiohttp.py",
        "credentials/aws/signed_headers.py",
        "credentials/headers/token_headers.py",
    }
    found = {
        str(file.relative_to(SOURCE))
        for file in SOURCE.rglob("*.py")
        if own_words.search(file.read_text()) and str(file.relative_to(SOURCE)) not in allowed
    }
    assert found == set()
