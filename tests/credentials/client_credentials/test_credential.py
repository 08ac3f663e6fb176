"""Client credentials, RFC 6749 section 4.4: where we ask for a token, who we say we are, what we ask."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey
from tests.clock import Clock
from tests.credentials.token_server import TokenServer, refusing, saying
from tests.peers.certificates import CertificateAuthority

from ostiary.credentials import ClientCredentials, CredentialError
from ostiary.credentials.adapters.httpx2 import CredentialAuth
from ostiary.credentials.client_credentials.headers import MOST_STEP_UPS, ClientCredentialsHeaders
from ostiary.credentials.headers.headers import Headers, OutgoingRequest, ServerRefusal
from ostiary.credentials.runtime import Runtime
from ostiary.oauth.canonical_url import CanonicalUrl, canonical_url
from ostiary.secrets import Secret

SERVER = canonical_url("https://mcp.example.com/mcp")
REQUEST = OutgoingRequest("POST", SERVER)
MORE = 'Bearer error="insufficient_scope", scope="{}"'


@pytest.fixture
async def runtime(clock: Clock) -> AsyncIterator[Runtime]:
    async with Runtime(clock=clock) as runtime:
        yield runtime


def attached(
    at: TokenServer, runtime: Runtime, server: CanonicalUrl = SERVER, **settings: Any
) -> ClientCredentialsHeaders:
    settings = {"client_id": "ostiary", "token_url": at.token_url} | settings
    return ClientCredentials(**settings).attach(server, runtime=runtime)


def bearer(headers: Headers | None) -> str:
    return dict(headers or ())["authorization"]


# who we are


async def test_basic_encodes_name_and_secret_before_it_joins_them(
    issuer: TokenServer, runtime: Runtime
) -> None:
    settings: dict[str, Any] = {"client_id": "os:ti ary", "client_secret": Secret("a/b+c:ü%")}
    await attached(issuer, runtime, **settings).get(REQUEST)
    kind, value = issuer.headers[0]["authorization"].split()
    assert (kind, base64.b64decode(value)) == ("Basic", b"os%3Ati+ary:a%2Fb%2Bc%3A%C3%BC%25")
    assert issuer.forms == [{"grant_type": "client_credentials", "resource": str(SERVER)}]


async def test_post_puts_them_in_the_form(issuer: TokenServer, runtime: Runtime) -> None:
    await attached(
        issuer, runtime, client_secret=Secret("s"), auth_method="client_secret_post", resource=False
    ).get(REQUEST)
    assert issuer.forms == [
        {"grant_type": "client_credentials", "client_id": "ostiary", "client_secret": "s"}
    ]
    assert "authorization" not in issuer.headers[0]


async def test_an_issuer_that_lists_only_post_gets_post(issuer: TokenServer, runtime: Runtime) -> None:
    issuer.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    headers = attached(issuer, runtime, token_url=None, issuer=issuer.issuer, client_secret=Secret("s"))
    await headers.get(REQUEST)
    assert issuer.forms[0]["client_secret"] == "s"


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_the_line_feed_at_a_secret_s_end_is_sent_to_nobody(
    issuer: TokenServer, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    secret = Secret.from_env("OSTIARY_TEST_SECRET")
    headers = attached(issuer, runtime, client_secret=secret, auth_method=method)
    monkeypatch.setenv("OSTIARY_TEST_SECRET", "s3cret\n\n")
    with pytest.raises(CredentialError) as refused:
        await headers.get(REQUEST)
    assert "environment variable OSTIARY_TEST_SECRET has a line break" in str(refused.value)
    assert issuer.forms == []
    monkeypatch.setenv("OSTIARY_TEST_SECRET", "s3cret\n")
    await headers.get(REQUEST)
    basic = issuer.headers[0].get("authorization", "").removeprefix("Basic ")
    sent = base64.b64decode(basic).partition(b":")[2].decode() or issuer.forms[0]["client_secret"]
    assert sent == "s3cret"


@pytest.mark.parametrize(("audience", "who"), [("issuer", "{}"), ("endpoint", "{}/token")])
async def test_an_assertion_is_signed_for_the_issuer_or_the_endpoint(
    issuer: TokenServer, runtime: Runtime, clock: Clock, tmp_path: Path, ec_key: str, audience: str, who: str
) -> None:
    (tmp_path / "key.pem").write_text(ec_key)
    settings: dict[str, Any] = {"private_key": Secret.from_file(tmp_path / "key.pem"), "key_id": "k1"}
    headers = attached(
        issuer, runtime, token_url=None, issuer=issuer.issuer, assertion_audience=audience, **settings
    )
    await headers.get(REQUEST)
    form = issuer.forms[0]
    assertion = jwt.decode(form.pop("client_assertion"), ECKey.import_key(ec_key), algorithms=["ES256"])
    assert assertion.header == {"alg": "ES256", "typ": "JWT", "kid": "k1"}
    claims = assertion.claims
    assert len(claims.pop("jti")) >= 20
    assert claims == {
        "iss": "ostiary",
        "sub": "ostiary",
        "aud": who.format(issuer.issuer),
        "iat": clock.now,
        "exp": clock.now + 60,
    }
    assert form == {
        "grant_type": "client_credentials",
        "resource": str(SERVER),
        "client_id": "ostiary",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }


async def test_a_public_client_only_says_its_name(issuer: TokenServer, runtime: Runtime) -> None:
    await attached(issuer, runtime, audience="https://api.example.com", parameters={"tenant": "blue"}).get(
        REQUEST
    )
    assert issuer.forms == [
        {
            "grant_type": "client_credentials",
            "tenant": "blue",
            "resource": str(SERVER),
            "audience": "https://api.example.com",
            "client_id": "ostiary",
        }
    ]


async def test_a_secret_that_was_rotated_needs_no_restart(
    issuer: TokenServer, runtime: Runtime, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.write_text("old")
    issuer.answer = lambda request, form: (issuer if form["client_secret"] == "new" else _Refusing).numbered(
        request, form
    )
    headers = attached(
        issuer, runtime, client_secret=Secret.from_file(file), auth_method="client_secret_post"
    )
    for _ in range(3):
        with pytest.raises(CredentialError):
            await headers.get(REQUEST)
    assert len(issuer.forms) == 1  # it stays refused until somebody does something
    status = headers.status()
    assert status is not None
    assert status.needs_attention
    file.write_text("new")
    assert bearer(await headers.get(REQUEST)) == "Bearer token-1"
    status = headers.status()
    assert status is not None
    assert (status.needs_attention, status.last_error) == (False, None)


class _Refusing:
    numbered = staticmethod(refusing("invalid_client", status=401))


# where to ask


async def test_neither_server_nor_issuer_is_asked_when_the_endpoint_is_configured(
    issuer: TokenServer, runtime: Runtime
) -> None:
    await attached(issuer, runtime).get(REQUEST)
    assert issuer.paths == {"/token": 1}


async def test_many_credentials_ask_an_issuer_for_its_metadata_once(
    issuer: TokenServer, runtime: Runtime
) -> None:
    each = [
        attached(issuer, runtime, client_id=f"client-{number}", token_url=None, issuer=issuer.issuer)
        for number in range(50)
    ]
    await asyncio.gather(*(headers.get(REQUEST) for headers in each))
    assert issuer.paths == {"/.well-known/oauth-authorization-server": 1, "/token": 50}


async def test_metadata_that_cannot_be_had_again_is_believed_on(
    issuer: TokenServer, runtime: Runtime, clock: Clock
) -> None:
    headers = attached(issuer, runtime, token_url=None, issuer=issuer.issuer)
    await headers.get(REQUEST)
    issuer.metadata = {"issuer": "https://somebody.example"}
    clock.now += 3600
    assert bearer(await headers.get(REQUEST)) == "Bearer token-2"
    assert issuer.paths["/.well-known/oauth-authorization-server"] == 2


# one token, however many ask


async def test_a_token_without_a_lifetime_lives_as_it_says_itself_or_five_minutes(
    issuer: TokenServer, runtime: Runtime, clock: Clock, ec_key: str
) -> None:
    headers = attached(issuer, runtime)
    issuer.lifetime = None
    await headers.get(REQUEST)
    status = headers.status()
    assert status is not None
    assert status.expires_at == clock.now + 300
    clock.now += 300
    claims = {"exp": int(clock.now) + 77}
    token = jwt.encode({"alg": "ES256"}, claims, ECKey.import_key(ec_key))
    issuer.answer = saying({"access_token": token, "token_type": "Bearer"})
    await headers.get(REQUEST)
    status = headers.status()
    assert status is not None
    assert status.expires_at == clock.now + 77


async def test_servers_that_want_the_same_token_share_it(issuer: TokenServer, runtime: Runtime) -> None:
    for server in ("https://a.example.com/mcp", "https://b.example.com/mcp"):
        headers = attached(issuer, runtime, canonical_url(server), resource="urn:both")
        assert bearer(await headers.get(REQUEST)) == "Bearer token-1"
    other = attached(issuer, runtime, resource="urn:both", client_secret=Secret("x"))
    assert bearer(await other.get(REQUEST)) == "Bearer token-2"


# step-up


async def test_a_server_that_misses_a_scope_gets_a_token_with_both(
    issuer: TokenServer, runtime: Runtime
) -> None:
    headers = attached(issuer, runtime, scopes=["read"])
    first = await headers.get(REQUEST)
    assert headers.refused(REQUEST, first, ServerRefusal(403, MORE.format("write")))
    second = await headers.get(REQUEST)
    assert [form["scope"] for form in issuer.forms] == ["read", "read write"]
    assert bearer(second) == "Bearer token-2"
    assert headers.ready(REQUEST) is second
    assert not headers.refused(REQUEST, second, ServerRefusal(403, MORE.format("write")))
    assert headers.refused(
        REQUEST, first, ServerRefusal(403, MORE.format("write"))
    )  # sent before the step-up


async def test_a_call_that_needs_more_succeeds_at_its_second_try(
    issuer: TokenServer, runtime: Runtime
) -> None:
    async def answer(request: web.Request) -> web.Response:
        if request.headers["authorization"] == "Bearer token-2":
            return web.Response()
        return web.Response(status=403, headers={"www-authenticate": MORE.format("write")})

    app = web.Application()
    app.router.add_post("/mcp", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/mcp"
    settings = ClientCredentials(client_id="a", token_url=issuer.token_url, scopes=("read",))
    auth = CredentialAuth(settings, server_url=url, runtime=runtime)
    async with httpx2.AsyncClient(auth=auth, trust_env=False) as client:
        assert [(await client.post(url)).status_code for _ in range(2)] == [200, 200]
    await runner.cleanup()
    assert [form["scope"] for form in issuer.forms] == ["read", "read write"]


async def test_a_403_for_another_reason_changes_nothing(issuer: TokenServer, runtime: Runtime) -> None:
    headers = attached(issuer, runtime)
    first = await headers.get(REQUEST)
    for challenge in ("", 'Bearer error="access_denied"', 'Bearer error="insufficient_scope"'):
        assert not headers.refused(REQUEST, first, ServerRefusal(403, challenge))
    assert headers.ready(REQUEST) is first


async def test_scopes_that_the_issuer_does_not_give_leave_the_other_calls_alone(
    issuer: TokenServer, runtime: Runtime
) -> None:
    headers = attached(issuer, runtime, scopes=["read"])
    first = await headers.get(REQUEST)
    issuer.answer = refusing("invalid_scope")
    assert headers.refused(REQUEST, first, ServerRefusal(403, MORE.format("admin")))
    assert await headers.get(REQUEST) is first
    assert not headers.refused(REQUEST, first, ServerRefusal(403, MORE.format("admin")))
    assert len(issuer.forms) == 2


async def test_a_server_can_make_us_ask_for_more_only_so_often(issuer: TokenServer, runtime: Runtime) -> None:
    headers = attached(issuer, runtime)
    asked = [
        headers.refused(
            REQUEST, await headers.get(REQUEST), ServerRefusal(403, MORE.format(f"scope-{number}"))
        )
        for number in range(MOST_STEP_UPS + 3)
    ]
    assert asked == [True] * MOST_STEP_UPS + [False] * 3


async def test_a_certificate_on_the_connection(runtime: Runtime, authority: CertificateAuthority) -> None:
    context = authority.server_context()
    context.load_verify_locations(authority.file)
    context.verify_mode = ssl.CERT_REQUIRED
    certificate, key = authority.issue("ostiary")
    async with TokenServer().running(context) as issuer:
        headers = attached(
            issuer, runtime, certificate=certificate, certificate_key=key, ca_file=authority.file
        )
        assert bearer(await headers.get(REQUEST)) == "Bearer token-1"
        assert issuer.forms[0]["client_id"] == "ostiary"
