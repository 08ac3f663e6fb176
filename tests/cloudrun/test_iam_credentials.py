"""The IAM Credentials API: who may act as whom."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

BASE = "/v1/projects/-/serviceAccounts"
AUDIENCE = "https://zoo.example.com"


def email(name: str) -> str:
    return f"{name}@demo-project.iam.gserviceaccount.com"


@pytest.fixture
async def caller(google: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """The APIs, asked with the caller's access token."""
    token = (await google.get("/computeMetadata/v1/instance/service-accounts/default/token")).json()
    google.headers["Authorization"] = f"Bearer {token['access_token']}"
    return google


async def ask(http: httpx2.AsyncClient, target: str, body: dict[str, Any]) -> httpx2.Response:
    return await http.post(f"{BASE}/{email(target)}:generateIdToken", json=body)


async def test_a_token_creator_gets_an_id_token(caller: httpx2.AsyncClient) -> None:
    answered = await ask(caller, "runtime", {"audience": AUDIENCE, "includeEmail": True})
    assert list(answered.json()) == ["token"]


async def test_a_chain_of_delegates_is_followed(caller: httpx2.AsyncClient) -> None:
    delegates = [f"projects/-/serviceAccounts/{email('runtime')}"]
    answered = await ask(caller, "deputy", {"audience": AUDIENCE, "delegates": delegates})
    assert answered.status_code == 200


@pytest.mark.parametrize("target", ["deputy", "stranger", "nobody"])
async def test_nobody_acts_as_an_account_that_did_not_allow_it(
    caller: httpx2.AsyncClient, target: str
) -> None:
    answered = await ask(caller, target, {"audience": AUDIENCE})
    message = "Permission 'iam.serviceAccounts.getOpenIdToken' denied on resource (or it may not exist)."
    assert answered.status_code == 403
    assert answered.json() == {"error": {"code": 403, "message": message, "status": "PERMISSION_DENIED"}}


@pytest.mark.parametrize("authorization", [None, "Bearer ya29.c.unknown", "Basic eDp5"])
async def test_a_caller_without_an_access_token_of_ours_is_unknown(
    google: httpx2.AsyncClient, authorization: str | None
) -> None:
    if authorization is not None:
        google.headers["Authorization"] = authorization
    answered = await ask(google, "runtime", {"audience": AUDIENCE})
    assert (answered.status_code, answered.json()["error"]["status"]) == (401, "UNAUTHENTICATED")


async def test_an_access_token_ends_with_its_hour(caller: httpx2.AsyncClient) -> None:
    await caller.post("/emulator/clock", json={"offset": "1h"})
    assert (await ask(caller, "runtime", {"audience": AUDIENCE})).status_code == 401


async def test_an_access_token_can_be_asked_for_a_shorter_time(caller: httpx2.AsyncClient) -> None:
    answered = await caller.post(
        f"{BASE}/{email('runtime')}:generateAccessToken", json={"scope": ["a", "b"], "lifetime": "600s"}
    )
    assert list(answered.json()) == ["accessToken", "expireTime"]
    assert answered.json()["expireTime"].endswith("Z")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "scope is required"),
        ({"scope": "a"}, "scope is a list of strings"),
        ({"scope": ["a"], "delegates": [1]}, "delegates is a list of strings"),
        ({"scope": ["a"], "lifetime": "2h"}, "lifetime is a duration of at most 3600s, such as 600s"),
        ({"scope": ["a"], "lifetime": "9999s"}, "lifetime is a duration of at most 3600s, such as 600s"),
        ([], "Invalid JSON payload received: it is not an object."),
    ],
)
async def test_a_request_that_does_not_say_what_it_must_is_refused(
    caller: httpx2.AsyncClient, body: Any, message: str
) -> None:
    answered = await caller.post(f"{BASE}/{email('runtime')}:generateAccessToken", json=body)
    assert answered.json() == {"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}
