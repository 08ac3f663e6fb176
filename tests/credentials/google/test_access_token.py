"""Google access tokens, from every identity that has one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.credentials.little_google import LittleGoogle, fetch_in_a_new_process

from ostiary.cloudrun.emulator import Emulator, EmulatorSettings
from ostiary.credentials import CredentialError, GoogleAccessToken, GoogleIdToken
from ostiary.credentials.google.iam import IAM_ENDPOINT_OVERRIDE
from ostiary.credentials.google.login import TOKEN_HOST_OVERRIDE, default_file
from ostiary.credentials.headers.headers import OutgoingRequest
from ostiary.credentials.runtime import Runtime
from ostiary.oauth.canonical_url import canonical_url

SERVER = canonical_url("https://bigquery.googleapis.com/mcp")
ORIGIN = "https://bigquery.googleapis.com"
REQUEST = OutgoingRequest("POST", SERVER)
EVERYTHING = "https://www.googleapis.com/auth/cloud-platform"
BIGQUERY = "https://www.googleapis.com/auth/bigquery"
DEPUTY = "deputy@demo.iam.gserviceaccount.com"
DEPUTY_PATH = f"/v1/projects/-/serviceAccounts/{DEPUTY}"

Kind = type[GoogleAccessToken] | type[GoogleIdToken]


@pytest.fixture(autouse=True)
def no_login_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("GCE_METADATA_DETECT_RETRIES", "1")


def written(path: Path, content: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def persons_login(google: LittleGoogle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What `gcloud auth application-default login` leaves behind."""
    monkeypatch.setenv(TOKEN_HOST_OVERRIDE, f"{google.url}/token")
    login = {
        "type": "authorized_user",
        "client_id": "gcloud",
        "client_secret": "s",
        "refresh_token": "hunter2",
    }
    return written(tmp_path / "gcloud" / "application_default_credentials.json", login)


@pytest.fixture
def federation(google: LittleGoogle, tmp_path: Path) -> dict[str, Any]:
    """What `gcloud iam workload-identity-pools create-cred-config` writes."""
    subject = tmp_path / "token"
    subject.write_text("a.b.c")
    return {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{google.url}/federate",
        "credential_source": {"file": str(subject)},
    }


async def value_of(credential: GoogleAccessToken | GoogleIdToken, runtime: Runtime) -> str:
    [(name, value)] = await credential.attach(SERVER, runtime=runtime).get(REQUEST)
    assert name == "authorization"
    return value.removeprefix("Bearer ")


async def error_of(credential: GoogleAccessToken | GoogleIdToken, runtime: Runtime) -> str:
    with pytest.raises(CredentialError) as refused:
        await credential.attach(SERVER, runtime=runtime).get(REQUEST)
    assert "hunter2" not in str(refused.value)
    return str(refused.value)


async def test_a_key_file_gives_one_with_the_scopes_that_are_asked_for(
    google: LittleGoogle, key_file: Path, runtime: Runtime
) -> None:
    assert await value_of(GoogleAccessToken(key_file=key_file, scopes=(BIGQUERY,)), runtime) == "ya29.caller"
    assert await value_of(GoogleAccessToken(key_file=key_file), runtime) == "ya29.caller"
    assert google.requests == [("access_token", BIGQUERY), ("access_token", EVERYTHING)]


async def test_two_servers_share_a_token(google: LittleGoogle, key_file: Path, runtime: Runtime) -> None:
    for server in (SERVER, canonical_url("https://storage.googleapis.com/mcp")):
        await GoogleAccessToken(key_file=key_file).attach(server, runtime=runtime).get(REQUEST)
    assert len(google.requests) == 1


async def test_the_metadata_server_has_one(google: LittleGoogle) -> None:
    assert await fetch_in_a_new_process("GoogleAccessToken", SERVER, google.url) == ""


async def test_without_any_identity_the_error_says_what_to_do() -> None:
    said = await fetch_in_a_new_process("GoogleAccessToken", SERVER, "http://127.0.0.1:1")
    assert said == (
        f"credential google_access_token for {ORIGIN}: Your default credentials were not found. To set up "
        "Application Default Credentials, see "
        "https://cloud.google.com/docs/authentication/external/set-up-adc for more information; "
        "run where there is a metadata server, point GOOGLE_APPLICATION_CREDENTIALS or key_file to a "
        "credentials file, or log in: gcloud auth application-default login"
    )


