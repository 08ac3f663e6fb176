"""A workload's own JWT, as it is and by RFC 7523."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from pydantic import ValidationError
from tests.clock import Clock
from tests.credentials.naming_server import naming
from tests.credentials.signed import Signer
from tests.credentials.token_server import TokenServer, refusing

from ostiary.credentials import CredentialError, WorkloadJwt
from ostiary.credentials.headers.headers import OutgoingRequest, ServerRefusal
from ostiary.credentials.runtime import Runtime
from ostiary.credentials.workload_jwt.jwt_file import LONGEST
from ostiary.oauth.canonical_url import CanonicalUrl, canonical_url

SERVER = canonical_url("https://mcp.example.com/mcp")
REQUEST = OutgoingRequest("POST", SERVER)
REFUSED = ServerRefusal(401)


@pytest.fixture
async def runtime(clock: Clock) -> AsyncIterator[Runtime]:
    async with Runtime(clock=clock) as runtime:
        yield runtime


@pytest.fixture
def cluster() -> Signer:
    return Signer("https://kubernetes.default.svc")


@pytest.fixture
def file(tmp_path: Path, cluster: Signer, clock: Clock) -> Path:
    path = tmp_path / "token"
    path.write_text(cluster.sign(clock.now, sub="system:serviceaccount:ci:runner") + "\n")
    return path


async def test_the_token_is_sent_as_it_is(runtime: Runtime, file: Path) -> None:
    headers = WorkloadJwt(file=file).attach(SERVER, runtime=runtime)
    sent = headers.ready(REQUEST)
    assert sent == (("authorization", f"Bearer {file.read_text().strip()}"),)
    assert headers.ready(REQUEST) is sent
    assert await headers.get(REQUEST) is sent


async def test_a_token_that_the_platform_replaced_is_sent_within_a_second(
    runtime: Runtime, file: Path, cluster: Signer, clock: Clock, tmp_path: Path
) -> None:
    headers = WorkloadJwt(file=file).attach(SERVER, runtime=runtime)
    first = headers.ready(REQUEST)
    replacement = tmp_path / "..data_tmp"
    replacement.write_text(cluster.sign(clock.now + 60, sub="system:serviceaccount:ci:runner"))
    replacement.replace(file)
    assert headers.ready(REQUEST) is first
    clock.now += 1
    assert headers.ready(REQUEST) == (("authorization", f"Bearer {file.read_text()}"),)


async def test_a_refused_token_is_looked_at_again_at_once(
    runtime: Runtime, file: Path, cluster: Signer, clock: Clock
) -> None:
    headers = WorkloadJwt(file=file).attach(SERVER, runtime=runtime)
    sent = await headers.get(REQUEST)
    assert not headers.refused(REQUEST, sent, REFUSED)
    file.write_text(cluster.sign(clock.now + 60, sub="somebody else"))
    assert not headers.refused(REQUEST, sent, ServerRefusal(403))
    assert headers.refused(REQUEST, sent, REFUSED)
    assert headers.ready(REQUEST) != sent


async def test_a_file_that_was_not_renewed_is_said_so(runtime: Runtime, file: Path, clock: Clock) -> None:
    headers = WorkloadJwt(file=file).attach(SERVER, runtime=runtime)
    clock.now += 3605
    assert headers.ready(REQUEST) is None
    with pytest.raises(CredentialError) as refused:
        await headers.get(REQUEST)
    assert str(refused.value) == (
        "credential workload_jwt for https://mcp.example.com: "
        f"the token in {file} ended 5 seconds ago by our clock; see whether what renews that file still runs"
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "file {} cannot be read: No such file or directory"),
        (b"hunter2", "file {} holds no JWT"),
        (b"a.b.c\r\nX-Admin: 1", "file {} holds no JWT"),
        (b"a.b." + b"c" * LONGEST, "file {} holds no JWT"),
        (b"\xff.\xff.\xff", "file {} cannot be read: it is not text"),
    ],
)
async def test_a_file_without_a_token_is_said_so(
    runtime: Runtime, tmp_path: Path, content: bytes | None, problem: str
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    headers = WorkloadJwt(file=file).attach(SERVER, runtime=runtime)
    assert headers.ready(REQUEST) is None
    with pytest.raises(CredentialError) as refused:
        await headers.get(REQUEST)
    assert str(refused.value) == (
        f"credential workload_jwt for https://mcp.example.com: {problem.format(file)}; "
        "mount the token there, or set file to where it is"
    )


async def test_it_is_the_clients_proof(
    issuer: TokenServer, runtime: Runtime, file: Path, cluster: Signer
) -> None:
    credential = WorkloadJwt(
        file=file, use="client_assertion", client_id="ci", token_url=issuer.token_url, scopes=("mcp",)
    )
    headers = credential.attach(SERVER, runtime=runtime)
    assert await headers.get(REQUEST) == (("authorization", "Bearer token-1"),)
    [form] = issuer.forms
    assert cluster.read(form.pop("client_assertion"))["sub"] == "system:serviceaccount:ci:runner"
    assert form == {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_id": "ci",
        "scope": "mcp",
        "resource": "https://mcp.example.com/mcp",
    }


async def test_it_is_the_grant(
    issuer: TokenServer, runtime: Runtime, file: Path, cluster: Signer, clock: Clock
) -> None:
    def of_the_subject(request: web.Request, form: dict[str, str]) -> web.Response:
        subject = cluster.read(form["assertion"])["sub"]
        return web.json_response({"access_token": f"for-{subject}", "token_type": "Bearer", "expires_in": 60})

    issuer.answer = of_the_subject
    credential = WorkloadJwt(file=file, use="jwt_bearer", issuer=issuer.issuer, audience="mcp")
    headers = credential.attach(SERVER, runtime=runtime)
    assert await headers.get(REQUEST) == (("authorization", "Bearer for-system:serviceaccount:ci:runner"),)
    file.write_text(cluster.sign(clock.now, sub="another"))
    clock.now += 60
    assert await headers.get(REQUEST) == (("authorization", "Bearer for-another"),)
    assert {name: value for name, value in issuer.forms[0].items() if name != "assertion"} == {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "resource": "https://mcp.example.com/mcp",
        "audience": "mcp",
    }


@pytest.fixture
async def server(issuer: TokenServer) -> AsyncIterator[CanonicalUrl]:
    """An MCP server that names the issuer."""
    async with naming(issuer.issuer) as url:
        yield url


async def test_an_issuer_that_the_server_names_sees_only_a_token_made_for_it(
    issuer: TokenServer, server: CanonicalUrl, runtime: Runtime, file: Path, cluster: Signer, clock: Clock
) -> None:
    headers = WorkloadJwt(file=file, use="jwt_bearer").attach(server, runtime=runtime)
    with pytest.raises(CredentialError) as refused:
        await headers.get(REQUEST)
    assert str(refused.value) == (
        f"credential workload_jwt for {server.origin}: "
        f"the server names the issuer {issuer.issuer}, for whom the JWT is not; "
        "set issuer if it may have the JWT, or have the JWT made for it"
    )
    assert issuer.forms == []
    file.write_text(cluster.sign(clock.now, sub="runner", aud=[issuer.issuer]))
    assert await headers.get(REQUEST) == (("authorization", "Bearer token-1"),)
    assert issuer.forms[0]["resource"] == str(server)


async def test_a_refused_grant_is_asked_for_again_when_the_file_has_changed(
    issuer: TokenServer, runtime: Runtime, file: Path, cluster: Signer, clock: Clock
) -> None:
    issuer.answer = refusing("invalid_grant", f"unknown key in {file.read_text().strip()}")
    credential = WorkloadJwt(file=file, use="jwt_bearer", token_url=issuer.token_url)
    headers = credential.attach(SERVER, runtime=runtime)
    for _ in range(3):
        with pytest.raises(CredentialError) as refused:
            await headers.get(REQUEST)
    assert str(refused.value) == (
        f"credential workload_jwt for https://mcp.example.com: token endpoint {issuer.token_url}: "
        "it refused with invalid_grant (unknown key in ***); "
        "see whether what the token was asked with has ended or was meant for another client"
    )
    assert len(issuer.forms) == 1
    file.write_text(cluster.sign(clock.now + 60, sub="renewed"))
    issuer.answer = issuer.numbered
    assert await headers.get(REQUEST) == (("authorization", "Bearer token-1"),)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (
            {"scopes": ["a"]},
            "use: bearer sends the JWT as it is and asks no issuer, so scopes would not be used",
        ),
        (
            {"use": "client_assertion", "client_id": "a", "private_key": {"env": "K"}},
            "with use: client_assertion the JWT is the client's proof: leave the other out",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        WorkloadJwt.model_validate({"file": "token", **settings})


def test_no_token_is_seen_in_it(file: Path) -> None:
    assert file.read_text().strip() not in f"{WorkloadJwt(file=file)!r}"
