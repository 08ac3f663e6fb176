"""A small Google on loopback: metadata server, token endpoint, STS and iamcredentials in one.

Nothing is signed, as nobody checks; what it was asked is written down.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ostiary.oauth.canonical_url import CanonicalUrl

ACCESS = {"access_token": "ya29.caller", "expires_in": 3600, "token_type": "Bearer"}
PRIVATE_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)


class LittleGoogle:
    """What it was asked is in `requests`."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[tuple[str, Any]] = []
        self.iam_status = 200
        self.has_logged_out = False
        self.words = "Token has been expired or revoked."
        self.delegates: list[str] = []

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
            case "project-id":
                return web.Response(text="demo", headers=flavor)
            case "token" if request.method == "GET":
                return web.json_response(ACCESS, headers=flavor)
        answers = {"/token": self.exchange, "/federate": self.federate}
        return await answers.get(request.path, self.impersonate)(request)

    async def exchange(self, request: web.Request) -> web.Response:
        form = await request.post()
        if form["grant_type"] == "refresh_token":
            return self.refresh(str(form["refresh_token"]))
        assertion = str(form["assertion"])
        claims = json.loads(base64.urlsafe_b64decode(assertion.split(".")[1] + "=="))
        if "target_audience" in claims:
            self.requests.append(("id_token", claims["target_audience"]))
            return web.json_response({"id_token": id_token(claims["target_audience"])})
        self.requests.append(("access_token", claims["scope"]))
        return web.json_response(ACCESS)

    def refresh(self, refresh_token: str) -> web.Response:
        self.requests.append(("refresh", refresh_token))
        if self.has_logged_out:
            refused = {"error": "invalid_grant", "error_description": self.words.format(refresh_token)}
            return web.json_response(refused, status=400)
        return web.json_response(ACCESS | {"access_token": "ya29.person", "id_token": id_token("gcloud")})

    async def federate(self, request: web.Request) -> web.Response:
        """The Security Token Service (RFC 8693)."""
        form = await request.post()
        self.requests.append(("federate", {name: str(form[name]) for name in ("subject_token", "scope")}))
        kind = "urn:ietf:params:oauth:token-type:access_token"
        return web.json_response(ACCESS | {"access_token": "federated", "issued_token_type": kind})

    async def impersonate(self, request: web.Request) -> web.Response:
        self.requests.append((request.path, request.headers["authorization"]))
        if self.iam_status != 200:
            return web.json_response({"error": {"message": "no"}}, status=self.iam_status)
        asked = await request.json()
        self.delegates = asked.get("delegates", [])
        if "audience" in asked:
            return web.json_response({"token": id_token(asked["audience"])})
        return web.json_response({"accessToken": "ya29.deputy", "expireTime": "2100-01-01T00:00:00Z"})


def id_token(audience: str) -> str:
    claims = {
        "aud": audience,
        "exp": int(time.time()) + 3600,
        "iat": int(time.time()),
        "iss": "accounts.google.com",
    }
    parts = (json.dumps(part).encode() for part in ({"alg": "RS256", "kid": "k"}, claims))
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), "c2ln"])


FETCH = """
import asyncio, sys
from ostiary.credentials import CredentialError, GoogleAccessToken, GoogleIdToken
from ostiary.credentials.headers.headers import OutgoingRequest
from ostiary.credentials.runtime import Runtime
from ostiary.oauth.canonical_url import canonical_url

async def main():
    assert "google.auth" not in sys.modules
    async with Runtime() as runtime:
        server = canonical_url(sys.argv[1])
        await globals()[sys.argv[2]]().attach(server, runtime=runtime).get(OutgoingRequest("POST", server))

try:
    asyncio.run(main())
except CredentialError as error:
    print(error)
"""


async def fetch_in_a_new_process(kind: str, server: CanonicalUrl, metadata_server: str) -> str:
    """What goes wrong there, or nothing: google-auth reads GCE_METADATA_HOST once, as it is imported."""
    host = metadata_server.removeprefix("http://")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("GOOGLE_", "GCE_"))
    }
    environment |= {"GCE_METADATA_HOST": host, "GCE_METADATA_IP": host}
    environment |= {"GCE_METADATA_DETECT_RETRIES": "1", "GCE_METADATA_TIMEOUT": "1"}
    environment |= {"CLOUDSDK_CONFIG": os.devnull}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FETCH, str(server), kind, env=environment, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode().strip()