async def test_a_person_has_one(google: LittleGoogle, persons_login: Path, runtime: Runtime) -> None:
    assert await value_of(GoogleAccessToken(), runtime) == "ya29.person"
    assert google.requests == [("refresh", "hunter2")]


async def test_a_person_who_is_logged_out_is_told_how_to_log_in(
    google: LittleGoogle, persons_login: Path, runtime: Runtime
) -> None:
    google.has_logged_out = True
    assert await error_of(GoogleAccessToken(), runtime) == (
        f"credential google_access_token for {ORIGIN}: invalid_grant: Token has been expired or revoked; "
        "log in again: gcloud auth application-default login"
    )


async def test_a_refresh_token_that_is_repeated_is_not_shown(
    google: LittleGoogle, persons_login: Path, runtime: Runtime
) -> None:
    google.has_logged_out, google.words = True, "{} is no good"
    assert "hunter2" not in (said := await error_of(GoogleAccessToken(), runtime))
    assert f"for {ORIGIN}: invalid_grant: *** is no good; " in said


@pytest.mark.parametrize("by_name", [True, False])
async def test_a_person_has_no_id_tokens_for_others(
    google: LittleGoogle,
    persons_login: Path,
    runtime: Runtime,
    by_name: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GCE_METADATA_IP", "127.0.0.1:1")
    credential = GoogleIdToken(key_file=persons_login if by_name else None)
    assert await error_of(credential, runtime) == (
        f"credential google_id_token for {ORIGIN}: a person's own login gets ID tokens "
        "for gcloud's own client alone: it cannot choose an audience; "
        "set impersonate to a service account that it may act as, or key_file to a service account's key"
    )
    assert google.requests == []


@pytest.mark.parametrize("kind", [GoogleAccessToken, GoogleIdToken])
async def test_a_person_may_act_as_a_service_account(
    google: LittleGoogle, persons_login: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    monkeypatch.setenv(IAM_ENDPOINT_OVERRIDE, google.url)
    await value_of(kind(impersonate=DEPUTY), runtime)
    method = "generateAccessToken" if kind is GoogleAccessToken else "generateIdToken"
    assert google.requests == [("refresh", "hunter2"), (f"{DEPUTY_PATH}:{method}", "Bearer ya29.person")]


async def test_a_federated_workload_has_an_access_token_of_its_own(
    google: LittleGoogle, federation: dict[str, Any], tmp_path: Path, runtime: Runtime
) -> None:
    file = written(tmp_path / "federation.json", federation)
    assert await value_of(GoogleAccessToken(key_file=file, scopes=(BIGQUERY,)), runtime) == "federated"
    assert google.requests == [("federate", {"subject_token": "a.b.c", "scope": BIGQUERY})]


@pytest.mark.parametrize("kind", [GoogleAccessToken, GoogleIdToken])
async def test_a_federated_workload_acts_as_the_account_that_its_file_names(
    google: LittleGoogle, federation: dict[str, Any], tmp_path: Path, runtime: Runtime, kind: Kind
) -> None:
    acts_by = {"service_account_impersonation_url": f"{google.url}{DEPUTY_PATH}:generateAccessToken"}
    file = written(tmp_path / "federation.json", federation | acts_by)
    await value_of(kind(key_file=file), runtime)
    method = "generateAccessToken" if kind is GoogleAccessToken else "generateIdToken"
    assert google.requests == [
        ("federate", {"subject_token": "a.b.c", "scope": EVERYTHING}),
        (f"{DEPUTY_PATH}:{method}", "Bearer federated"),
    ]


async def test_a_federated_workload_that_acts_as_nobody_has_no_id_tokens(
    google: LittleGoogle, federation: dict[str, Any], tmp_path: Path, runtime: Runtime
) -> None:
    file = written(tmp_path / "federation.json", federation)
    assert await error_of(GoogleIdToken(key_file=file), runtime) == (
        f"credential google_id_token for {ORIGIN}: a federated workload that acts as no service account "
        "gets no ID tokens; set impersonate to a service account that it may act as"
    )


async def test_gclouds_own_impersonation_is_understood(
    google: LittleGoogle, persons_login: Path, runtime: Runtime
) -> None:
    login = {
        "type": "impersonated_service_account",
        "delegates": ["middle@demo.iam.gserviceaccount.com"],
        "service_account_impersonation_url": f"{google.url}{DEPUTY_PATH}:generateAccessToken",
        "source_credentials": json.loads(persons_login.read_text()),
    }
    written(persons_login, login)
    assert await value_of(GoogleAccessToken(), runtime) == "ya29.deputy"
    assert google.delegates == ["projects/-/serviceAccounts/middle@demo.iam.gserviceaccount.com"]
    google.iam_status = 403
    assert await error_of(GoogleIdToken(), runtime) == (
        f"credential google_id_token for {ORIGIN}: iamcredentials answered 403 when asked for a token of "
        f"{DEPUTY}; grant the caller roles/iam.serviceAccountOpenIdTokenCreator "
        "on the account that the credentials file names"
    )


@pytest.mark.parametrize("kind", [GoogleAccessToken, GoogleIdToken])
async def test_a_chain_of_service_accounts_leads_to_one_that_the_caller_may_not_act_as(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: Runtime, kind: Kind
) -> None:
    accounts = {
        "caller": {"key_file": tmp_path / "caller.json"},
        "middle": {"token_creators": ["caller"]},
        "deputy": {"token_creators": ["middle"]},
    }
    settings = {"listen": "127.0.0.1:0", "project": "demo-project", "service_accounts": accounts}
    domain = "demo-project.iam.gserviceaccount.com"
    async with Emulator(EmulatorSettings.model_validate(settings)) as emulator:
        monkeypatch.setenv(IAM_ENDPOINT_OVERRIDE, emulator.google_url)
        alone = kind(key_file=tmp_path / "caller.json", impersonate=f"deputy@{domain}")
        role = "TokenCreator" if kind is GoogleAccessToken else "OpenIdTokenCreator"
        assert await error_of(alone, runtime) == (
            f"credential {alone.type} for {ORIGIN}: iamcredentials answered 403 when asked for a token of "
            f"deputy@{domain}; grant the caller roles/iam.serviceAccount{role} on deputy@{domain}"
        )
        chained = alone.model_copy(update={"delegates": [f"middle@{domain}"]})
        assert await value_of(chained, runtime)


async def test_the_other_header_leaves_authorization_to_the_server(
    google: LittleGoogle, key_file: Path, runtime: Runtime
) -> None:
    credential = GoogleIdToken(key_file=key_file, header="x-serverless-authorization")
    [(name, value)] = await credential.attach(SERVER, runtime=runtime).get(REQUEST)
    assert (name, value[:7]) == ("x-serverless-authorization", "Bearer ")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"type": "magic"}, "its type is 'magic', which is none of Google's credentials files"),
        ([], "it holds no settings"),
        (
            {"type": "impersonated_service_account"},
            "it acts as a service account, and does not say who does: source_credentials",
        ),
        (
            {"type": "authorized_user", "refresh_token": "hunter2", "client_id": "a"},
            "Authorized user info was not in the expected format, missing fields client_secret",
        ),
    ],
)
async def test_a_file_that_is_none_of_googles_is_said_so(
    tmp_path: Path, runtime: Runtime, content: dict[str, Any], problem: str
) -> None:
    file = written(tmp_path / "login.json", content)
    assert await error_of(GoogleAccessToken(key_file=file), runtime) == (
        f"credential google_access_token for {ORIGIN}: {problem}; "
        f"see whether {file} is as Google gave it to you"
    )


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"delegates": [DEPUTY]}, "delegates lead to the account that impersonate names: name it"),
        ({"scopes": []}, "at least 1 item"),
        ({"scopes": ["a b"]}, "String should match pattern"),
    ],
)
def test_settings_that_lead_nowhere_are_refused(settings: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        GoogleAccessToken.model_validate(settings)


def test_a_user_without_a_home_has_no_login_of_gclouds(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that runs as any number: then the metadata server says who we are."""

    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.delenv("CLOUDSDK_CONFIG", raising=False)
    monkeypatch.setattr(Path, "home", nowhere)
    assert default_file() is None
