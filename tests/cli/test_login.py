"""`ostiary login` and `ostiary logout`, with a browser that is another process."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from tests.cli.conftest import Ostiary, Outcome
from tests.credentials.persons_issuer import PersonsIssuer, persons_issuer

BROWSER = f"{shlex.quote(sys.executable)} -c 'import sys, urllib.request as r; r.urlopen(sys.argv[1])' %s"
ADA = "e30.eyJlbWFpbCI6ImFkYUBleGFtcGxlLmNvbSJ9.sig"
"""An ID token of ada@example.com."""

ALLOW = "sign in again, and allow what is asked for"
NOT_A_PERSON_S = (
    "nobody signs in at https://zoo.example.com/mcp: its credential is google_id_token "
    "(server zoo of ostiary.yaml); --credential oauth_user takes a person's own instead\n"
)

Command = Callable[..., Awaitable[Outcome]]


@pytest.fixture
async def issuer() -> AsyncIterator[PersonsIssuer]:
    async with persons_issuer() as issuer:
        issuer.id_token = ADA
        yield issuer


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A user whose only browser is ours, and who has no keyring."""
    return os.environ | {
        "BROWSER": BROWSER,
        "NO_COLOR": "1",
        "OSTIARY_STATE_DIR": str(tmp_path / "state"),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }


@pytest.fixture
def command(tmp_path: Path, environment: dict[str, str]) -> Command:
    """Run a command line to its end."""

    async def run(*words: str) -> Outcome:
        process = await start(words, tmp_path, environment)
        async with asyncio.timeout(60):
            out, err = await process.communicate()
        return Outcome(process.returncode or 0, out.decode(), err.decode())

    return run


async def start(
    words: tuple[str, ...], directory: Path, environment: dict[str, str]
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ostiary", *words), cwd=directory, env=environment, stdout=PIPE, stderr=PIPE
    )


async def test_the_browser_is_opened_and_the_tokens_serve_the_next_command(
    command: Command, issuer: PersonsIssuer, tmp_path: Path
) -> None:
    done = await command("login", issuer.server)
    lines = done.out.splitlines()
    assert (done.code, lines[0]) == (0, f"Signed in at {issuer.url} as ada@example.com, for {issuer.server}.")
    assert lines[1] == "  scopes: read"
    assert lines[2].endswith(" UTC, then renewed without you")
    assert lines[3:] == [
        f"  kept:   {tmp_path}/state/tokens.sealed",
        f"Now: ostiary tools {issuer.server} --credential oauth_user",
    ]
    assert "token-1" not in done.out + done.err
    token = await command("token", issuer.server, "--credential", "oauth_user", "--reveal")
    assert token.out.splitlines()[0] == "authorization: Bearer token-1"


async def test_without_a_browser_the_address_is_printed(
    issuer: PersonsIssuer, tmp_path: Path, environment: dict[str, str]
) -> None:
    process = await start(("login", issuer.server, "--no-browser", "--json"), tmp_path, environment)
    assert process.stdout is not None
    assert process.stderr is not None
    async with asyncio.timeout(60):
        assert await process.stderr.readline() == (
            b"Open this address in a browser on this machine, and sign in:\n"
        )
        address = (await process.stderr.readline()).decode().strip()
        async with aiohttp.ClientSession() as session, session.get(address) as page:
            assert page.status == 200
        told = json.loads(await process.stdout.read())
        assert await process.wait() == 0
    assert (told["person"], told["scopes"], told["renewable"]) == ("ada@example.com", ["read"], True)


async def test_more_scopes_can_be_asked_for(command: Command, issuer: PersonsIssuer) -> None:
    done = await command("login", issuer.server, "--scope", "write")
    assert done.out.splitlines()[1] == "  scopes: write read"


async def test_a_refusal_is_one_sentence(command: Command, issuer: PersonsIssuer) -> None:
    issuer.answer = {"code": "", "error": "access_denied", "error_description": "not you"}
    done = await command("login", issuer.server)
    assert (done.code, done.err.splitlines()[-1]) == (
        1,
        f"credential oauth_user for {issuer.server}: access_denied: not you; " + ALLOW,
    )


async def test_logout_revokes_and_forgets(command: Command, issuer: PersonsIssuer) -> None:
    await command("login", issuer.server)
    out = await command("logout", issuer.server)
    assert out.out.splitlines() == [
        f"Signed out of {issuer.server}.",
        f"{issuer.url} has revoked the tokens.",
    ]
    assert len(issuer.revoked) == 1
    again = await command("logout", issuer.server)
    assert (again.code, again.err) == (1, f"nobody is signed in at {issuer.server}\n")


def test_a_server_with_another_credential_is_not_signed_in_at(ostiary: Ostiary, tmp_path: Path) -> None:
    (tmp_path / "ostiary.yaml").write_text(
        "gateway:\n  allow_unauthenticated: true\n  listen: 127.0.0.1:8080\n"
        "  servers:\n    zoo: {url: 'https://zoo.example.com/mcp', credential: {type: google_id_token}}\n"
    )
    done = ostiary("login", "--server", "zoo")
    assert (done.code, done.err) == (
        2,
        NOT_A_PERSON_S,
    )
