"""`ostiary check` and `ostiary config schema`."""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.peers.certificates import CertificateAuthority

from ostiary.certificates.authority import make_authority
from ostiary.certificates.settings import CaDirectory
from ostiary.config.exposure import who_else_reads

FILE = """\
gateway:
  inbound:
    - issuer: https://auth.example.com
  servers:
    zoo:
      url: https://zoo.example.com/mcp
      credential: {type: bearer, token: {env: ZOO_TOKEN}}
"""
AUTHSERVER = """\
authserver:
  issuer: https://auth.example.com
  upstream_idps:
    - {preset: google, client_id: ours.apps, client_secret: {env: GOOGLE_SECRET}}
    - {preset: github, client_id: ours}
    - {name: notion, type: mcp, url: "https://mcp.notion.com/mcp"}
  resources:
    - resource: https://mcp.example.com/mcp
      owner: default/gateway
      scopes: [mcp]
      idps: [google, {name: github, use: optional}, {name: notion, use: on_demand}]
  clients: [{client_id: ci, client_secret: {env: GOOGLE_SECRET}, grant_types: [client_credentials]}]
  registration: {dynamic: true}
telemetry: {listen: 127.0.0.1:9464, audit: audit.jsonl}
"""


def test_a_good_file_is_called_good_and_shown(ostiary: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("ostiary.yaml").write_text(FILE)
    monkeypatch.setenv("ZOO_TOKEN", "hunter2")
    outcome = ostiary("check", "--json")
    assert outcome.code == 0
    assert json.loads(outcome.out) == {
        "file": "ostiary.yaml",
        "runs": [
            {
                "what": "gateway",
                "where": "http://127.0.0.1:8080/mcp",
                "behind it": "zoo",
                "lets in": "tokens of https://auth.example.com",
            },
            {
                "what": "server zoo",
                "where": "http://127.0.0.1:8080/servers/zoo/mcp",
                "behind it": "https://zoo.example.com/mcp",
                "lets in": "us, by credential bearer",
            },
        ],
        "register": [],
    }


def test_an_authserver_is_shown_with_what_to_register_at_each_identity_provider(
    ostiary: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("ostiary.yaml").write_text(AUTHSERVER)
    monkeypatch.setenv("GOOGLE_SECRET", "hunter2")
    shown = json.loads(ostiary("check", "--json").out)
    here = Path.cwd()
    assert [list(row.values()) for row in shown["runs"]] == [
        [
            "authserver",
            "https://auth.example.com",
            "127.0.0.1:9000; google, github, notion",
            "ci, clients with a document, clients that register",
        ],
        [
            "tokens of default/gateway",
            "https://mcp.example.com/mcp",
            "google (identity), github (optional), notion (on_demand)",
            "scopes mcp",
        ],
        [
            "storage",
            f"sqlite:///{here}/ostiary.db",
            f"sealed with {here}/ostiary.key",
            "the authorization server, and replicas",
        ],
        ["telemetry", "http://127.0.0.1:9464", "/healthz, /readyz, /metrics, /status", "everybody"],
        ["audit", f"{here}/audit.jsonl", "a line of JSON each event", "nobody"],
    ]
    callback = "https://auth.example.com/oauth/callback"
    assert [list(row.values()) for row in shown["register"]] == [
        ["google", f"{callback}/google", "ours.apps, with a secret"],
        ["github", f"{callback}/github", "ours, with no secret"],
        ["notion", f"{callback}/notion", "known by our document, or registers by itself"],
    ]
    for_people = ostiary("check").out
    assert "At each identity provider, our client needs this redirect URI:" in for_people
    assert f"{callback}/google" in for_people
    assert "hunter2" not in for_people


def test_a_store_is_shown_and_neither_it_nor_its_key_is_made(
    ostiary: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("ostiary.yaml").write_text(FILE + "storage: {}\n")
    monkeypatch.setenv("ZOO_TOKEN", "hunter2")
    here = Path.cwd()
    assert json.loads(ostiary("check", "--json").out)["runs"][-1] == {
        "what": "storage",
        "where": f"sqlite:///{here}/ostiary.db",
        "behind it": f"sealed with {here}/ostiary.key",
        "lets in": "the gateway, and replicas",
    }
    assert [path.name for path in here.glob("ostiary.*")] == ["ostiary.yaml"]


def test_for_a_person_it_is_a_table(ostiary: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("ostiary.yaml").write_text(FILE)
    monkeypatch.setenv("ZOO_TOKEN", "hunter2")
    outcome = ostiary("check")
    assert outcome.out.startswith("ostiary.yaml is good.\n")
    assert "server zoo" in outcome.out
    assert "hunter2" not in outcome.out


def test_a_missing_secret_is_a_fault_with_its_line(ostiary: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("ostiary.yaml").write_text(FILE)
    monkeypatch.delenv("ZOO_TOKEN", raising=False)
    assert ostiary("check") == (
        2,
        "",
        "ostiary.yaml:7: gateway.servers.zoo.credential.token: environment variable ZOO_TOKEN is not set\n",
    )


EXPOSED = FILE.replace("{env: ZOO_TOKEN}", "{file: zoo.token}") + "storage: {}\n"


def secrets_of(mode: int, **others: int) -> None:
    """The files that EXPOSED names, by their permissions."""
    for name in ("zoo.token", "ostiary.key"):
        file = Path(name)
        file.write_text("hunter2")
        file.chmod(others.get(file.stem, mode))


def test_secrets_that_their_owner_alone_reads_are_passed_in_silence(ostiary: Any) -> None:
    Path("ostiary.yaml").write_text(EXPOSED)
    secrets_of(0o600)
    assert (ostiary("check").code, ostiary("check").err) == (0, "")


def test_an_encryption_key_that_others_may_read_is_told(ostiary: Any) -> None:
    """On standard error, and the file stays good: that is how Kubernetes mounts secrets."""
    Path("ostiary.yaml").write_text(EXPOSED)
    secrets_of(0o644, zoo=0o640)
    here = Path.cwd()
    outcome = ostiary("check", "--json")
    assert (outcome.code, json.loads(outcome.out)["file"]) == (0, "ostiary.yaml")
    assert outcome.err == (
        f"warning: ostiary.yaml:7: gateway.servers.zoo.credential.token: its group may read file "
        f"{here}/zoo.token; run: chmod go-rwx {here}/zoo.token\n"
        "warning: ostiary.yaml:8: storage.encryption_key: everybody on this machine may read file "
        f"{here}/ostiary.key; run: chmod go-rwx {here}/ostiary.key\n"
    )


@pytest.mark.parametrize("command", ["check", "up"])
def test_an_encryption_key_that_everybody_may_replace_is_a_fault(ostiary: Any, command: str) -> None:
    Path("ostiary.yaml").write_text(EXPOSED)
    secrets_of(0o600, ostiary=0o602)
    key = Path.cwd() / "ostiary.key"
    assert ostiary(command) == (
        2,
        "",
        (
            f"ostiary.yaml:8: storage.encryption_key: everybody on this machine may write file {key}; "
            f"run: chmod go-rwx {key}\n"
        ),
    )


def test_a_private_key_that_others_may_read_is_told_and_a_certificate_is_not(ostiary: Any) -> None:
    client = "client_id: a, issuer: https://a.example.com, certificate: c.pem, certificate_key: k.pem"
    credential = f"{{type: client_credentials, {client}}}"
    Path("ostiary.yaml").write_text(FILE.replace("{type: bearer, token: {env: ZOO_TOKEN}}", credential))
    for name, what in (("c.pem", "CERTIFICATE"), ("k.pem", "PRIVATE KEY")):
        Path(name).write_text(f"-----BEGIN {what}-----\n")
        Path(name).chmod(0o644)
    told = ostiary("check")
    assert told.code == 0
    assert [line.partition(": everybody")[0] for line in told.err.splitlines()] == [
        "warning: ostiary.yaml:7: gateway.servers.zoo.credential.certificate_key"
    ]


@pytest.mark.parametrize("command", ["check", "up"])
@pytest.mark.parametrize(
    "content", ["", "-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----\n", "\0"]
)
def test_a_file_of_authorities_that_has_none_is_a_fault(ostiary: Any, command: str, content: str) -> None:
    Path("ca.pem").write_text(content)
    Path("ostiary.yaml").write_text(
        FILE.replace("    zoo:\n", "    zoo:\n      ca_file: ca.pem\n").replace(
            "{type: bearer, token: {env: ZOO_TOKEN}}", "{type: none}"
        )
    )
    place, file = "gateway.servers.zoo.ca_file", Path.cwd() / "ca.pem"
    assert ostiary(command) == (
        2,
        "",
        (
            f"ostiary.yaml:6: {place}: file {file} cannot be used: it holds no certificate; "
            "name a PEM file of certificates\n"
        ),
    )


@pytest.mark.parametrize("command", ["check", "up"])
def test_a_pipe_in_the_place_of_a_file_is_a_fault_and_nobody_waits_for_it(ostiary: Any, command: str) -> None:
    Path("ostiary.yaml").write_text(
        FILE.replace("{type: bearer, token: {env: ZOO_TOKEN}}", "{type: workload_jwt, file: token.pipe}")
    )
    os.mkfifo("token.pipe")
    place, pipe = "gateway.servers.zoo.credential.file", Path.cwd() / "token.pipe"
    assert ostiary(command) == (2, "", f"ostiary.yaml:7: {place}: file {pipe} is not there\n")


@pytest.mark.parametrize(
    ("mode", "ours", "who"),
    [
        (0o600, True, None),
        (0o640, True, "its group"),
        (0o640, False, None),
        (0o440, False, None),
        (0o644, False, "everybody on this machine"),
        (0o444, True, "everybody on this machine"),
    ],
)
def test_who_else_reads_a_file(mode: int, ours: bool, who: str | None) -> None:
    assert who_else_reads(mode, ours=ours) == who


def test_each_fault_is_a_line(ostiary: Any) -> None:
    Path("mine.yaml").write_text("gatewy: 1\nx: 2\n")
    outcome = ostiary("check", "-c", "mine.yaml")
    assert (outcome.code, outcome.err) == (
        2,
        (
            "mine.yaml:1: gatewy is not a setting of this file; did you mean gateway?\n"
            "mine.yaml:2: x is not a setting of this file; "
            "there is authserver, gateway, insecure_inline_secrets, proxy, storage, telemetry\n"
        ),
    )


def test_the_schema_is_printed_as_json(ostiary: Any) -> None:
    outcome = ostiary("config", "schema")
    assert outcome.code == 0
    assert json.loads(outcome.out)["title"] == "OstiaryFile"


def test_folders_that_are_not_there_or_cannot_be_written_are_faults(ostiary: Any) -> None:
    Path("file").write_text("")
    Path("audit.jsonl").mkdir()
    Path("ostiary.yaml").write_text(
        "gateway: {allow_unauthenticated: true}\n"
        "storage:\n"
        "  url: sqlite:///data/ostiary.db\n"
        "  encryption_key: {file: file/ostiary.key}\n"
        "telemetry: {audit: audit.jsonl}\n"
    )
    here = Path.cwd()
    assert ostiary("check") == (
        2,
        "",
        (
            f"ostiary.yaml:3: storage.url: folder {here}/data is not there: ostiary.db cannot be made in it\n"
            f"ostiary.yaml:4: storage.encryption_key: folder {here}/file is not there: ostiary.key cannot be "
            "made in it\n"
            f"ostiary.yaml:5: telemetry.audit: file {here}/audit.jsonl cannot be written\n"
        ),
    )


@pytest.fixture
def nobody() -> Iterator[None]:
    """What may be written is asked for the real user, which root can be another's for a while."""
    if os.geteuid() == 0:
        os.setreuid(65534, -1)
    yield
    if os.geteuid() == 0:
        os.setreuid(0, -1)


@pytest.mark.usefixtures("nobody")
def test_a_folder_that_is_not_ours_to_write_is_a_fault(ostiary: Any) -> None:
    with tempfile.TemporaryDirectory() as directory:
        for name, mode in (("closed", 0o500), ("open", 0o777)):
            Path(directory, name).mkdir()
            Path(directory, name).chmod(mode)
        Path(directory).chmod(0o755)
        told = {}
        for name in ("closed", "open"):
            Path("ostiary.yaml").write_text(
                "gateway: {allow_unauthenticated: true}\n"
                f"storage: {{url: 'sqlite:///{directory}/{name}/ostiary.db',"
                f" encryption_key: {{file: {directory}/open/ostiary.key}}}}\n"
            )
            told[name] = ostiary("check").err
        assert told == {
            "closed": f"ostiary.yaml:2: storage.url: folder {directory}/closed cannot be written: "
            "ostiary.db cannot be made in it\n",
            "open": "",
        }


AUTHORITY = """\
authserver:
  issuer: http://127.0.0.1:9000
  resources: [{resource: "https://mcp.example.com/mcp", owner: default/gateway, scopes: []}]
  registration: {client_id_metadata_documents: false}
  mtls: {certificates: {source: internal_ca, directory: pki}}
"""


def test_an_authority_that_is_not_there_is_a_fault_and_a_key_that_others_may_read_is_told(
    ostiary: Any,
) -> None:
    Path("ostiary.yaml").write_text(AUTHORITY)
    place, here = "ostiary.yaml:5: authserver.mtls.certificates.directory", Path.cwd() / "pki"
    make = f"is not there; `ostiary pki init {here}` makes an authority"
    assert ostiary("check") == (
        2,
        "",
        f"{place}: file {here}/ca.crt {make}\n{place}: file {here}/ca.key {make}\n",
    )
    make_authority(CaDirectory(here), "ostiary.local", now=time.time())
    code, told, _ = ostiary("check")
    assert code == 0
    assert "may read" not in told
    (here / "ca.key").chmod(0o644)
    code, told, warned = ostiary("check")
    assert code == 0
    assert f"everybody on this machine may read file {here}/ca.key" in told + warned


def test_spiffe_without_its_package_is_a_fault(ostiary: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spiffe", None)
    Path("ostiary.yaml").write_text(
        AUTHORITY.replace("source: internal_ca, directory: pki", "source: spiffe")
    )
    missing = "SPIFFE needs a package that is not there: pip install 'ostiary[spiffe]'"
    assert ostiary("check") == (
        2,
        "",
        f"ostiary.yaml:5: authserver.mtls.certificates.source: {missing}\n",
    )


def test_a_socket_on_which_no_agent_listens_is_a_fault(ostiary: Any) -> None:
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as agent:
        path = Path(directory, "agent.sock")
        Path("ostiary.yaml").write_text(
            AUTHORITY.replace(
                "source: internal_ca, directory: pki", f"source: spiffe, socket: 'unix://{path}'"
            )
        )
        place = "ostiary.yaml:5: authserver.mtls.certificates.socket"
        missing = f"socket {path} is not there: see whether the agent runs on this machine"
        assert ostiary("check") == (2, "", f"{place}: {missing}\n")
        agent.bind(str(path))
        assert ostiary("check").code == 0


def test_a_missing_extra_is_a_fault(ostiary: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    Path("ostiary.yaml").write_text(
        "gateway: {allow_unauthenticated: true}\nstorage: {url: 'postgresql://a@db/ostiary'}\n"
    )
    assert ostiary("check") == (
        2,
        "",
        (
            "ostiary.yaml:2: storage.url: PostgreSQL needs a package that is not there: "
            "pip install 'ostiary[postgresql]'\n"
        ),
    )


def test_secrets_that_are_missing_are_told_with_the_other_faults(
    ostiary: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ZOO_TOKEN", raising=False)
    Path("ostiary.yaml").write_text(FILE.replace("url: https://zoo", "timeout: 5\n      url: https://zoo"))
    assert ostiary("check").err == (
        "ostiary.yaml:6: gateway.servers.zoo.timeout: a duration is a number with its unit, "
        "such as 30s, 15m, "
        "12h or 30d\n"
        "ostiary.yaml:8: gateway.servers.zoo.credential.token: environment variable ZOO_TOKEN is not set\n"
    )


def test_a_proxy_that_hides_who_asks_is_told(ostiary: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_SECRET", "hunter2")
    Path("ostiary.yaml").write_text(AUTHSERVER)
    told = ostiary("check")
    assert (told.code, told.err) == (
        0,
        (
            "warning: ostiary.yaml:2: authserver.issuer: it is https and 127.0.0.1:9000 is "
            "plain, so a proxy in "
            "front ends TLS, and everybody has its address: wrong secrets of one stranger lock "
            "out all; name its "
            "networks, such as trusted_proxies: [127.0.0.1/32]\n"
        ),
    )
    issuer = "issuer: https://auth.example.com"
    Path("ostiary.yaml").write_text(
        AUTHSERVER.replace(issuer, f"{issuer}\n  trusted_proxies: [127.0.0.1/32]")
    )
    assert ostiary("check").err == ""


def test_a_proxy_that_cannot_be_used_is_told(ostiary: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_TOKEN", "hunter2")
    monkeypatch.setenv("HTTPS_PROXY", "socks5://user:tiger@proxy:1080")
    Path("ostiary.yaml").write_text(FILE)
    told = ostiary("check")
    assert (told.code, told.err) == (
        0,
        (
            "warning: ostiary.yaml:1: proxy: HTTPS_PROXY names a proxy of the kind socks5, which is "
            "not spoken here: name one that takes http, or say proxy: none in ostiary.yaml\n"
        ),
    )
    Path("ostiary.yaml").write_text(f"proxy: none\n{FILE}")
    assert ostiary("check").err == ""


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("~nobody-is-called-so/key", "~nobody-is-called-so leads nowhere: that user has no home here"),
        ('"a\\0b"', "a file's name has no NUL character"),
    ],
)
def test_a_file_that_can_be_nowhere_is_a_fault_with_its_line(
    ostiary: Any, monkeypatch: pytest.MonkeyPatch, name: str, why: str
) -> None:
    monkeypatch.setenv("ZOO_TOKEN", "hunter2")
    further = f"storage: {{encryption_key: {{file: {name}}}}}\ntelemetry: {{audit: {name}}}\n"
    Path("ostiary.yaml").write_text(FILE.replace("{env: ZOO_TOKEN}", f"{{file: {name}}}") + further)
    told = ostiary("check")
    assert told.code == 2
    assert [line for line in told.err.splitlines() if line.endswith(why)] == [
        f"ostiary.yaml:7: gateway.servers.zoo.credential.token: {why}",
        f"ostiary.yaml:8: storage.encryption_key: {why}",
        f"ostiary.yaml:9: telemetry.audit: {why}",
    ]


def test_a_file_s_name_that_the_file_system_cannot_have_is_a_fault(ostiary: Any) -> None:
    """As one with an accent has none where the locale is ASCII."""
    Path("ostiary.yaml").write_text(FILE.replace("{env: ZOO_TOKEN}", '{file: "a\\ud800b"}'))
    told = ostiary("check")
    assert told.code == 2
    assert told.err.endswith("cannot be read: no file is called so\n")
    assert told.err.startswith("ostiary.yaml:7: gateway.servers.zoo.credential.token: file ")


def test_a_certificate_with_the_key_of_another_is_a_fault(ostiary: Any, tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    certificate, _ = authority.issue("site")
    _, key = authority.issue("other")
    file = tmp_path / "ostiary.yaml"
    tls = f"{{certificate: {certificate.name}, private_key: {key.name}}}"
    file.write_text(f"gateway:\n  allow_unauthenticated: true\n  tls: {tls}\n")
    outcome = ostiary("check", "-c", str(file))
    assert (outcome.code, outcome.err) == (
        2,
        (
            f"{file}:3: gateway.tls: certificate {certificate} cannot be used with key {key} (it is "
            "another certificate's); name a PEM certificate and its key\n"
        ),
    )
