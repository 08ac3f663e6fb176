"""Google ID tokens by google-auth's own flows, from a small Google on loopback."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ostiary.credentials import CredentialError, GoogleIdToken
from ostiary.credentials.google_id_token_source import IAM_ENDPOINT_OVERRIDE
from ostiary.credentials.headers import Outgoing
from ostiary.credentials.runtime import Runtime
from ostiary.oauth.canonical_url import canonical_url

SERVER = canonical_url("https://zoo-123.europe-west1.run.app/mcp")
REQUEST = Outgoing("POST", SERVER)
ORIGIN = "https://zoo-123.europe-west1.run.app"
PRIVATE_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)


class LittleGoogle:
    """Metadata server, token endpoint and iamcredentials in one; nothing is signed, as nobody checks."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[tuple[str, Any]] = []
        self.iam_status = 200

    async def answer(self, request: web.Request) -> web.Response:
        flavor = {"Metadata-Flavor": "Google"}
        match request.path.rstrip("/").rsplit("/", 1)[-1]:
            case "":
                return web.Response(headers=flavor)
            case "default":
                return web.json_response(
                    {"email": "a@b.iam.gserviceaccount.com", "scopes": []}, headers=flavor
                )
            case "identity":
                self.requests.append(("identity", request.query["audience"]))
                return web.Response(text=id_token(request.query["audience"]), headers=flavor)
            case "token":
                return await self.exchange(request)
        return await self.impersonate(request)

    async def exchange(self, request: web.Request) -> web.Response:
        assertion = str((await request.post())["assertion"])
        claims = json.loads(base64.urlsafe_b64decode(assertion.split(".")[1] + "=="))
        if "target_audience" in claims:
            self.requests.append(("id_token", claims["target_audience"]))
            return web.json_response({"id_token": id_token(claims["target_audience"])})
        self.requests.append(("access_token", claims["scope"]))
        return web.json_response({"access_token": "ya29.caller", "expires_in": 3600, "token_type": "Bearer"})

    async def impersonate(self, request: web.Request) -> web.Response:
        self.requests.append((request.path, request.headers["authorization"]))
        if self.iam_status != 200:
            return web.json_response({"error": {"message": "no"}}, status=self.iam_status)
        return web.json_response({"token": id_token((await request.json())["audience"])})


def id_token(audience: str) -> str:
    claims = {
        "aud": audience,
        "exp": int(time.time()) + 3600,
        "iat": int(time.time()),
        "iss": "accounts.google.com",
    }
    parts = (json.dumps(part).encode() for part in ({"alg": "RS256", "kid": "k"}, claims))
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), "c2ln"])


@pytest.fixture
async def google() -> AsyncIterator[LittleGoogle]:
    google = LittleGoogle()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", google.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    google.url = "http://{}:{}".format(*runner.addresses[0][:2])
    yield google
    await runner.cleanup()


@pytest.fixture
def key_file(google: LittleGoogle, tmp_path: Path) -> Path:
    path = tmp_path / "key.json"
    key = {
        "type": "service_account",
        "client_email": "caller@demo.iam.gserviceaccount.com",
        "private_key_id": "k",
        "private_key": PRIVATE_KEY.decode(),
        "token_uri": f"{google.url}/token",
    }
    path.write_text(json.dumps(key))
    return path


async def test_a_key_file_gives_a_token_for_the_origin_of_the_server(
    google: LittleGoogle, key_file: Path, runtime: Runtime
) -> None:
    headers = GoogleIdToken(key_file=key_file).attach(SERVER, runtime=runtime)
    [(name, value)] = await headers.get(REQUEST)
    assert (name, value) == ("authorization", f"Bearer {value.removeprefix('Bearer ')}")
    assert google.requests == [("id_token", ORIGIN)]
    assert headers.ready(REQUEST) == ((name, value),)


async def test_two_servers_of_one_audience_share_a_token(
    google: LittleGoogle, key_file: Path, runtime: Runtime
) -> None:
    credential = GoogleIdToken(key_file=key_file, audience="zoo")
    one, two = credential.attach(SERVER, runtime=runtime), credential.attach(SERVER, runtime=runtime)
    assert await one.get(REQUEST) == await two.get(REQUEST)
    assert google.requests == [("id_token", "zoo")]


