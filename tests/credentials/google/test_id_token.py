"""Google ID tokens by google-auth's own flows, from a small Google on loopback."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.credentials.little_google import LittleGoogle, fetch_in_a_new_process

from ostiary.credentials import CredentialError, GoogleIdToken
from ostiary.credentials.google.iam import IAM_ENDPOINT_OVERRIDE
from ostiary.credentials.headers.headers import OutgoingRequest
from ostiary.credentials.runtime import Runtime
from ostiary.oauth.canonical_url import canonical_url

SERVER = canonical_url("https://zoo-123.europe-west1.run.app/mcp")
REQUEST = OutgoingRequest("POST", SERVER)
ORIGIN = "https://zoo-123.europe-west1.run.app"


async def test_a_key_file_gives_a_token_for_the_origin_of_the_server(
    google: LittleGoogle, key_file: Path, runtime: Runtime
) -> None:
    headers = GoogleIdToken(key_file=key_file).attach(SERVER, runtime=runtime)
    [(name, value)] = await headers.get(REQUEST)
    assert (name, value) == ("authorization", f"Bearer {value.removeprefix('Bearer ')}")
    assert google.requests == [("id_token", ORIGIN)]
    assert headers.ready(REQUEST) == ((name, value),)


async def test_two_servers_of_one_audience_share_a_token(
    google: LittleGoogle, key_file: Path, runtime: Runtime
) -> None:
    credential = GoogleIdToken(key_file=key_file, audience="zoo")
    one, two = credential.attach(SERVER, runtime=runtime), credential.attach(SERVER, runtime=runtime)
    assert await one.get(REQUEST) == await two.get(REQUEST)
    assert google.requests == [("id_token", "zoo")]


async def test_application_default_credentials_may_be_a_key_file(
    google: LittleGoogle, key_file: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key_file))
    await GoogleIdToken().attach(SERVER, runtime=runtime).get(REQUEST)
    assert google.requests == [("id_token", ORIGIN)]


@pytest.mark.parametrize("by_default", [True, False])
async def test_another_service_account_is_impersonated_by_iamcredentials(
    google: LittleGoogle,
    key_file: Path,
    runtime: Runtime,
    monkeypatch: pytest.MonkeyPatch,
    by_default: bool,
) -> None:
    monkeypatch.setenv(IAM_ENDPOINT_OVERRIDE, f"{google.url}/")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key_file))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "demo")
    credential = GoogleIdToken(
        impersonate="zoo@demo.iam.gserviceaccount.com", key_file=None if by_default else key_file
    )
    await credential.attach(SERVER, runtime=runtime).get(REQUEST)
    assert google.requests == [
        ("access_token", "https://www.googleapis.com/auth/cloud-platform"),
        (
            "/v1/projects/-/serviceAccounts/zoo@demo.iam.gserviceaccount.com:generateIdToken",
            "Bearer ya29.caller",
        ),
    ]


async def test_a_refused_impersonation_names_the_role(
    google: LittleGoogle, key_file: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(IAM_ENDPOINT_OVERRIDE, google.url)
    google.iam_status = 403
    credential = GoogleIdToken(impersonate="zoo@demo.iam.gserviceaccount.com", key_file=key_file)
    with pytest.raises(CredentialError) as refused:
        await credential.attach(SERVER, runtime=runtime).get(REQUEST)
    assert str(refused.value) == (
        f"credential google_id_token for {ORIGIN}: "
        "iamcredentials answered 403 when asked for a token of zoo@demo.iam.gserviceaccount.com; "
        "grant the caller roles/iam.serviceAccountOpenIdTokenCreator on zoo@demo.iam.gserviceaccount.com"
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "No such file or directory"),
        (
            '{"client_email": "a@b.example"}',
            "Service account info was not in the expected format, missing fields token_uri",
        ),
        ("not json", "Expecting value: line 1 column 1 (char 0)"),
    ],
)
async def test_a_key_file_that_is_none_is_said_so(
    tmp_path: Path, runtime: Runtime, content: str | None, problem: str
) -> None:
    path = tmp_path / "broken.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(CredentialError) as refused:
        await GoogleIdToken(key_file=path).attach(SERVER, runtime=runtime).get(REQUEST)
    assert str(refused.value) == (
        f"credential google_id_token for {ORIGIN}: {problem}; see whether {path} is as Google gave it to you"
    )


async def test_the_metadata_server_gives_a_token(google: LittleGoogle) -> None:
    assert await fetch_in_a_new_process("GoogleIdToken", SERVER, google.url) == ""
    assert google.requests == [("identity", ORIGIN)]


async def test_where_there_is_no_google_identity_the_error_says_what_to_do() -> None:
    assert await fetch_in_a_new_process("GoogleIdToken", SERVER, "http://127.0.0.1:1") == (
        f"credential google_id_token for {ORIGIN}: "
        "Neither metadata server or valid service account credentials are found; "
        "run where there is a metadata server, point GOOGLE_APPLICATION_CREDENTIALS or key_file to a service "
        "account's key, or set impersonate (a person's own login cannot choose an audience)"
    )
