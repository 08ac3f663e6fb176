"""Whatever a token server does, it gets one typed error: naming the credential, the endpoint and the fix.

And no secret is in it.
"""

from __future__ import annotations

import asyncio
import gzip
import html
import json
import time
import traceback
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from aiohttp import web
from pydantic import ValidationError
from tests.credentials.signed import Signer
from tests.credentials.token_server import Answer, TokenServer, never, refusing, saying

from ostiary.credentials import ClientCredentials, CredentialError, GoogleIdToken
from ostiary.credentials.error import CredentialMisconfigured, CredentialUnreachable
from ostiary.credentials.headers.headers import OutgoingRequest
from ostiary.credentials.runtime import Runtime
from ostiary.oauth.canonical_url import canonical_url
from ostiary.secrets import Secret
from ostiary.transport.fetch import Fetcher

SERVER = canonical_url("https://mcp.example.com/mcp")
REQUEST = OutgoingRequest("POST", SERVER)
SECRET = "tiger:in/the+night"
GOOD = {"access_token": "abc", "token_type": "Bearer", "expires_in": 60}
WHAT_ANSWERS = "see whether token_url or issuer is right, and what answers there"
REACHES = "see whether token_url or issuer is right and this machine reaches it"


@pytest.fixture
async def runtime() -> AsyncIterator[Runtime]:
    async with Runtime(fetcher=Fetcher(timeout=2)) as runtime:
        yield runtime


def credential(at: TokenServer, **settings: Any) -> ClientCredentials:
    settings = {"client_id": "ostiary", "client_secret": Secret(SECRET)} | settings
    if "issuer" not in settings:
        settings = {"token_url": at.token_url} | settings
    return ClientCredentials(**settings)


async def failure(credential: ClientCredentials, runtime: Runtime) -> CredentialError:
    """What asking for headers raises; checked to hold no secret anywhere."""
    with pytest.raises(CredentialError) as raised:
        await credential.attach(SERVER, runtime=runtime).get(REQUEST)
    told = "".join(traceback.format_exception(raised.value)) + repr(vars(raised.value))
    assert SECRET not in told
    return raised.value


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (saying({"token_type": "Bearer"}), "its answer has no access_token"),
        (saying(GOOD | {"access_token": ""}), "its answer has no access_token"),
        (saying(GOOD | {"access_token": 7}), "its access_token is not a string"),
        (
            saying(GOOD | {"token_type": "mac"}),
            "its answer has token_type 'mac', where Bearer was asked for",
        ),
        (
            saying(GOOD | {"access_token": "abc\r\nX-Admin: 1"}),
            "its access_token has a line break or another character that no token may have",
        ),
        (saying([GOOD]), "it answered 200 with JSON that is not an object"),
        (refusing("", status=429, retry_after="3"), "it answered 429 without an error code"),
        (saying({"message": "no"}, 404), "it answered 404 without an error code"),
        (
            lambda request, form: web.Response(text="<html>", content_type="text/html"),
            "it answered 200 with 'text/html', not with JSON",
        ),
        (
            lambda request, form: web.Response(status=302, headers={"location": "/token"}),
            "it answered 302: it redirects, which nobody may follow with secrets",
        ),
    ],
)
async def test_an_answer_that_is_no_token_is_named(
    issuer: TokenServer, runtime: Runtime, answer: Answer, problem: str
) -> None:
    issuer.answer = answer
    error = await failure(credential(issuer), runtime)
    assert type(error) is CredentialUnreachable
    assert str(error) == (
        f"credential client_credentials for https://mcp.example.com: "
        f"token endpoint {issuer.token_url}: {problem}; {WHAT_ANSWERS}"
    )


async def trickle(request: web.Request, form: dict[str, str]) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(600):
        await response.write(b" ")
        await asyncio.sleep(0.1)
    return response


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (
            lambda request, form: web.json_response(GOOD | {"filler": "x" * 5 * 1024 * 1024}),
            "the answer is longer than 1048576 bytes",
        ),
        (
            lambda request, form: web.Response(
                body=gzip.compress(b"1" * 10_000_000), headers={"content-encoding": "gzip"}
            ),
            "the answer is longer than 1048576 bytes",
        ),
        (trickle, "no whole answer within 2 seconds"),
        (never, "no whole answer within 2 seconds"),
    ],
)
async def test_an_answer_without_bounds_is_cut_off(
    issuer: TokenServer, runtime: Runtime, answer: Answer, problem: str
) -> None:
    issuer.answer = answer
    assert str(await failure(credential(issuer), runtime)) == (
        f"credential client_credentials for https://mcp.example.com: "
        f"token endpoint {issuer.token_url}: {problem}; {REACHES}"
    )


