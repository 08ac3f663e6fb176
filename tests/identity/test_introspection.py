"""Opaque tokens, whose issuer is asked what they are worth (RFC 7662): against a real one on loopback."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from ostiary.identity.authenticator import Authenticator
from ostiary.identity.inbound_settings import IntrospectionInbound, OidcInbound
from ostiary.identity.introspection import Introspection
from ostiary.identity.key_sets import KeySets
from ostiary.oauth.errors import InsufficientScope, InvalidToken, TemporarilyUnavailable
from ostiary.transport.fetch import Fetcher

AUDIENCE = "https://mcp.example.com/mcp"
SECRET = "correct-horse-battery-staple"
TOKEN = "opaque-1"


@dataclass
class AuthorizationServer:
    """What it is asked, and what it says of which token."""

    url: str = ""
    tokens: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Token and Authorization header."""
    reply: Callable[[], web.Response] | None = None
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def introspect(self, request: web.Request) -> web.Response:
        form = await request.post()
        token = str(form["token"])
        self.asked.append((token, request.headers.get("authorization", "")))
        await self.go_on.wait()
        if self.reply is not None:
            return self.reply()
        return web.json_response(self.tokens.get(token, {"active": False}))

    async def metadata(self, _request: web.Request) -> web.Response:
        return web.json_response({"issuer": self.url, "introspection_endpoint": f"{self.url}/introspect"})


@pytest.fixture
async def server() -> AsyncIterator[AuthorizationServer]:
    server = AuthorizationServer()
    server.go_on.set()
    app = web.Application()
    app.router.add_post("/introspect", server.introspect)
    app.router.add_get("/.well-known/oauth-authorization-server", server.metadata)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = "http://{}:{}".format(*runner.addresses[0][:2])
    yield server
    server.go_on.set()
    await runner.cleanup()


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("INTROSPECTION_SECRET", SECRET)
    return {"env": "INTROSPECTION_SECRET"}


@pytest.fixture
def entry(server: AuthorizationServer, secret: dict[str, str]) -> IntrospectionInbound:
    return made(server, secret)


def made(server: AuthorizationServer, secret: Any, **more: Any) -> IntrospectionInbound:
    said = {"issuer": server.url, "client_id": "gateway", "client_secret": secret, **more}
    return IntrospectionInbound.model_validate({"type": "introspection", **said})


def authenticator(entries: list[Any], clock: Any) -> Authenticator:
    fetcher = Fetcher()
    made = {
        id(entry): Introspection(entry, fetcher, clock)
        for entry in entries
        if isinstance(entry, IntrospectionInbound)
    }
    return Authenticator(
        entries,
        audiences=(AUDIENCE,),
        key_sets=KeySets(fetcher, clock=clock),
        introspection=lambda entry: made[id(entry)],
        clock=clock,
    )


def active(clock: Any, **more: Any) -> dict[str, Any]:
    said = {"active": True, "sub": "ada", "aud": AUDIENCE, "client_id": "app", "scope": "mcp read"}
    return {**said, "exp": int(clock.now) + 3600, **more}


async def test_an_active_token_names_its_principal_and_is_asked_about_once(
    server: AuthorizationServer, entry: IntrospectionInbound, clock: Any
) -> None:
    server.tokens[TOKEN] = active(clock)
    auth = authenticator([entry], clock)
    principals = [await auth.authenticate(TOKEN) for _ in range(3)]
    assert len(set(map(id, principals))) == 1
    principal = principals[0]
    assert (principal.issuer, principal.subject, principal.client_id) == (server.url, "ada", "app")
    assert principal.scopes == {"mcp", "read"}
    basic = base64.b64encode(f"gateway:{SECRET}".encode()).decode()
    assert server.asked == [(TOKEN, f"Basic {basic}")]
    assert auth.cached_principal(TOKEN) is principal


async def test_a_revoked_token_opens_the_door_for_as_long_as_an_answer_counts_and_no_longer(
    server: AuthorizationServer, entry: IntrospectionInbound, clock: Any
) -> None:
    server.tokens[TOKEN] = active(clock)
    auth = authenticator([entry], clock)
    await auth.authenticate(TOKEN)
    del server.tokens[TOKEN]
    clock.now += 29
    assert (await auth.authenticate(TOKEN)).subject == "ada"
    clock.now += 2
    with pytest.raises(InvalidToken, match="the token is not active"):
        await auth.authenticate(TOKEN)


async def test_a_token_that_expires_meanwhile_opens_nothing(
    server: AuthorizationServer, entry: IntrospectionInbound, clock: Any
) -> None:
    server.tokens[TOKEN] = active(clock, exp=int(clock.now) + 5)
    auth = authenticator([entry], clock)
    await auth.authenticate(TOKEN)
    clock.now += 6
    assert auth.cached_principal(TOKEN) is None


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"active": False}, "inactive"),
        ({"aud": "https://other.example.com"}, "wrong_audience"),
        ({"aud": None}, "missing_claim"),
        ({"exp": 1}, "expired"),
        ({"sub": None, "client_id": None}, "missing_claim"),
        ({"sub": 7, "client_id": None}, "missing_claim"),
        ({"iss": "https://other.example.com"}, "wrong_issuer"),
        ({"nbf": 10**11}, "not_yet_valid"),
    ],
)
async def test_a_token_that_is_not_for_this_door_is_refused(
    server: AuthorizationServer, entry: IntrospectionInbound, clock: Any, said: Any, reason: str
) -> None:
    server.tokens[TOKEN] = active(clock, **said)
    with pytest.raises(InvalidToken) as refused:
        await authenticator([entry], clock).authenticate(TOKEN)
    assert refused.value.reason == reason


