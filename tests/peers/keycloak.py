"""Keycloak, the identity provider of many companies, as a process of its own; it needs Java and Maven."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Page
from tests.peers.identity_provider import PASSWORD, PEOPLE, IdentityProvider, Person
from tests.peers.npm import CACHE, INSTALL_TIMEOUT
from tests.peers.process import serving_program
from tests.peers.unavailable import takes_time, unavailable

VERSION = "26.7.3"
ARTIFACT = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
BUILD_OPTIONS = ("--db=dev-mem", "--health-enabled=false")
START_OPTIONS = (
    "--optimized",
    "--import-realm",
    "--cache=local",  # else it looks for a cluster on every interface
    "--http-enabled=true",
    "--http-host=127.0.0.1",
    "--hostname-strict=false",
)
QUICK_START = "-XX:TieredStopAtLevel=1"
REALM = "animals"
CLIENT_ID = "ostiary"
CLIENT_SECRET = "hunter2 and 30 characters more of it"
SCOPES = ("openid", "email", "profile")


def installed_keycloak() -> Path:
    """Where it is, installed and configured once. Without Java or Maven, skip; in CI, fail."""
    takes_time("Keycloak")
    directory = CACHE / f"keycloak-{VERSION}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "keycloak.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "installed").exists():
            _install(directory)
            (directory / "installed").touch()
    return directory


@asynccontextmanager
async def running_idp(
    redirect_uris: Sequence[str],
    *,
    people: Sequence[Person] = PEOPLE,
    lifetime: int = 3600,
    port: int = 0,
) -> AsyncIterator[IdentityProvider]:
    """Run one, which knows a client with those redirect URIs.

    lifetime: of access tokens, in seconds. Refresh tokens rotate, and are always given.
    """
    installed = installed_keycloak()
    with tempfile.TemporaryDirectory(prefix="ostiary-keycloak-") as home:
        _furnish(Path(home), installed, _realm(redirect_uris, people, lifetime))
        async with serving_program(
            "bash",
            f"{home}/bin/kc.sh",
            "start",
            *START_OPTIONS,
            f"--http-port={port}",
            ready="Listening on:",
            within=120,
            environment=os.environ | {"JAVA_OPTS_APPEND": QUICK_START},
        ) as line:
            address = re.search(r"Listening on: (\S+)", line)
            assert address is not None, line
            issuer = f"{address[1]}/realms/{REALM}"
            yield IdentityProvider(issuer, CLIENT_ID, CLIENT_SECRET, SCOPES, _sign_in)


async def _sign_in(page: Page, login: str) -> None:
    """Its one page, which it leaves out while it knows the person."""
    await page.get_by_role("textbox", name="username").fill(login)
    await page.get_by_role("textbox", name="password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign In").click()


def _realm(redirect_uris: Sequence[str], people: Sequence[Person], lifetime: int) -> Mapping[str, Any]:
    groups = sorted({group for person in people for group in person.groups})
    return {
        "realm": REALM,
        "enabled": True,
        "sslRequired": "none",
        "accessTokenLifespan": lifetime,
        "revokeRefreshToken": True,
        "refreshTokenMaxReuse": 0,
        "groups": [{"name": group} for group in groups],
        "users": [_user(person) for person in people],
        "clients": [
            {
                "clientId": CLIENT_ID,
                "secret": CLIENT_SECRET,
                "redirectUris": list(redirect_uris),
                "standardFlowEnabled": True,
                "attributes": {"pkce.code.challenge.method": "S256"},
                "protocolMappers": [GROUPS_CLAIM],
            }
        ],
    }


GROUPS_CLAIM = {
    "name": "groups",
    "protocol": "openid-connect",
    "protocolMapper": "oidc-group-membership-mapper",
    "config": {
        "claim.name": "groups",
        "full.path": "false",
        "id.token.claim": "true",
        "access.token.claim": "true",
        "userinfo.token.claim": "true",
    },
}


def _user(person: Person) -> Mapping[str, Any]:
    first, _, last = person.name.partition(" ")
    return {
        "id": person.login,  # so that it is the `sub`
        "username": person.login,
        "enabled": True,
        "firstName": first,
        "lastName": last,
        "email": person.email,
        "emailVerified": person.email_verified,
        "groups": [f"/{group}" for group in person.groups],
        "credentials": [{"type": "password", "value": PASSWORD}],
    }


def _furnish(home: Path, installed: Path, realm: Mapping[str, Any]) -> None:
    """A home of its own for one process: the programs are shared, the data are not."""
    for folder in ("lib", "conf", "providers", "themes"):
        (home / folder).symlink_to(installed / folder)
    for folder in ("bin", "data/import"):
        (home / folder).mkdir(parents=True)
    shutil.copy(installed / "bin" / "kc.sh", home / "bin")
    (home / "data" / "import" / "realm.json").write_text(json.dumps(realm))


def _install(directory: Path) -> None:
    for program, package in (("java", "default-jre-headless"), ("mvn", "maven")):
        if shutil.which(program) is None:
            unavailable(f"{program} is not installed: install it (apt install {package}) to run this test")
    shutil.rmtree(directory, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        downloads = Path(folder)
        _run(
            "mvn", "--quiet", "--batch-mode", COPY, f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={downloads}"
        )
        with zipfile.ZipFile(next(downloads.glob("*.zip"))) as archive:
            archive.extractall(downloads)
        (downloads / f"keycloak-{VERSION}").rename(directory)
    _run("bash", str(directory / "bin" / "kc.sh"), "build", *BUILD_OPTIONS)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT, check=False)
    if done.returncode != 0:
        unavailable(f"{' '.join(command)}: {(done.stdout + done.stderr).strip()[-500:]}")
