"""Keycloak, the identity provider of many companies, as a process of its own; it needs Java and Maven."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import zipfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import httpx2
from playwright.async_api import Page
from tests.loopback import TRUSTING_NOBODY
from tests.peers.identity_provider import PASSWORD, PEOPLE, IdentityProvider, Person
from tests.peers.npm import CACHE, INSTALL_TIMEOUT
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
    "--http-port=0",
    "--hostname-strict=false",
)
START_SECONDS = 120
PATIENCE = 30
LOG_BYTES = 1 << 20
QUICK_START = "-XX:TieredStopAtLevel=1"
ADMINISTRATOR = "administrator"
REALM = "animals"
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


class Keycloak:
    """One that runs, for many tests: each has a client of its own there."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self._numbers = itertools.count(1)

    @asynccontextmanager
    async def running_idp(
        self, redirect_uris: Sequence[str], *, lifetime: int = 3600
    ) -> AsyncIterator[IdentityProvider]:
        """A new client, with those redirect URIs.

        lifetime: of its access tokens, in seconds. Refresh tokens rotate, and are always given.
        """
        client_id = f"ostiary-{next(self._numbers)}"
        async with httpx2.AsyncClient(trust_env=False, verify=TRUSTING_NOBODY, timeout=PATIENCE) as http:
            told = await http.post(
                f"{self.origin}/realms/master/protocol/openid-connect/token",
                data={
                    "grant_type": "password",
                    "client_id": "admin-cli",
                    "username": ADMINISTRATOR,
                    "password": PASSWORD,
                },
            )
            made = await http.post(
                f"{self.origin}/admin/realms/{REALM}/clients",
                json=_client(client_id, redirect_uris, lifetime),
                headers={"Authorization": f"Bearer {told.json()['access_token']}"},
            )
        assert made.status_code == 201, made.text
        yield IdentityProvider(f"{self.origin}/realms/{REALM}", client_id, CLIENT_SECRET, SCOPES, _sign_in)


@contextmanager
def running_keycloak() -> Iterator[Keycloak]:
    """Run one. Without Java or Maven, skip; in CI, fail."""
    installed = installed_keycloak()
    administrator = {"KC_BOOTSTRAP_ADMIN_USERNAME": ADMINISTRATOR, "KC_BOOTSTRAP_ADMIN_PASSWORD": PASSWORD}
    with tempfile.TemporaryDirectory(prefix="ostiary-keycloak-") as home, TemporaryFile() as log:
        _furnish(Path(home), installed)
        process = subprocess.Popen(
            ["bash", f"{home}/bin/kc.sh", "start", *START_OPTIONS],
            env=os.environ | administrator | {"JAVA_OPTS_APPEND": QUICK_START},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield Keycloak(_origin(process, log))
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _origin(process: subprocess.Popen[bytes], log: IO[bytes]) -> str:
    """Where it listens, as soon as it does."""
    until = time.monotonic() + START_SECONDS
    while True:
        ended = process.poll() is not None or time.monotonic() > until
        told = os.pread(log.fileno(), LOG_BYTES, 0).decode(errors="replace")
        if found := re.search(r"Listening on: (\S+)", told):
            return found[1]
        assert not ended, f"it did not start:\n{told[-2000:]}"
        time.sleep(0.1)


async def _sign_in(page: Page, login: str) -> None:
    """Its one page, which it leaves out while it knows the person."""
    await page.get_by_role("textbox", name="username").fill(login)
    await page.get_by_role("textbox", name="password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign In").click()


def _realm() -> Mapping[str, Any]:
    return {
        "realm": REALM,
        "enabled": True,
        "sslRequired": "none",
        "revokeRefreshToken": True,
        "refreshTokenMaxReuse": 0,
        "groups": [{"name": name} for name in sorted({name for person in PEOPLE for name in person.groups})],
        "users": [_user(person) for person in PEOPLE],
    }


def _client(client_id: str, redirect_uris: Sequence[str], lifetime: int) -> Mapping[str, Any]:
    return {
        "clientId": client_id,
        "secret": CLIENT_SECRET,
        "redirectUris": list(redirect_uris),
        "standardFlowEnabled": True,
        "attributes": {"pkce.code.challenge.method": "S256", "access.token.lifespan": str(lifetime)},
        "protocolMappers": [GROUPS_CLAIM],
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


def _furnish(home: Path, installed: Path) -> None:
    """A home of its own for one process: the programs are shared, the data are not."""
    for folder in ("lib", "conf", "providers", "themes"):
        (home / folder).symlink_to(installed / folder)
    for folder in ("bin", "data/import"):
        (home / folder).mkdir(parents=True)
    shutil.copy(installed / "bin" / "kc.sh", home / "bin")
    (home / "data" / "import" / "realm.json").write_text(json.dumps(_realm()))


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
