"""The emulator's own API: time, odd tokens, counts."""

from __future__ import annotations

import time

import httpx2
import pytest
from joserfc import jws

from ostiary.cloudrun.emulator import Emulator


async def test_the_clock_moves(google: httpx2.AsyncClient, emulator: Emulator) -> None:
    answered = await google.post("/emulator/clock", json={"offset": "1h"})
    assert answered.json()["now"] == pytest.approx(time.time() + 3600, abs=5)
    assert emulator.clock() == pytest.approx(time.time() + 3600, abs=5)


async def test_a_token_says_what_it_is_told_to(google: httpx2.AsyncClient) -> None:
    asked = {"claims": {"aud": 5}, "header": {"kid": "odd"}}
    token = (await google.post("/emulator/sign", json=asked)).json()["token"]
    parsed = jws.extract_compact(token.encode())
    assert parsed.headers() == {"alg": "RS256", "kid": "odd", "typ": "JWT"}
    assert parsed.payload == b'{"aud":5}'


async def test_tokens_are_counted(google: httpx2.AsyncClient) -> None:
    account = "/computeMetadata/v1/instance/service-accounts/default"
    await google.get(f"{account}/identity?audience=https://zoo.example.com")
    await google.get(f"{account}/identity?audience=https://zoo.example.com")
    assert (await google.get("/emulator/minted")).json() == {"id_token": 2, "access_token": 0}


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        (
            "clock",
            {"offset": "soon"},
            "offset: Value error, a duration is a number with its unit, such as 30s, 15m, 12h or 30d",
        ),
        ("clock", {"ofset": "1h"}, "offset: Field required; ofset: Extra inputs are not permitted"),
        ("sign", {"claims": {}, "header": {"alg": "ES256"}}, "alg is RS256, HS256 or none"),
    ],
)
async def test_what_it_does_not_understand_it_says(
    google: httpx2.AsyncClient, path: str, body: dict[str, object], message: str
) -> None:
    answered = await google.post(f"/emulator/{path}", json=body)
    assert answered.json() == {"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}
