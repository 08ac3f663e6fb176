"""The kinds of credentials, as the configuration writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

import ostiary.credentials
from ostiary.credentials import (
    AwsSigV4,
    Bearer,
    Credential,
    CredentialError,
    GoogleAccessToken,
    GoogleIdToken,
    Header,
    IdJag,
    NoCredential,
    TokenExchange,
    WorkloadJwt,
)
from ostiary.credentials.headers.headers import OutgoingRequest, ServerRefusal
from ostiary.credentials.id_jag import IdpSettings
from ostiary.credentials.runtime import Runtime
from ostiary.credentials.single_credential import KINDS
from ostiary.oauth.canonical_url import canonical_url
from ostiary.secrets import Secret
from ostiary.settings import BASE_DIRECTORY

CREDENTIAL: TypeAdapter[Any] = TypeAdapter(Credential)
SERVER = canonical_url("https://mcp.example.com/mcp")
REQUEST = OutgoingRequest("POST", SERVER)
REFUSED = ServerRefusal(401)
ROLE = "arn:aws:iam::123456789012:role/reader"


def test_the_public_face_is_what_is_listed() -> None:
    submodules = {path.stem for path in Path(ostiary.credentials.__file__).parent.iterdir()}
    imported = {name for name in vars(ostiary.credentials) if not name.startswith("_")} - submodules
    kinds = {kind.model for kind in KINDS.values()}
    assert imported - {"Any", "KINDS", "TYPE_CHECKING", "annotations"} | kinds == set(
        ostiary.credentials.__all__
    )
    assert all(hasattr(ostiary.credentials, name) for name in ostiary.credentials.__all__)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ({"type": "none"}, NoCredential()),
        (
            {"type": "header", "name": "X-Api-Key", "value": {"env": "KEY"}},
            Header(name="X-Api-Key", value=Secret.from_env("KEY")),
        ),
        ({"type": "bearer", "token": {"file": "a.token"}}, Bearer(token=Secret.from_file("/etc/a.token"))),
        (
            {"type": "google_id_token", "key_file": "key.json"},
            GoogleIdToken(key_file=Path("/etc/key.json")),
        ),
        (
            {"type": "google_access_token", "impersonate": "a@b.example"},
            GoogleAccessToken(impersonate="a@b.example"),
        ),
        ({"type": "workload_jwt", "file": "token"}, WorkloadJwt(file=Path("/etc/token"))),
        (
            {
                "type": "token_exchange",
                "issuer": "https://sts.example.com",
                "subject": {"type": "workload_jwt", "file": "token"},
            },
            TokenExchange(issuer="https://sts.example.com", subject=WorkloadJwt(file=Path("/etc/token"))),
        ),
        (
            {"type": "id_jag", "idp": {"issuer": "https://sso.example.com"}},
            IdJag(idp=IdpSettings(issuer="https://sso.example.com")),
        ),
        (
            {"type": "aws_sigv4", "region": "eu-central-1", "role": ROLE},
            AwsSigV4(region="eu-central-1", role=ROLE),
        ),
    ],
)
def test_each_kind_is_written_in_the_same_words_in_the_file_and_in_python(
    written: object, read: object
) -> None:
    assert CREDENTIAL.validate_python(written, context={BASE_DIRECTORY: Path("/etc")}) == read


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ({"type": "magic"}, "'magic' found using 'type' does not match any of the expected tags"),
        ({"type": "bearer"}, "Field required"),
        ({"type": "bearer", "token": "abc"}, "a secret does not stand in the file itself"),
        ({"type": "bearer", "token": {"env": "A"}, "realm": "x"}, "Extra inputs are not permitted"),
        ({"type": "header", "name": "a b", "value": {"env": "A"}}, "'a b' is not a header name"),
        (
            {"type": "header", "name": "Content-Length", "value": {"env": "A"}},
            "Content-Length belongs to the message itself and cannot carry a credential",
        ),
        (
            {"type": "google_id_token", "audience": "https://zoo-123.europe-west1.run.app/mcp"},
            "as audience, which has no path: write https://zoo-123.europe-west1.run.app",
        ),
        ({"type": "google_id_token", "audience": "https://a\r\nb"}, "String should match pattern"),
        ({"type": "google_id_token", "impersonate": "somebody"}, "String should match pattern"),
    ],
)
def test_a_faulty_credential_says_what_is_wrong(written: object, why: str) -> None:
    with pytest.raises(ValidationError) as refused:
        CREDENTIAL.validate_python(written)
    assert why in str(refused.value)


def test_no_secret_is_seen_in_a_credential() -> None:
    credential = Bearer(token=Secret("hunter2"))
    assert "hunter2" not in f"{credential!r} {credential} {credential.model_dump_json()}"


async def test_no_credential_sends_nothing(runtime: Runtime) -> None:
    headers = NoCredential().attach(SERVER, runtime=runtime)
    assert headers.ready(REQUEST) == await headers.get(REQUEST) == ()
    assert not headers.refused(REQUEST, (), REFUSED)


async def test_a_bearer_token_is_read_once_and_again_when_it_is_refused(
    runtime: Runtime, tmp_path: Path
) -> None:
    file = tmp_path / "a.token"
    file.write_text("one\n")
    headers = Bearer(token=Secret.from_file(file)).attach(SERVER, runtime=runtime)
    assert headers.ready(REQUEST) is None
    sent = await headers.get(REQUEST)
    assert sent == (("authorization", "Bearer one"),)
    assert headers.ready(REQUEST) is sent
    assert not headers.refused(REQUEST, sent, REFUSED)
    file.write_text("two\n")
    assert headers.refused(REQUEST, sent, REFUSED)
    assert headers.ready(REQUEST) == (("authorization", "Bearer two"),)


async def test_a_missing_secret_says_where_it_should_be(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ZOO_KEY", raising=False)
    headers = Header(name="X-Api-Key", value=Secret.from_env("ZOO_KEY")).attach(SERVER, runtime=runtime)
    with pytest.raises(CredentialError) as refused:
        await headers.get(REQUEST)
    assert str(refused.value) == (
        "credential header for https://mcp.example.com: environment variable ZOO_KEY is not set; "
        "set it to the value that the server gave you"
    )


async def test_a_secret_with_a_line_break_is_refused_and_not_shown(runtime: Runtime) -> None:
    headers = Header(name="X-Api-Key", value=Secret("abc\r\nX-Admin: 1")).attach(SERVER, runtime=runtime)
    with pytest.raises(CredentialError) as refused:
        await headers.get(REQUEST)
    assert str(refused.value) == (
        "credential header for https://mcp.example.com: "
        "an inline value has a line break, a control character or a space at an end; "
        "store the value alone, on one line"
    )