async def test_application_default_credentials_may_be_a_key_file(
    google: LittleGoogle, key_file: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key_file))
    await GoogleIdToken().attach(SERVER, runtime=runtime).get(REQUEST)
    assert google.requests == [("id_token", ORIGIN)]


@pytest.mark.parametrize("by_default", [True, False])
async def test_another_service_account_is_impersonated_by_iamcredentials(
    google: LittleGoogle,
    key_file: Path,
    runtime: Runtime,
    monkeypatch: pytest.MonkeyPatch,
    by_default: bool,
) -> None:
    monkeypatch.setenv(IAM_ENDPOINT_OVERRIDE, f"{google.url}/")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key_file))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "demo")
    credential = GoogleIdToken(
        impersonate="zoo@demo.iam.gserviceaccount.com", key_file=None if by_default else key_file
    )
    await credential.attach(SERVER, runtime=runtime).get(REQUEST)
    assert google.requests == [
        ("access_token", "https://www.googleapis.com/auth/cloud-platform"),
        (
            "/v1/projects/-/serviceAccounts/zoo@demo.iam.gserviceaccount.com:generateIdToken",
            "Bearer ya29.caller",
        ),
    ]


async def test_a_refused_impersonation_names_the_role(
    google: LittleGoogle, key_file: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(IAM_ENDPOINT_OVERRIDE, google.url)
    google.iam_status = 403
    credential = GoogleIdToken(impersonate="zoo@demo.iam.gserviceaccount.com", key_file=key_file)
    with pytest.raises(CredentialError) as refused:
        await credential.attach(SERVER, runtime=runtime).get(REQUEST)
    assert str(refused.value) == (
        f"credential google_id_token for {ORIGIN}: "
        "iamcredentials answered 403 when asked for a token of zoo@demo.iam.gserviceaccount.com; "
        "grant the caller roles/iam.serviceAccountOpenIdTokenCreator on zoo@demo.iam.gserviceaccount.com"
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "No such file or directory"),
        (
            '{"client_email": "a@b.example"}',
            "Service account info was not in the expected format, missing fields token_uri",
        ),
        ("not json", "Expecting value: line 1 column 1 (char 0)"),
    ],
)
async def test_a_key_file_that_is_none_is_said_so(
    tmp_path: Path, runtime: Runtime, content: str | None, problem: str
) -> None:
    path = tmp_path / "broken.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(CredentialError) as refused:
        await GoogleIdToken(key_file=path).attach(SERVER, runtime=runtime).get(REQUEST)
    assert str(refused.value) == (
        f"credential google_id_token for {ORIGIN}: {problem}; "
        "see whether the key file is as Google gave it to you"
    )


FETCH = """
import asyncio, sys
from ostiary.credentials import CredentialError, GoogleIdToken
from ostiary.credentials.headers import Outgoing
from ostiary.credentials.runtime import Runtime
from ostiary.oauth.canonical_url import canonical_url

async def main():
    assert "google.auth" not in sys.modules
    async with Runtime() as runtime:
        server = canonical_url(sys.argv[1])
        await GoogleIdToken().attach(server, runtime=runtime).get(Outgoing("POST", server))

try:
    asyncio.run(main())
except CredentialError as error:
    print(error)
"""


async def fetch_in_a_new_process(metadata_server: str) -> str:
    """google-auth reads GCE_METADATA_HOST once, as it is imported."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("GOOGLE_", "GCE_"))
    }
    environment |= {"GCE_METADATA_HOST": metadata_server, "GCE_METADATA_IP": metadata_server}
    environment |= {"GCE_METADATA_DETECT_RETRIES": "1", "GCE_METADATA_TIMEOUT": "1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FETCH, str(SERVER), env=environment, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode().strip()


async def test_the_metadata_server_gives_a_token(google: LittleGoogle) -> None:
    assert await fetch_in_a_new_process(google.url.removeprefix("http://")) == ""
    assert google.requests == [("identity", ORIGIN)]


async def test_where_there_is_no_google_identity_the_error_says_what_to_do() -> None:
    assert await fetch_in_a_new_process("127.0.0.1:1") == (
        f"credential google_id_token for {ORIGIN}: "
        "Neither metadata server or valid service account credentials are found; "
        "run where there is a metadata server, point GOOGLE_APPLICATION_CREDENTIALS or key_file to a service "
        "account's key, or set impersonate (a person's own login cannot choose an audience)"
    )