async def test_nobody_at_the_endpoint(runtime: Runtime) -> None:
    settings = ClientCredentials(client_id="a", token_url="http://127.0.0.1:1/token")
    assert str(await failure(settings, runtime)) == (
        "credential client_credentials for https://mcp.example.com: "
        f"token endpoint http://127.0.0.1:1/token: no connection (Connection refused); {REACHES}"
    )


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (
            "invalid_client",
            "see whether client_id, auth_method and client_secret are as the issuer knows them",
        ),
        (
            "invalid_grant",
            "see whether what the token was asked with has ended or was meant for another client",
        ),
        ("invalid_scope", "set scopes to what the issuer gives this client"),
        ("invalid_target", "set resource and audience to what the issuer knows"),
        ("unauthorized_client", "allow this client this kind of grant at the issuer"),
        ("unsupported_grant_type", "see whether token_url or issuer is the right one"),
    ],
)
async def test_a_refusal_for_good_says_which_setting_to_mend(
    issuer: TokenServer, runtime: Runtime, error: str, fix: str
) -> None:
    issuer.answer = refusing(error, "So we say.\r\nReally.")
    raised = await failure(credential(issuer), runtime)
    assert isinstance(raised, CredentialMisconfigured)
    assert str(raised) == (
        f"credential client_credentials for https://mcp.example.com: token endpoint {issuer.token_url}: "
        f"it refused with {error} (So we say. Really); {fix}"
    )


async def test_a_refusal_that_may_pass_says_when_to_come_back(issuer: TokenServer, runtime: Runtime) -> None:
    issuer.answer = refusing("temporarily_unavailable", status=503, retry_after="17")
    raised = await failure(credential(issuer), runtime)
    assert isinstance(raised, CredentialUnreachable)
    assert raised.retry_after == 17
    assert str(raised) == (
        f"credential client_credentials for https://mcp.example.com: token endpoint {issuer.token_url}: "
        "it refused with temporarily_unavailable; see what its issuer says about that"
    )


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_an_issuer_that_repeats_our_secret_is_not_quoted(
    issuer: TokenServer, runtime: Runtime, method: str
) -> None:
    issuer.answer = refusing("invalid_client", f"the secret {SECRET} is wrong", status=401)
    raised = await failure(credential(issuer, auth_method=method), runtime)
    assert str(raised) == (
        f"credential client_credentials for https://mcp.example.com: token endpoint {issuer.token_url}: "
        "it refused with invalid_client (the secret *** is wrong); "
        "see whether client_id, auth_method and client_secret are as the issuer knows them"
    )


def repeating(request: web.Request, form: dict[str, str]) -> str:
    """The request, with all that proves who we are."""
    return f"{request.headers.get('authorization')} {form}"


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize(
    "encoded", [str, quote, json.dumps, html.escape, lambda said: b64encode(said.encode()).decode()]
)
async def test_an_issuer_that_repeats_our_whole_request_is_not_quoted(
    issuer: TokenServer, runtime: Runtime, method: str, encoded: Callable[[str], str]
) -> None:
    secret = "tig\u00e9r:in/the+night"
    issuer.answer = lambda request, form: refusing(encoded(repeating(request, form)))(request, form)
    told = str(await failure(credential(issuer, client_secret=Secret(secret), auth_method=method), runtime))
    basic = b64encode(f"ostiary:{quote_plus(secret)}".encode()).decode()
    for form in (
        secret,
        "tig r:in",
        quote(secret),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        basic,
        b64encode(basic.encode()).decode()[:20],
    ):
        assert form not in told
    assert "***" in told


async def test_an_issuer_that_repeats_our_assertion_is_not_quoted(
    issuer: TokenServer, runtime: Runtime, tmp_path: Path, ec_key: str
) -> None:
    key = tmp_path / "key.pem"
    key.write_text(ec_key)
    issuer.answer = lambda request, form: refusing("invalid_client", form["client_assertion"])(request, form)
    raised = await failure(credential(issuer, client_secret=None, private_key=Secret.from_file(key)), runtime)
    assert str(raised) == (
        f"credential client_credentials for https://mcp.example.com: token endpoint {issuer.token_url}: "
        "it refused with invalid_client (***); "
        "see whether client_id, auth_method and private_key are as the issuer knows them"
    )


async def test_a_secret_file_that_is_not_there(issuer: TokenServer, runtime: Runtime, tmp_path: Path) -> None:
    secret = tmp_path / "weather.secret"
    raised = await failure(credential(issuer, client_secret=Secret.from_file(secret)), runtime)
    assert type(raised) is CredentialMisconfigured
    assert str(raised) == (
        "credential client_credentials for https://mcp.example.com: "
        f"file {secret} cannot be read: No such file or directory; "
        "put there what the issuer knows this client by"
    )
    assert not issuer.forms


