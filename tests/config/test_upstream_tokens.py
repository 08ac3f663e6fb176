"""Upstream tokens: what a credential leaves out is said by where it stands, or is a fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ostiary.config import OstiaryFile, read
from ostiary.config.secret_presence import absent
from ostiary.credentials import UpstreamToken
from ostiary.credentials.chain import Chain

Load = Callable[[str], OstiaryFile]
Faults = Callable[[str], list[str]]

AUTHSERVER = """\
authserver:
  issuer: https://auth.example.com
  internal:
    listen: 127.0.0.1:9443
    trust_domain: ostiary.local
    certificates: {source: internal_ca, directory: pki}
  upstream_idps:
    - {preset: google, client_id: a}
    - {preset: github, client_id: b}
    - {preset: gitlab, client_id: c}
  resources:
    - resource: https://mcp.example.com/mcp
      owner: default/gateway
      scopes: [mcp]
      idps: [google, github, gitlab]
      servers: {github: [github], both: [github, gitlab], none: []}
"""
GATEWAY = """\
gateway:
  url: https://mcp.example.com
  inbound: [{issuer: "https://auth.example.com"}]
  certificates: {source: internal_ca, directory: pki}
  servers:
    github:
      url: https://api.github.example/mcp
      credential: {type: upstream_token, provider: github}
