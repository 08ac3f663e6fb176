"""The token endpoint, RFC 7523 section 2.1: assertions that get nothing."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from ostiary.cloudrun.emulator import Emulator

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
CALLER = "caller@demo-project.iam.gserviceaccount.com"
TIMEFRAME = (
    "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
    "Check your iat and exp values in the JWT claim."
)


@pytest.fixture
def key(emulator: Emulator, tmp_path: Path) -> RSAKey:
    return RSAKey.import_key(json.loads((tmp_path / "caller.json").read_text())["private_key"])


def assertion(key: RSAKey, **claims: Any) -> str:
    now = int(time.time())
    usual = {"iss": CALLER, "aud": "https://oauth2.googleapis.com/token", "iat": now, "exp": now + 3600}
    return jwt.encode({"alg": "RS256"}, usual | {"target_audience": "https://zoo.example.com"} | claims, key)


async def refusal(google: httpx2.AsyncClient, assertion: str, grant_type: str = GRANT) -> tuple[str, str]:
    answered = await google.post("/token", data={"grant_type": grant_type, "assertion": assertion})
    assert answered.status_code == 400
    return answered.json()["error"], answered.json()["error_description"]


async def test_the_emulators_own_url_is_an_audience_too(google: httpx2.AsyncClient, key: RSAKey) -> None:
    own = assertion(key, aud=f"{google.base_url!s}".rstrip("/") + "/token")
    answered = await google.post("/token", data={"grant_type": GRANT, "assertion": own})
    assert list(answered.json()) == ["id_token"]


async def test_another_key_signs_in_vain(google: httpx2.AsyncClient) -> None:
    forged = assertion(RSAKey.generate_key(2048))
    assert await refusal(google, forged) == ("invalid_grant", "Invalid JWT Signature.")


@pytest.mark.parametrize(
    ("claims", "error", "description"),
    [
        ({"iss": "nobody@example.com"}, "invalid_grant", "Invalid grant: account not found"),
        (
            {"iss": "stranger@demo-project.iam.gserviceaccount.com"},
            "invalid_grant",
            "Invalid grant: account not found",
        ),
        ({"aud": "https://example.com/token"}, "invalid_grant", "Invalid JWT: Failed audience check."),
        ({"exp": 1}, "invalid_grant", TIMEFRAME),
        ({"exp": 4_000_000_000}, "invalid_grant", TIMEFRAME),
        ({"iat": 4_000_000_000, "exp": 4_000_003_600}, "invalid_grant", TIMEFRAME),
        ({"exp": "soon"}, "invalid_grant", "Invalid JWT: iat and exp must be numbers."),
        ({"target_audience": ""}, "invalid_scope", "Invalid OAuth scope or ID token audience provided."),
    ],
)
async def test_an_assertion_that_claims_too_much_or_too_little_is_refused(
    google: httpx2.AsyncClient, key: RSAKey, claims: dict[str, Any], error: str, description: str
) -> None:
    assert await refusal(google, assertion(key, **claims)) == (error, description)


@pytest.mark.parametrize("text", ["", "abc", "a.b.c", "e30.W10.c2ln"])
async def test_what_is_no_assertion_is_refused(google: httpx2.AsyncClient, text: str) -> None:
    assert await refusal(google, text) == (
        "invalid_grant",
        "Invalid JWT: it is not a signed JWT with an issuer.",
    )


async def test_another_grant_is_refused(google: httpx2.AsyncClient, key: RSAKey) -> None:
    assert await refusal(google, assertion(key), "client_credentials") == (
        "unsupported_grant_type",
        f"Invalid grant_type: it must be {GRANT}.",
    )
