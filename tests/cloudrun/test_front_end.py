"""The front end of a Cloud Run service: who passes, and what the others are told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx2
import pytest
from tests.captured_events import captured_events

from ostiary.cloudrun.emulator import Emulator

STRIPPED = "SIGNATURE_REMOVED_BY_GOOGLE"

UNAUTHORIZED = """
<html><head>
<meta http-equiv="content-type" content="text/html;charset=utf-8">
<title>401 Unauthorized</title>
</head>
<body text=#000000 bgcolor=#ffffff>
<h1>Error: Unauthorized</h1>
<h2>Your client does not have permission to the requested URL <code>/mcp</code>.</h2>
<h2></h2>
</body></html>
"""
FORBIDDEN = """
<html><head>
<meta http-equiv="content-type" content="text/html;charset=utf-8">
<title>403 Forbidden</title>
</head>
<body text=#000000 bgcolor=#ffffff>
<h1>Error: Forbidden</h1>
<h2>Your client does not have permission to get URL <code>/mcp</code> from this server.</h2>
<h2></h2>
</body></html>
"""
CHALLENGE = 'Bearer error="invalid_token" error_description="The access token could not be verified"'


@pytest.fixture
def settings(settings: dict[str, Any], container_url: str) -> dict[str, Any]:
    zoo = {
        "url": container_url,
        "listen": "127.0.0.1:0",
        "invokers": ["serviceAccount:caller@demo-project.iam.gserviceaccount.com"],
        "custom_audiences": ["https://zoo.example.com"],
    }
    return settings | {"services": {"zoo": zoo}}


class Zoo:
    """The private service, as its callers see it."""

    def __init__(self, emulator: Emulator, google: httpx2.AsyncClient) -> None:
        self.emulator = emulator
        self.google = google
        self.url = emulator.service_url("zoo")

    async def token(self, audience: str | None = None) -> str:
        """The caller's ID token, as the metadata server gives it."""
        path = "/computeMetadata/v1/instance/service-accounts/default/identity"
        return (await self.google.get(path, params={"audience": audience or self.url, "format": "full"})).text

    async def odd_token(self, *, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token like the caller's, but for what is said here; None takes a claim away."""
        now = int(self.emulator.clock())
        usual = {
            "iss": "https://accounts.google.com",
            "aud": self.url,
            "sub": "7",
            "email": "caller@demo-project.iam.gserviceaccount.com",
            "email_verified": True,
            "iat": now,
            "exp": now + 3600,
        }
        said = {name: value for name, value in (usual | claims).items() if value is not None}
        signed = await self.google.post("/emulator/sign", json={"claims": said, "header": header or {}})
        return str(signed.json()["token"])

    async def call(self, token: str | None = None, **headers: str) -> httpx2.Response:
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        async with httpx2.AsyncClient(trust_env=False) as http:
            return await http.post(f"{self.url}/mcp?a=%2Fb", headers=headers, content=b"hello")


@pytest.fixture
def zoo(emulator: Emulator, google: httpx2.AsyncClient) -> Zoo:
    return Zoo(emulator, google)


async def test_the_container_gets_the_request_as_it_was_but_for_the_signature(zoo: Zoo) -> None:
    token = await zoo.token()
    answered = await zoo.call(token, Accept="text/x-mine")
    assert answered.status_code == 200
    seen = answered.json()
    headers = dict(seen["headers"])
    assert seen["target"] == "/mcp?a=%2Fb"
    assert seen["body"] == "hello"
    assert headers["authorization"] == f"Bearer {token.rpartition('.')[0]}.{STRIPPED}"
    assert headers["host"] == zoo.url.removeprefix("http://")
    assert headers["accept"] == "text/x-mine"
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"


async def test_the_serverless_header_is_looked_at_first_and_the_other_one_stays_untouched(zoo: Zoo) -> None:
    token = await zoo.token()
    answered = await zoo.call("for.the.server", **{"X-Serverless-Authorization": f"Bearer {token}"})
    headers = dict(answered.json()["headers"])
    assert headers["authorization"] == "Bearer for.the.server"
    assert headers["x-serverless-authorization"] == f"Bearer {token.rpartition('.')[0]}.{STRIPPED}"


async def test_a_bad_serverless_header_is_not_saved_by_a_good_authorization(zoo: Zoo) -> None:
    answered = await zoo.call(await zoo.token(), **{"X-Serverless-Authorization": "Bearer a.b.c"})
    assert answered.status_code == 401


@pytest.mark.parametrize(
    "audience",
    [
        "https://zoo-123456789012.europe-west1.run.app",
        "https://zoo-fjs6iwaguy-ew.a.run.app",
        "https://zoo.example.com",
    ],
    ids=["the URL with the project's number", "the URL with the hash", "a custom audience"],
)
async def test_each_audience_of_the_service_opens_it(zoo: Zoo, audience: str) -> None:
    assert (await zoo.call(await zoo.token(audience))).status_code == 200


async def test_without_a_token_the_answer_is_forbidden(zoo: Zoo) -> None:
    with captured_events() as logs:
        answered = await zoo.call()
    assert (answered.status_code, answered.text) == (403, FORBIDDEN)
    assert answered.headers["content-type"] == "text/html; charset=utf-8"
    assert "www-authenticate" not in answered.headers
    assert logs == [
        {
            "event": "request_refused",
            "log_level": "warning",
            "service": "zoo",
            "status": 403,
            "path": "/mcp",
            "reason": "there is no token",
        }
    ]


async def test_a_token_for_another_service_is_refused(zoo: Zoo) -> None:
    with captured_events() as logs:
        answered = await zoo.call(await zoo.token("https://other.example.com"))
    assert (answered.status_code, answered.text) == (401, UNAUTHORIZED)
    assert answered.headers["www-authenticate"] == CHALLENGE
    assert logs[0]["reason"].startswith(
        "its audience is 'https://other.example.com', and this service takes http"
    )


async def test_the_path_is_no_part_of_an_audience(zoo: Zoo) -> None:
    assert (await zoo.call(await zoo.token(f"{zoo.url}/mcp"))).status_code == 401


async def test_a_token_is_refused_once_the_clock_has_passed_its_expiry(zoo: Zoo) -> None:
    token = await zoo.token()
    zoo.emulator.clock.offset = timedelta(minutes=59)
    assert (await zoo.call(token)).status_code == 200
    zoo.emulator.clock.offset = timedelta(hours=1)
    with captured_events() as logs:
        assert (await zoo.call(token)).text == UNAUTHORIZED
    assert logs[0]["reason"].startswith("it expired ")
    assert (await zoo.call(await zoo.token())).status_code == 200


async def test_a_token_from_ahead_of_our_clock_is_refused(zoo: Zoo) -> None:
    now = int(zoo.emulator.clock())
    assert (await zoo.call(await zoo.odd_token(iat=now + 20))).status_code == 200
    with captured_events() as logs:
        assert (await zoo.call(await zoo.odd_token(iat=now + 300))).text == UNAUTHORIZED
    assert logs[0]["reason"].endswith(" s ahead of our clock")


async def test_a_token_is_refused_where_the_clock_went_back_behind_its_beginning(zoo: Zoo) -> None:
    token = await zoo.token()
    zoo.emulator.clock.offset = timedelta(minutes=-5)
    assert (await zoo.call(token)).status_code == 401


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ({"header": {"alg": "none"}}, "its signature is not Google's (unsupported_algorithm: "),
        ({"header": {"alg": "HS256"}}, "its signature is not Google's (unsupported_algorithm: "),
        ({"header": {"kid": "another"}}, "its signature is not Google's (invalid_key_id: "),
        ({"iss": "https://accounts.example.com"}, "its issuer is not Google"),
        ({"exp": None}, "it has no expiry"),
        ({"exp": "soon"}, "it has no expiry"),
        ({"aud": None}, "its audience is None, and this service takes "),
        ({"aud": ["https://zoo.example.com"]}, "its audience is ['https://zoo.example.com'], and this "),
    ],
    ids=[
        "unsigned",
        "signed with the public key",
        "unknown key",
        "other issuer",
        "no expiry",
        "expiry in words",
        "no audience",
        "several audiences",
    ],
)
async def test_an_odd_token_is_refused(zoo: Zoo, odd: dict[str, Any], reason: str) -> None:
    token = await zoo.odd_token(**odd)
    with captured_events() as logs:
        answered = await zoo.call(token)
    assert (answered.status_code, answered.text) == (401, UNAUTHORIZED)
    assert logs[0]["reason"].startswith(reason)
    assert token not in str(logs)