async def test_a_program_without_a_subject_is_its_client(
    server: AuthorizationServer, entry: IntrospectionInbound, clock: Any
) -> None:
    server.tokens[TOKEN] = active(clock, sub=None)
    assert (await authenticator([entry], clock).authenticate(TOKEN)).subject == "app"


async def test_a_token_without_the_scope_is_told_which(
    server: AuthorizationServer, secret: dict[str, str], clock: Any
) -> None:
    server.tokens[TOKEN] = active(clock)
    entry = made(server, secret, required_scopes=["write"])
    with pytest.raises(InsufficientScope) as refused:
        await authenticator([entry], clock).authenticate(TOKEN)
    assert refused.value.scopes == ("write",)


@pytest.mark.parametrize(
    "reply",
    [
        lambda: web.Response(status=500),
        lambda: web.Response(status=401),
        lambda: web.Response(status=302, headers={"location": "/elsewhere"}),
        lambda: web.Response(text="<html>"),
        lambda: web.json_response([]),
        lambda: web.json_response({}),
        lambda: web.json_response({"active": "true"}),
        lambda: web.Response(text='{"active": true' + "[" * 10_000),
    ],
)
async def test_an_issuer_that_cannot_be_asked_lets_nobody_in_and_is_left_alone_for_a_second(
    server: AuthorizationServer, entry: IntrospectionInbound, clock: Any, reply: Any
) -> None:
    server.tokens[TOKEN] = active(clock)
    server.reply = reply
    auth = authenticator([entry], clock)
    for token in (TOKEN, TOKEN, "another"):
        with pytest.raises(TemporarilyUnavailable) as later:
            await auth.authenticate(token)
        assert (later.value.status, later.value.reason) == (503, "introspection_unavailable")
        assert SECRET not in later.value.detail
        assert TOKEN not in later.value.detail
    assert len(server.asked) == 1
    server.reply = None
    clock.now += 1
    assert (await auth.authenticate(TOKEN)).subject == "ada"


async def test_however_many_wait_for_one_token_its_issuer_is_asked_once(
    server: AuthorizationServer, entry: IntrospectionInbound, clock: Any
) -> None:
    server.tokens[TOKEN] = active(clock)
    server.go_on.clear()
    auth = authenticator([entry], clock)
    waiting = [asyncio.create_task(auth.authenticate(TOKEN)) for _ in range(50)]
    async with asyncio.timeout(10):
        while not server.asked:  # noqa: ASYNC110 - the server sets no event
            await asyncio.sleep(0.01)
        server.go_on.set()
        assert {principal.subject for principal in await asyncio.gather(*waiting)} == {"ada"}
    assert len(server.asked) == 1


async def test_a_flood_of_unknown_tokens_is_bounded(
    server: AuthorizationServer, entry: IntrospectionInbound, clock: Any
) -> None:
    server.go_on.clear()
    auth = authenticator([entry], clock)
    waiting = [asyncio.create_task(auth.authenticate(f"t{number}")) for number in range(100)]
    async with asyncio.timeout(10):
        done, _ = await asyncio.wait(waiting, timeout=2, return_when=asyncio.FIRST_COMPLETED)
        assert done
        server.go_on.set()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert sum(isinstance(one, TemporarilyUnavailable) for one in outcomes) == 36
    assert sum(isinstance(one, InvalidToken) for one in outcomes) == 64


@pytest.mark.parametrize("token", ["", "größe", "a b", "a" * 20_000, "=a", "a\r\nx: y"])
async def test_what_is_no_token_is_never_sent_to_the_issuer(
    server: AuthorizationServer, entry: IntrospectionInbound, clock: Any, token: str
) -> None:
    with pytest.raises(InvalidToken):
        await authenticator([entry], clock).authenticate(token)
    assert server.asked == []


async def test_jwts_of_a_configured_issuer_are_verified_here_and_opaque_tokens_there(
    server: AuthorizationServer, entry: IntrospectionInbound, clock: Any, issuer: Any
) -> None:
    server.tokens[TOKEN] = active(clock)
    auth = authenticator([OidcInbound(issuer=issuer.url), entry], clock)
    assert (await auth.authenticate(issuer.token())).issuer == issuer.url
    with pytest.raises(InvalidToken):
        await auth.authenticate(issuer.token(aud="https://other.example.com"))
    assert server.asked == []
    assert (await auth.authenticate(TOKEN)).issuer == server.url


async def test_metadata_of_another_issuer_sends_our_secret_nowhere(
    server: AuthorizationServer, secret: dict[str, str], clock: Any
) -> None:
    real, server.url = server.url, "https://victim.example.com"
    entry = IntrospectionInbound.model_validate(
        {"type": "introspection", "issuer": real, "client_id": "gateway", "client_secret": secret}
    )
    with pytest.raises(TemporarilyUnavailable):
        await authenticator([entry], clock).authenticate(TOKEN)
    assert server.asked == []


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({}, "name the issuer, or introspection_url"),
        ({"issuer": "http://as.example.com"}, "http"),
        ({"introspection_url": "http://as.example.com/x"}, "http"),
        ({"issuer": "https://as.example.com", "cache": "1h"}, "at most 10 minutes"),
    ],
)
def test_an_entry_that_cannot_be_is_a_fault(secret: dict[str, str], said: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        IntrospectionInbound.model_validate(
            {"type": "introspection", "client_id": "gateway", "client_secret": secret, **said}
        )
