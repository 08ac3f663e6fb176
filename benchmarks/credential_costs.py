"""Measure providers of a cached token, one beside the other; prints JSON. Runs in the peers' environment.

A request is built, given to the provider, and answered with 200 by us: no network, so that what is left is
the provider's own cost.
"""

from __future__ import annotations

import asyncio
import base64
import json
import statistics
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx2
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from fastmcp.client.auth import ClientCredentialsOAuthProvider as FastMCPProvider
from google.adk.auth.auth_credential import (
    AuthCredential,
    AuthCredentialTypes,
    ServiceAccount,
    ServiceAccountCredential,
)
from google.adk.tools.openapi_tool.auth.credential_exchangers.service_account_exchanger import (
    ServiceAccountCredentialExchanger,
)
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.shared.auth import OAuthToken

from ostiary.credentials import GoogleIdToken
from ostiary.credentials.adapters.httpx2 import CredentialAuth
from ostiary.credentials.adapters.server_credential import ServerCredential
from ostiary.credentials.headers.headers import OutgoingRequest

ORIGIN = "https://mcp.example.com"
URL = f"{ORIGIN}/mcp"
BODY = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{}}}'
TRACED = 20
"""How often a transport calls `trace` for one request, which our adapter uses."""
AT_ONCE = 16
SLOW = 0.05
"""Seconds that each of those takes."""

Provider = Callable[[httpx2.Request, float], Awaitable[None]]


def stepped(auth: httpx2.Auth) -> Provider:
    """A provider that is an httpx2.Auth."""

    async def send(request: httpx2.Request, seconds: float) -> None:
        flow = auth.async_auth_flow(request)
        sent = await flow.__anext__()
        if trace := sent.extensions.get("trace"):
            for _ in range(TRACED):
                await trace("event", {})
        if seconds:
            await asyncio.sleep(seconds)
        try:
            await flow.asend(httpx2.Response(200, request=sent))
        except StopAsyncIteration:
            return
        raise RuntimeError("200 was not enough")

    return send


def alone(credential: GoogleIdToken) -> Provider:
    """Our credential, without an HTTP library."""
    server = ServerCredential(credential, URL)
    outgoing = OutgoingRequest("POST", server.url, BODY)

    async def send(request: httpx2.Request, seconds: float) -> None:
        for name, value in await server.headers(outgoing):
            request.headers[name] = value
        if seconds:
            await asyncio.sleep(seconds)

    return send


def exchanged(credential: AuthCredential) -> Provider:
    """ADK's, which is asked before a tool is called; blocks while it fetches."""
    exchanger = ServiceAccountCredentialExchanger()

    async def send(request: httpx2.Request, seconds: float) -> None:
        token = exchanger.exchange_credential(None, credential)
        request.headers["authorization"] = f"Bearer {token.http.credentials.token}"
        if seconds:
            await asyncio.sleep(seconds)

    return send


async def microseconds(send: Provider, *, requests: int, repeats: int) -> float:
    """For one request, when a token is at hand: the median of the runs."""
    await send(httpx2.Request("POST", URL, content=BODY), 0)
    runs = []
    for _ in range(repeats):
        built = [httpx2.Request("POST", URL, content=BODY) for _ in range(requests)]
        begun = time.perf_counter()
        for request in built:
            await send(request, 0)
        runs.append((time.perf_counter() - begun) / requests * 1e6)
    return statistics.median(runs)


async def slow_at_once(send: Provider) -> float:
    """How long many slow requests at once take, in times of one."""
    begun = time.perf_counter()
    await asyncio.gather(*(send(httpx2.Request("POST", URL, content=BODY), SLOW) for _ in range(AT_ONCE)))
    return (time.perf_counter() - begun) / SLOW


class Issuer(BaseHTTPRequestHandler):
    """Google's token endpoint, as far as a key file is concerned."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        claims = {"aud": ORIGIN, "exp": int(time.time()) + 3600, "iat": int(time.time())}
        parts = [json.dumps(part).encode() for part in ({"alg": "RS256", "typ": "JWT"}, claims)]
        parts.append(b"unsigned")
        token = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
        answer = json.dumps({"id_token": token}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class's name
        pass


@contextmanager
def key() -> Iterator[dict[str, str]]:
    """A service account's key, and the endpoint that it names."""
    server = HTTPServer(("127.0.0.1", 0), Issuer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    pem = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    url = f"http://127.0.0.1:{server.server_port}/token"
    names = ("project_id", "private_key_id", "client_id", "auth_uri")
    certificates = ("auth_provider_x509_cert_url", "client_x509_cert_url")
    known = {"type": "service_account", "client_email": "bench@example.iam.gserviceaccount.com"}
    yield (
        dict.fromkeys((*names, *certificates), "x")
        | known
        | {
            "private_key": pem.decode(),
            "token_uri": url,
            "universe_domain": "googleapis.com",
        }
    )
    server.shutdown()
    server.server_close()


class Storage:
    """What the SDK's provider keeps its token in."""

    tokens: OAuthToken | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> None:
        return None

    async def set_client_info(self, client_info: Any) -> None:
        pass


async def sdk() -> Provider:
    provider = ClientCredentialsOAuthProvider(
        URL, Storage(), "id", "secret", issuer="https://issuer.example.com"
    )
    return await with_token(provider)


async def fastmcp() -> Provider:
    provider = FastMCPProvider(
        URL, client_id="id", client_secret="secret", issuer="https://issuer.example.com"
    )
    return await with_token(provider)


async def with_token(provider: ClientCredentialsOAuthProvider) -> Provider:
    token = OAuthToken(access_token="token", token_type="Bearer", expires_in=3600)
    await provider.context.storage.set_tokens(token)
    return stepped(provider)


async def main(requests: int, repeats: int) -> dict[str, dict[str, float]]:
    with key() as info, tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(info, file)
        file.flush()
        account = ServiceAccount(
            service_account_credential=ServiceAccountCredential.model_validate(info),
            use_id_token=True,
            audience=ORIGIN,
        )
        for_adk = AuthCredential(auth_type=AuthCredentialTypes.SERVICE_ACCOUNT, service_account=account)
        ours = GoogleIdToken(key_file=Path(file.name))
        providers = {
            "nothing": stepped(httpx2.Auth()),
            "ostiary": stepped(CredentialAuth(ours, server_url=URL)),
            "ready": alone(ours),
            "adk": exchanged(for_adk),
            "sdk": await sdk(),
            "fastmcp": await fastmcp(),
        }
        return {
            name: {
                "microseconds": await microseconds(send, requests=requests, repeats=repeats),
                "at_once": await slow_at_once(send),
            }
            for name, send in providers.items()
        }


warnings.simplefilter("ignore")
print(json.dumps(asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))))