@pytest.mark.parametrize(
    "header", ["Basic eDp5", "Bearer", "Bearer ya29.c.opaque", "Bearer é.é.é", "Bearer a.b.c"]
)
async def test_what_is_no_token_of_ours_is_refused(zoo: Zoo, header: str) -> None:
    async with httpx2.AsyncClient(trust_env=False) as http:
        answered = await http.get(f"{zoo.url}/mcp", headers={b"Authorization": header.encode()})
    assert (answered.status_code, answered.text) == (401, UNAUTHORIZED)


async def test_an_access_token_does_not_open_a_service(zoo: Zoo) -> None:
    path = "/computeMetadata/v1/instance/service-accounts/default/token"
    access_token = (await zoo.google.get(path)).json()["access_token"]
    with captured_events() as logs:
        answered = await zoo.call(access_token)
    assert (answered.status_code, answered.text) == (401, UNAUTHORIZED)
    assert logs[0]["reason"] == "it is not an ID token but an opaque one, such as an access token"


async def test_a_good_token_of_somebody_who_is_no_invoker_is_forbidden(zoo: Zoo) -> None:
    with captured_events() as logs:
        answered = await zoo.call(await zoo.odd_token(email="stranger@example.com"))
    assert (answered.status_code, answered.text) == (403, FORBIDDEN)
    assert logs[0]["reason"] == "stranger@example.com is no invoker"


async def test_an_address_that_google_did_not_verify_names_nobody(zoo: Zoo) -> None:
    assert (await zoo.call(await zoo.odd_token(email_verified=False))).text == FORBIDDEN


async def test_an_account_is_known_by_its_number_alone(zoo: Zoo) -> None:
    path = "/computeMetadata/v1/instance/service-accounts/default/identity"
    without_email = (await zoo.google.get(path, params={"audience": zoo.url})).text
    assert (await zoo.call(without_email)).status_code == 200


async def test_the_path_on_the_page_cannot_bring_markup(emulator: Emulator, http: httpx2.AsyncClient) -> None:
    answered = await http.get(emulator.service_url("zoo") + "/a&b'c")
    assert "<code>/a&amp;b&#x27;c</code>" in answered.text