async def test_a_key_of_another_kind(
    issuer: TokenServer, runtime: Runtime, tmp_path: Path, ec_key: str
) -> None:
    file = tmp_path / "key.pem"
    file.write_text(ec_key)
    settings = credential(issuer, client_secret=None, private_key=Secret.from_file(file), algorithm="RS256")
    assert str(await failure(settings, runtime)) == (
        "credential client_credentials for https://mcp.example.com: "
        f"file {file} cannot sign: it is not an RSA key in PEM, as RS256 needs; "
        "set private_key and algorithm to what belongs together"
    )


async def test_metadata_of_another_issuer(issuer: TokenServer, runtime: Runtime) -> None:
    issuer.metadata = {"issuer": f"{issuer.issuer}/"}
    raised = await failure(credential(issuer, issuer=issuer.issuer), runtime)
    assert type(raised) is CredentialMisconfigured
    assert str(raised) == (
        "credential client_credentials for https://mcp.example.com: "
        f"issuer {issuer.issuer}: the metadata is of issuer '{issuer.issuer}/', not '{issuer.issuer}', "
        f"letter for letter; if that is the one, write `issuer: {issuer.issuer}/`"
    )
    assert not issuer.forms


async def test_metadata_without_a_token_endpoint(issuer: TokenServer, runtime: Runtime) -> None:
    issuer.metadata = {"token_endpoint": None}
    assert str(await failure(credential(issuer, issuer=issuer.issuer), runtime)) == (
        "credential client_credentials for https://mcp.example.com: "
        f"issuer {issuer.issuer}: the issuer's metadata has no token_endpoint; "
        "set token_url to where the issuer answers"
    )


async def test_a_certificate_that_nobody_vouches_for(runtime: Runtime, server_tls: Any) -> None:
    async with TokenServer().running(server_tls) as issuer:
        raised = await failure(credential(issuer), runtime)
        problem = "its certificate is from an authority that is not trusted here"
        assert raised.problem == f"token endpoint {issuer.token_url}: {problem}"
        assert raised.fix.startswith("name a file that has it in ca_file, or in SSL_CERT_FILE for all")
        assert not issuer.forms


async def test_plain_http_to_another_machine(runtime: Runtime) -> None:
    settings = ClientCredentials(client_id="a", token_url="http://idp.example.com/token")
    assert str(await failure(settings, runtime)) == (
        "credential client_credentials for https://mcp.example.com: token endpoint "
        f"http://idp.example.com/token: it is plain http to another machine; use https; {REACHES}"
    )


async def test_a_token_over_on_arrival(issuer: TokenServer, runtime: Runtime) -> None:
    over = Signer("https://login.example.com").sign(time.time() - 7200)
    issuer.answer = saying({"access_token": over, "token_type": "Bearer"})
    error = await failure(credential(issuer), runtime)
    assert error.fix == "set the clock right, here or there"
    assert len(issuer.forms) == 1


@pytest.mark.parametrize("expires_in", [60, 60.0, "60", None, 2147483647, 0, -60, "soon", [60]])
async def test_a_lifetime_that_means_nothing_is_no_reason_to_refuse_a_token(
    issuer: TokenServer, runtime: Runtime, expires_in: object
) -> None:
    issuer.lifetime = expires_in
    headers = await credential(issuer).attach(SERVER, runtime=runtime).get(REQUEST)
    assert headers == (("authorization", "Bearer token-1"),)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"auth_method": "client_secret_post"}, "auth_method client_secret_post needs client_secret"),
        (
            {"auth_method": "tls_client_auth"},
            "auth_method tls_client_auth needs certificate and certificate_key",
        ),
        (
            {"auth_method": "none", "client_secret": Secret("s")},
            "auth_method none does not use client_secret",
        ),
        ({"issuer": "login.example.com"}, "it is not an absolute http or https URL with a plain host name"),
        (
            {"parameters": {"scope": "a"}},
            "scope: set by settings of their own, not by parameters",
        ),
        ({"scopes": ["two words"]}, "String should match pattern"),
        ({"resource": "mcp.example.com"}, "String should match pattern"),
    ],
)
def test_settings_that_can_never_work_are_refused_at_once(settings: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError) as refused:
        ClientCredentials(**{"client_id": "ostiary"} | settings)
    assert why in str(refused.value)


def test_an_audience_with_a_path_is_refused_at_once() -> None:
    with pytest.raises(ValidationError) as refused:
        GoogleIdToken(audience="https://zoo-123456.europe-west1.run.app/mcp")
    assert "write https://zoo-123456.europe-west1.run.app" in str(refused.value)
