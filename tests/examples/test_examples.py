"""The shipped example files: all load, and together they show everything that the server can do."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from ostiary.authserver.config import AuthServerSettings, TrustedUse
from ostiary.authserver.server.grants import GRANT_TYPES
from ostiary.config import OstiaryFile, load
from ostiary.config.schema import file_schema
from ostiary.oauth.server.client import AUTHORIZATION_CODE

FOLDER = Path(__file__).parents[2] / "examples" / "authserver"
FILES = sorted(FOLDER.glob("*.yaml"))


def authserver(file: Path) -> AuthServerSettings:
    settings = load(file).authserver
    assert settings is not None
    return settings


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_it_loads_and_says_first_what_it_is_for(file: Path) -> None:
    assert authserver(file).issuer == "https://auth.example.com"
    for_editors, what_for, *_ = file.read_text("utf-8").splitlines()
    assert for_editors == "# yaml-language-server: $schema=ostiary.schema.json"
    assert what_for.startswith("# ")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_editors_have_nothing_to_say_about_it(file: Path) -> None:
    jsonschema.validate(YAML(typ="safe").load(file), file_schema(OstiaryFile))


def test_together_they_have_every_grant_client_and_provider() -> None:
    every = [authserver(file) for file in FILES]
    clients = [client for one in every for client in one.clients]
    assert {grant for client in clients for grant in client.grants} == set(GRANT_TYPES)
    assert {client.method for client in clients} == {
        *("none", "client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth")
    }
    assert {idp.type for one in every for idp in one.upstream_idps} == {"oidc", "oauth2", "mcp"}
    assert {use for one in every for issuer in one.trusted_issuers for use in issuer.use} == set(TrustedUse)
    assert any(one.registration.dynamic for one in every)
    assert any(
        one.registration.client_id_metadata_documents
        and not any(AUTHORIZATION_CODE in client.grants for client in one.clients)
        for one in every
    )


def test_each_is_in_the_list() -> None:
    listed = (FOLDER / "README.md").read_text("utf-8")
    assert [file.name for file in FILES if f"({file.name})" not in listed] == []
