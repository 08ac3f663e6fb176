"""Who is shown what a client proves itself with: never whom a hostile server names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from pydantic import TypeAdapter, ValidationError
from tests.clock import Clock
from tests.credentials.naming_server import naming
from tests.credentials.signed import Signer
from tests.credentials.token_server import TokenServer

from ostiary.credentials import Credential, CredentialError
from ostiary.credentials.headers.headers import OutgoingRequest, ServerRefusal
from ostiary.credentials.runtime import Runtime
from ostiary.oauth.canonical_url import CanonicalUrl
from ostiary.secrets import Secret
from ostiary.settings import UNNAMED_ISSUERS

CREDENTIAL: TypeAdapter[Credential] = TypeAdapter(Credential)
SECRET = {"client_id": "ostiary", "client_secret": Secret("hunter2")}
KEY = {"client_id": "ostiary", "private_key": {"env": "KEY"}}
FILE = {"type": "workload_jwt", "file": "token", "use": "jwt_bearer"}
ID_JAG = {"type": "id_jag", "idp": {"token_url": "https://sso.example.com/token"}}
EXCHANGE = {"type": "token_exchange"}
UNADDRESSED: list[tuple[dict[str, Any], str]] = [
    ({"type": "client_credentials", **SECRET}, "client_secret"),
    ({"type": "client_credentials", "auth_method": "client_secret_post", **SECRET}, "client_secret"),
    ({"type": "oauth_user", **SECRET}, "client_secret"),
    ({**FILE, **SECRET}, "client_secret"),
    ({**ID_JAG, **SECRET}, "client_secret"),
    ({**EXCHANGE, "client_id": "ostiary"}, "the subject's token"),
    ({**ID_JAG, "audience": "https://as.example.com"}, "an ID-JAG for https://as.example.com"),
    (
        {"type": "client_credentials", "assertion_audience": "endpoint", **KEY},
        "a statement for a token endpoint",
    ),
    ({"type": "oauth_user", "assertion_audience": "endpoint", **KEY}, "a statement for a token endpoint"),
]


@pytest.fixture
async def runtime(clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Runtime]:
    monkeypatch.setenv("OSTIARY_STATE_DIR", str(tmp_path))
    async with Runtime(clock=clock) as runtime:
        yield runtime


@pytest.fixture
async def server(issuer: TokenServer) -> AsyncIterator[CanonicalUrl]:
    """A hostile server: `issuer` is its own."""
    async with naming(issuer.issuer) as url:
        yield url


async def refusal(credential: Credential, server: CanonicalUrl, runtime: Runtime) -> CredentialError:
    with pytest.raises(CredentialError) as refused:
        await credential.attach(server, runtime=runtime).get(OutgoingRequest("POST", server))
    return refused.value


@pytest.mark.parametrize(("written", "shown"), UNADDRESSED)
def test_a_secret_whose_addressee_the_server_would_choose_is_a_fault(
    written: dict[str, Any], shown: str
) -> None:
    others = "" if written["type"] == "oauth_user" else " or token_url"
    with pytest.raises(ValidationError) as refused:
        CREDENTIAL.validate_python(written)
    assert refused.value.errors()[0]["msg"] == (
        f"Value error, set issuer{others}: whoever is asked for tokens gets {shown}, and the server does not "
        "choose who that is; `ostiary doctor` says which line to add"
    )
    CREDENTIAL.validate_python(written | {"issuer": "https://as.example.com"})


@pytest.mark.parametrize("kind", ["client_credentials", "oauth_user"])
async def test_a_hostile_server_s_issuer_gets_no_client_secret(
    kind: str, issuer: TokenServer, server: CanonicalUrl, runtime: Runtime
) -> None:
    unaddressed = CREDENTIAL.validate_python({"type": kind, **SECRET}, context={UNNAMED_ISSUERS: True})
    if kind == "oauth_user":  # its sign-in would begin there, and its code be redeemed with the secret
        runtime.browser = _nobody
    headers = unaddressed.attach(server, runtime=runtime)
    if kind == "oauth_user":
        assert await headers.get(OutgoingRequest("POST", server)) == ()  # to be challenged
        assert headers.refused(
            OutgoingRequest("POST", server), (), ServerRefusal(401, 'Bearer error="invalid_token"')
        )
    with pytest.raises(CredentialError) as refused:
        await headers.get(OutgoingRequest("POST", server))
    assert refused.value.problem == (
        f"the server names the issuer {issuer.issuer}, and does not choose who gets client_secret"
    )
    assert refused.value.fix == (
        f"if that is who may have it, add to the credential the line `issuer: {issuer.issuer}`"
    )
    assert (issuer.forms, issuer.paths["/token"]) == ([], 0)


async def test_a_hostile_issuer_gets_a_statement_that_is_for_itself_alone(
    issuer: TokenServer, server: CanonicalUrl, runtime: Runtime, tmp_path: Path, ec_key: str
) -> None:
    """Mix-up: whatever endpoint its metadata names, the audience is its own name."""
    async with TokenServer().running() as honest:
        issuer.metadata = {"token_endpoint": str(honest.token_url)}
        (tmp_path / "key.pem").write_text(ec_key)
        key = {"client_id": "ostiary", "private_key": {"file": str(tmp_path / "key.pem")}}
        credential = CREDENTIAL.validate_python({"type": "client_credentials", **key})
        await credential.attach(server, runtime=runtime).get(OutgoingRequest("POST", server))
        [form] = honest.forms
    assertion = jwt.decode(form["client_assertion"], ECKey.import_key(ec_key), algorithms=["ES256"])
    assert assertion.claims["aud"] == issuer.issuer


async def test_a_hostile_issuer_cannot_take_another_s_name(
    issuer: TokenServer, server: CanonicalUrl, runtime: Runtime
) -> None:
    issuer.metadata = {"issuer": "https://honest.example.com"}
    credential = CREDENTIAL.validate_python({"type": "client_credentials", "client_id": "ostiary"})
    assert "the metadata is of issuer 'https://honest.example.com'" in str(
        await refusal(credential, server, runtime)
    )
    assert issuer.forms == []


async def test_a_hostile_issuer_gets_no_jwt_by_naming_the_endpoint_that_it_is_for(
    issuer: TokenServer, server: CanonicalUrl, runtime: Runtime, tmp_path: Path, clock: Clock
) -> None:
    async with TokenServer().running() as honest:
        issuer.metadata = {"token_endpoint": str(honest.token_url)}
        file = tmp_path / "token"
        cluster = Signer("https://kubernetes.default.svc")
        file.write_text(cluster.sign(clock.now, sub="runner", aud=[str(honest.token_url)]))
        credential = CREDENTIAL.validate_python({**FILE, "file": str(file)})
        refused = await refusal(credential, server, runtime)
        assert refused.problem == f"the server names the issuer {issuer.issuer}, for whom the JWT is not"
        assert (honest.forms, issuer.forms) == ([], [])


async def _nobody(url: str) -> None:
    raise AssertionError(f"nobody is to be sent to {url}")


@pytest.mark.parametrize(
    "written",
    [
        {"type": "oauth_user"},
        {"type": "oauth_user", "client_id": "public"},
        {"type": "client_credentials", **KEY},
        {"type": "client_credentials", "client_id": "a", "certificate": "c.pem", "certificate_key": "k.pem"},
        ID_JAG,
        FILE,
    ],
)
def test_what_is_worth_nothing_elsewhere_needs_no_addressee(written: dict[str, Any]) -> None:
    assert CREDENTIAL.validate_python(written).type == written["type"]