"""
CERTIFICATES = "  certificates: {source: internal_ca, directory: pki}\n"
WRITTEN = "{type: upstream_token, provider: github}"


def credential(file: OstiaryFile) -> Any:
    assert file.gateway is not None
    return next(iter(file.gateway.servers.values())).credential


def test_server_certificates_and_address_follow_from_the_file(loaded: Load, tmp_path: Path) -> None:
    token = credential(loaded(GATEWAY + AUTHSERVER))
    assert isinstance(token, UpstreamToken)
    assert (token.provider, token.server) == ("github", "github")
    assert str(token.token_url) == "https://127.0.0.1:9443/internal/token-exchange"
    assert token.private_network
    assert str(token.certificates.directory) == str(tmp_path / "pki")  # type: ignore[union-attr]  # it is internal_ca


def test_what_the_credential_says_itself_stands(loaded: Load, tmp_path: Path) -> None:
    written = (
        "{type: upstream_token, provider: github, server: hub, token_url: 'https://auth.internal:8443', "
        "certificates: {source: internal_ca, directory: own}}"
    )
    token = credential(loaded(GATEWAY.replace(WRITTEN, written) + AUTHSERVER))
    assert (token.server, str(token.token_url)) == (
        "hub",
        "https://auth.internal:8443/internal/token-exchange",
    )
    assert (token.private_network, token.certificates.directory.path) == (False, tmp_path / "own")


@pytest.mark.parametrize(
    ("internal", "url"),
    [
        (
            "listen: 127.0.0.1:9443\n    url: https://auth.internal",
            "https://auth.internal/internal/token-exchange",
        ),
        ("listen: 10.0.0.5:9443", "https://10.0.0.5:9443/internal/token-exchange"),
        ("listen: 0.0.0.0:9443", "https://127.0.0.1:9443/internal/token-exchange"),
        ("listen: '[::]:9443'", "https://[::1]:9443/internal/token-exchange"),
        ("listen: '[::1]:9443'", "https://[::1]:9443/internal/token-exchange"),
    ],
)
def test_the_address_is_how_this_machine_reaches_its_own_listener(
    loaded: Load, internal: str, url: str
) -> None:
    text = (GATEWAY + AUTHSERVER).replace("listen: 127.0.0.1:9443", internal)
    assert str(credential(loaded(text)).token_url) == url


def test_one_among_several_credentials_is_completed_too(loaded: Load) -> None:
    several = "[{type: google_id_token, header: x-serverless-authorization}, {type: upstream_token}]"
    chain = credential(loaded(GATEWAY.replace(WRITTEN, several) + AUTHSERVER))
    assert isinstance(chain, Chain)
    assert [part.type for part in chain.root] == ["google_id_token", "upstream_token"]
    assert str(chain.root[1].token_url) == "https://127.0.0.1:9443/internal/token-exchange"  # type: ignore[union-attr]  # it is the second


def test_a_gateway_alone_has_to_say_where(faults: Faults) -> None:
    assert faults(GATEWAY) == [
        (
            "ostiary.yaml:8: gateway.servers.github.credential: upstream tokens are asked for nowhere: "
            "set token_url "
            "to the authorization server's port for workloads, such as https://auth.internal:9443, or "
            "configure authserver.internal in this file"
        )
    ]


def test_a_gateway_alone_that_says_where_is_complete(loaded: Load) -> None:
    written = WRITTEN.replace("}", ", token_url: 'https://auth.internal:8443'}")
    assert credential(loaded(GATEWAY.replace(WRITTEN, written))).server == "github"


def test_nobody_asks_without_a_certificate(faults: Faults) -> None:
    assert faults(GATEWAY.replace(CERTIFICATES, "") + AUTHSERVER) == [
        (
            "ostiary.yaml:7: gateway.servers.github.credential: nobody knows us where upstream tokens "
            "are asked for: "
            "name our certificate under gateway.certificates, such as {source: internal_ca, directory: pki}"
        )
    ]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            "    github:\n      url",
            "    gists:\n      url",
            (
                "gists.credential: no upstream token would be given: resource https://mcp.example.com/mcp "
                "has no gists "
                "in servers; write there servers: {gists: [github]}"
            ),
        ),
        (
            "provider: github",
            "provider: google",
            (
                "github.credential: no upstream token would be given: resource https://mcp.example.com/mcp "
                "lets server "
                "github have those of github, and not of google"
            ),
        ),
        (
            "{type: upstream_token, provider: github}",
            "{type: upstream_token, server: both}",
            (
                "github.credential: resource https://mcp.example.com/mcp lets server both have the tokens "
                "of github and "
                "gitlab: set provider to the one that is wanted"
            ),
        ),
        (
            "provider: github",
            "provider: github, server: none",
            (
                "github.credential: no upstream token would be given: resource https://mcp.example.com/mcp "
                "lets server "
                "none have those of no provider, and not of github"
            ),
        ),
    ],
)
def test_what_the_authserver_of_the_same_file_would_never_give_is_told(
    faults: Faults, old: str, new: str, fault: str
) -> None:
    assert faults(GATEWAY.replace(old, new) + AUTHSERVER) == [f"ostiary.yaml:8: gateway.servers.{fault}"]


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ("token_url: http://127.0.0.1:9443", "http://127.0.0.1:9443 is not https"),
        ("revocations: 61s", "write feed, or a duration of up to 60s"),
        ("revocations: 0s", "write feed, or a duration of up to 60s"),
        ("revocations: never", "write feed, or a duration of up to 60s"),
        ("requested_token: refresh_token", "'access_token' or 'id_token'"),
        ("fallback: {type: none}", "is not a setting of"),
    ],
)
def test_a_faulty_credential_says_what_is_wrong(faults: Faults, more: str, fault: str) -> None:
    [told] = faults(GATEWAY.replace("provider: github}", f"provider: github, {more}}}") + AUTHSERVER)
    assert fault in told


def test_a_folder_that_is_not_there_is_told_where_it_is_written_and_nowhere_else(
    loaded: Load, tmp_path: Path
) -> None:
    written = GATEWAY + AUTHSERVER.replace("directory: pki", "directory: other")
    loaded(written)
    told = [fault.what for fault in absent(read(Path("ostiary.yaml"), OstiaryFile))]
    places = [what.partition(":")[0] for what in told if ".directory" in what]
    assert (
        places == ["gateway.certificates.directory"] * 2 + ["authserver.internal.certificates.directory"] * 2
    )
