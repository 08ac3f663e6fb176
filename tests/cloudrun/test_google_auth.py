"""google-auth as it is, in a process of its own that believes that it runs on Google."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
from joserfc import jwt
from joserfc.jwk import KeySet

from ostiary.cloudrun.emulator import Emulator

AUDIENCE = "https://zoo.example.com"
CALLER = "caller@demo-project.iam.gserviceaccount.com"
RUNTIME = "runtime@demo-project.iam.gserviceaccount.com"

FROM_THE_METADATA_SERVER = """
import json, google.auth, google.oauth2.id_token
from google.auth.transport.requests import Request
credentials, project = google.auth.default()
credentials.refresh(Request())
id_token = google.oauth2.id_token.fetch_id_token(Request(), "https://zoo.example.com")
print(json.dumps([project, credentials.service_account_email, credentials.token, id_token]))
"""

FROM_A_KEY_FILE = """
import json, sys
from google.auth.transport.requests import Request
from google.oauth2 import service_account
file = sys.argv[1]
scoped = service_account.Credentials.from_service_account_file(file, scopes=["https://www.googleapis.com/auth/iam"])
scoped.refresh(Request())
identity = service_account.IDTokenCredentials.from_service_account_file(file, target_audience="https://zoo.example.com")
identity.refresh(Request())
print(json.dumps([scoped.token, identity.token]))
"""

# google-auth knows one address for ID tokens of an impersonated account; nothing else of it is touched.
BY_IMPERSONATION = """
import json, sys, google.auth, google.auth.iam
from google.auth import impersonated_credentials
from google.auth.transport.requests import Request
here, target, *delegates = sys.argv[1:]
iam = google.auth.iam
iam._IAM_IDTOKEN_ENDPOINT = iam._IAM_IDTOKEN_ENDPOINT.replace("https://iamcredentials.googleapis.com", here)
source, _ = google.auth.default()
acting = impersonated_credentials.Credentials(
    source, target, ["https://www.googleapis.com/auth/cloud-platform"], delegates=delegates,
    iam_endpoint_override=f"{here}/v1/projects/-/serviceAccounts/{target}:generateAccessToken",
)
acting.refresh(Request())
identity = impersonated_credentials.IDTokenCredentials(
    acting, target_audience="https://zoo.example.com", include_email=True
)
identity.refresh(Request())
print(json.dumps([acting.token, identity.token]))
"""


async def run(emulator: Emulator, program: str, *arguments: str) -> Any:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        *arguments,
        env=os.environ | emulator.environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return json.loads(output)


async def claims_of(emulator: Emulator, token: str) -> dict[str, Any]:
    """What the token says, when the published key verifies it."""
    async with httpx2.AsyncClient(trust_env=False) as http:
        keys = KeySet.import_key_set((await http.get(emulator.jwks_url)).json())
    return jwt.decode(token, keys, algorithms=["RS256"]).claims


async def test_the_metadata_server_gives_both_kinds_of_token(emulator: Emulator) -> None:
    project, account, access_token, id_token = await run(emulator, FROM_THE_METADATA_SERVER)
    assert (project, account, access_token[:5]) == ("demo-project", CALLER, "ya29.")
    claims = await claims_of(emulator, id_token)
    issued = claims.pop("iat")
    assert claims == {
        "iss": "https://accounts.google.com",
        "aud": AUDIENCE,
        "azp": claims["sub"],
        "sub": claims["sub"],
        "email": CALLER,
        "email_verified": True,
        "exp": issued + 3600,
    }
    assert emulator.minted == {"access_token": 1, "id_token": 1}


async def test_a_key_file_gives_both_kinds_of_token(emulator: Emulator, tmp_path: Path) -> None:
    key_file = tmp_path / "caller.json"
    assert key_file.stat().st_mode & 0o777 == 0o600
    access_token, id_token = await run(emulator, FROM_A_KEY_FILE, str(key_file))
    assert access_token.startswith("ya29.")
    claims = await claims_of(emulator, id_token)
    assert (claims["aud"], claims["email"]) == (AUDIENCE, CALLER)


async def test_a_key_file_works_on_when_the_clock_was_moved(emulator: Emulator, tmp_path: Path) -> None:
    emulator.clock.offset = timedelta(days=2)
    _, id_token = await run(emulator, FROM_A_KEY_FILE, str(tmp_path / "caller.json"))
    assert (await claims_of(emulator, id_token))["exp"] > emulator.clock() + 3500


async def test_an_account_acts_as_another_one(emulator: Emulator) -> None:
    access_token, id_token = await run(emulator, BY_IMPERSONATION, emulator.google_url, RUNTIME)
    assert access_token.startswith("ya29.")
    claims = await claims_of(emulator, id_token)
    assert (claims["aud"], claims["email"]) == (AUDIENCE, RUNTIME)
