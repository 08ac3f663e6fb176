"""`ostiary doctor` names the right cause for every broken set-up, and its fix."""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import json
import socket
import ssl
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urljoin

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.cli.conftest import in_background
from tests.credentials.naming_server import naming
from tests.credentials.token_server import TokenServer

from ostiary.cli.target import TargetOptions, choose
from ostiary.cloudrun.emulator import Emulator, EmulatorSettings
from ostiary.diagnosis.advice import takes
from ostiary.diagnosis.causes import diagnose
from ostiary.diagnosis.examination import Examination

VISITOR = "visitor@demo-project.iam.gserviceaccount.com"
BEARER = '{"type": "bearer", "token": {"env": "TOKEN"}}'
GOOGLE = "https://accounts.google.com"
ISSUER = "https://auth.example.com"
CALLER = "serviceAccount:caller@demo-project.iam.gserviceaccount.com"


class Named(NamedTuple):
    """What the doctor says."""

    code: int
    cause: str
    sentence: str
    fix: str


class Doctor:
    """The command, and a token in the environment."""

    def __init__(self, ostiary: Any, environment: pytest.MonkeyPatch) -> None:
        self._ostiary = ostiary
        self._environment = environment
        self.steps: dict[str, str] = {}

    def __call__(self, url: str, credential: str = "none") -> Named:
        """Examine a server with this credential."""
        outcome = self._ostiary("doctor", url, "--credential", credential, "--json")
        assert outcome.err == ""
        told = json.loads(outcome.out)
        self.steps = {step["step"]: step["outcome"] for step in told["steps"]}
        assert told["works"] is (outcome.code == 0)
        return Named(outcome.code, *(told["diagnosis"] or dict.fromkeys("abc", "")).values())

    def with_token(self, url: str, token: str) -> Named:
        """Examine it with a fixed token, which is shown nowhere."""
        self._environment.setenv("TOKEN", token)
        return self(url, BEARER)


@pytest.fixture
def doctor(ostiary: Any, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    return Doctor(ostiary, monkeypatch)


class Answering:
    """Servers that answer every POST alike."""

    def __init__(self) -> None:
        self._servers: list[ThreadingHTTPServer] = []

    def __call__(
        self,
        status: int,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        *,
        tls: Any = None,
    ) -> str:
        """Start one: its URL."""
        return self.by(lambda _: (status, headers or {}, body), tls=tls)

    def by(
        self,
        reply: Callable[[bytes], tuple[int, dict[str, str], bytes]],
        *,
        tls: Any = None,
    ) -> str:
        """Start one that decides by what it was asked."""

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response_only(405)
                self.end_headers()

            def do_POST(self) -> None:
                status, headers, body = reply(self.rfile.read(int(self.headers["content-length"])))
                self.send_response_only(status)
                for name, value in {"content-length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - its name there
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                """Whoever calls with the wrong scheme gets nothing."""

        server = Server(("127.0.0.1", 0), Handler)
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        self._servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        return f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}/mcp"

    def stop(self) -> None:
        """Stop them all."""
        for server in self._servers:
            server.shutdown()
            server.server_close()


@pytest.fixture
def answering() -> Iterator[Answering]:
    servers = Answering()
    yield servers
    servers.stop()


@pytest.fixture
def private_tls(tmp_path: Path) -> ssl.SSLContext:
    """A server's context, by an authority that nobody knows."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
    certificate = builder.sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    (tmp_path / "tls.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(pem)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls.pem")
    return context


def origin(url: str) -> str:
    return url.removesuffix("/mcp")


# The way there.


def test_a_name_that_does_not_resolve(doctor: Doctor) -> None:
    named = doctor("http://no-such-host.invalid/mcp")
    assert named[:2] == (1, "unknown_host")
    assert named.sentence.startswith("The name no-such-host.invalid leads nowhere: ")
    assert doctor.steps == {
        "resolve": "failed",
        **dict.fromkeys(("connect", "TLS", "ask", "wants", "token", "decode", "call"), "skipped"),
    }


def test_a_port_where_nothing_listens(doctor: Doctor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert doctor(f"http://127.0.0.1:{port}/mcp") == (
        1,
        "nothing_listens",
        f"Nothing takes connections at 127.0.0.1 port {port}: Connection refused.",
        "See whether the server runs, whether the port is right, and what stands in between.",
    )


def test_a_certificate_of_an_unknown_authority(
    doctor: Doctor, answering: Answering, private_tls: ssl.SSLContext
) -> None:
    url = answering(200, tls=private_tls)
    assert doctor(url) == (
        1,
        "certificate_not_trusted",
        f"The certificate of {origin(url)} is self-signed.",
        "Name a file that has it in ca_file, or in SSL_CERT_FILE for all.",
    )


def test_https_to_a_server_that_speaks_plain_http(doctor: Doctor, answering: Answering) -> None:
    url = answering(200).replace("http:", "https:")
    named = doctor(url)
    assert named[:2] == (1, "tls_fails")
    assert named.sentence.startswith(f"No TLS can be agreed on with {origin(url)}: ")


def test_plain_http_to_a_server_that_speaks_https(
    doctor: Doctor, answering: Answering, private_tls: ssl.SSLContext
) -> None:
    url = answering(200, tls=private_tls).replace("https:", "http:")
    named = doctor(url)
    assert named[:2] == (1, "no_answer")
    assert named.sentence.startswith(f"{origin(url)} takes the connection and gives no proper answer: ")


# What is there.


def test_a_path_beside_the_servers_own(doctor: Doctor, house: Any) -> None:
    here = origin(house.for_google)
    assert doctor(here) == (
        1,
        "wrong_path",
        f"No MCP server is at {here}; there is one at {here}/mcp.",
        f"Use {here}/mcp.",
    )


def test_a_server_that_is_no_mcp_server(doctor: Doctor, answering: Answering) -> None:
    url = answering(200, {"content-type": "text/html; charset=utf-8"}, b"<h1>Welcome</h1>")
    assert doctor(url) == (
        1,
        "not_mcp",
        f"{url} is no MCP server: it answers 200 OK with text/html.",
        "See whether the URL is the server's; most have the path /mcp.",
    )


def test_a_path_that_does_not_exist(doctor: Doctor, answering: Answering) -> None:
    url = answering(404, {"content-type": "text/html"})
    assert doctor(url) == (
        1,
        "wrong_path",
        f"No MCP server is at {url}: it answers 404 Not Found.",
        "Ask who runs the server for its path; most have /mcp.",
    )


def test_a_server_that_has_moved(doctor: Doctor, answering: Answering) -> None:
    url = answering(308, {"location": "https://new.example.com/mcp?session=1"})
    assert doctor(url) == (
        1,
        "moved",
        (
            f"{url} sends callers on to https://new.example.com/mcp (308 Permanent Redirect), "
            "and no credential follows there."
        ),
        "Use the new address, once you are sure that it is the server's own.",
    )


def test_what_comes_before_the_answer_in_a_stream_is_not_the_answer(
    doctor: Doctor, answering: Answering
) -> None:
    answer = {"jsonrpc": "2.0", "id": 1, "result": {"supportedVersions": ["2026-07-28"], "capabilities": {}}}
    notice = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}}
    priming, ping = ["\ufeffid: 1", "data: ", ""], ["event: ping", "data: {}", ""]
    stream = "\r".join(
        [*priming, ": hello", f"data: {json.dumps(notice)}", "", *ping]
        + ["data:" + line for line in json.dumps(answer, indent=1).splitlines()]
        + ["", f"data: {json.dumps(notice)}", "", ""]
    )
    url = answering(200, {"content-type": "text/event-stream; charset=utf-8"}, stream.encode())
    assert doctor(url)[:2] == (0, "")


def test_a_server_that_wants_a_slash(doctor: Doctor, answering: Answering) -> None:
    url = answering(307, {"location": "/mcp/"})
    assert doctor(url) == (
        1,
        "moved",
        f"{url} sends callers on to {url}/ (307 Temporary Redirect), and no credential follows there.",
        f"Write {url}/ as its url.",
    )


@pytest.mark.parametrize(
    "location",
    [
        "/oauth2/start?rd=%2Fmcp",
        "https://login.microsoftonline.com/common/oauth2/v2.0/authorize?client_id=1",
        "https://team.cloudflareaccess.com/cdn-cgi/access/login/mcp.example.com",
        "https://sso.example.com/?SAMLRequest=x",
    ],
)
def test_a_redirect_to_where_people_sign_in(doctor: Doctor, answering: Answering, location: str) -> None:
    url = answering(302, {"location": location})
    there = urljoin(url, location).partition("?")[0].removesuffix("/")
    assert doctor.with_token(url, "opaque-token") == (
        1,
        "sign_in_page",
        (
            f"What stands before {url} sends callers to a page where people sign in, {there} (302 Found): "
            "it reads no token."
        ),
        "Let this path by it, so that the server reads the token itself; or call the server behind it.",
    )


@pytest.mark.parametrize("credential", ["none", BEARER])
def test_a_page_of_a_front_end_that_refuses(
    doctor: Doctor, answering: Answering, monkeypatch: pytest.MonkeyPatch, credential: str
) -> None:
    monkeypatch.setenv("TOKEN", "opaque-token")
    page = {"content-type": "text/html; charset=UTF-8", "server": "cloudflare"}
    url = answering(403, page, b"<title>Attention Required! | Cloudflare</title>")
    assert doctor(url, credential) == (
        1,
        "front_end",
        (
            f"What stands before {url} (cloudflare) answers 403 Forbidden with a page for people: the call "
            "did not come as far as an MCP server."
        ),
        (
            "Ask who runs that front end (a firewall, a proxy) to let programs through to this path; a token "
            "does not change it."
        ),
    )


@pytest.mark.parametrize(
    ("headers", "body", "said", "when"),
    [
        ({"retry-after": "120"}, b"slow down", "", "in 2 minutes"),
        ({}, b"", "", "later"),
        (
            {"retry-after": "30", "content-type": "application/json"},
            b'{"jsonrpc": "2.0", "id": null, "error": {"code": -32000, "message": "quota used up."}}',
            ", and says: quota used up",
            "in 30 seconds",
        ),
    ],
)
def test_a_server_that_takes_no_more_calls_for_now(
    doctor: Doctor, answering: Answering, headers: dict[str, str], body: bytes, said: str, when: str
) -> None:
    url = answering(429, headers, body)
    assert doctor(url) == (
        1,
        "too_many_calls",
        f"{url} takes no more calls for now (429 Too Many Requests){said}.",
        f"Call again {when}, and less often; a token does not change it.",
    )


def test_a_server_that_is_broken_says_until_when(doctor: Doctor, answering: Answering) -> None:
    named = doctor(answering(503, {"retry-after": "60"}, b"restarting"))
    assert named.fix == (
        "The cause is in the server's log; no credential changes it. It wants to be asked again in 1 minute."
    )


def test_the_versions_that_a_server_speaks_are_named(doctor: Doctor, answering: Answering) -> None:
    error = {"code": -32602, "message": "Unsupported version", "data": {"supported": ["2027-01-01"]}}
    refused = json.dumps({"jsonrpc": "2.0", "id": 1, "error": error}).encode()
    url = answering(400, {"content-type": "application/json"}, refused)
    assert doctor(url)[1:3] == (
        "other_era",
        (
            f"{url} speaks JSON-RPC, and no version of MCP that we know: it names 2027-01-01 "
            "(Unsupported version)."
        ),
    )


@pytest.mark.parametrize(
    ("kind", "body", "cause", "sentence"),
    [
        (
            "application/json",
            b'{"jsonrpc":"2.0","id":2,"error":{"code":-32603,"message":"the database is down"}}',
            "server_broken",
            "speaks JSON-RPC and answers our first question with error -32603 (the database is down).",
        ),
        (
            "application/json",
            b"[]",
            "not_mcp",
            "is no MCP server: it answers 200 OK with application/json.",
        ),
        (
            "text/event-stream",
            b"data: {}\n",
            "not_mcp",
            "is no MCP server: it answers 200 OK with text/event-stream.",
        ),
    ],
    ids=["an error", "another JSON", "a stream without an end"],
)
def test_an_older_server_whose_handshake_fails(
    doctor: Doctor, answering: Answering, kind: str, body: bytes, cause: str, sentence: str
) -> None:
    unknown = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}'

    def reply(asked: bytes) -> tuple[int, dict[str, str], bytes]:
        is_handshake = b'"initialize"' in asked
        return (
            200,
            {"content-type": kind if is_handshake else "application/json"},
            (body if is_handshake else unknown),
        )

    url = answering.by(reply)
    assert doctor(url)[1:3] == (cause, f"{url} {sentence}")


def test_a_server_that_keeps_the_connection_alive_and_never_answers(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ostiary.diagnosis.http_probe.LONGEST", 0.5)
    left = threading.Event()

    def talk(listener: socket.socket) -> None:
        connections = []
        with contextlib.suppress(OSError):
            while True:
                connections.append(listener.accept()[0])
                if connections[-1].recv(65536):
                    break
            connections[-1].sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
            while not left.wait(0.05):
                connections[-1].sendall(b": ping\n\n")
        for connection in connections:
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=talk, args=[listener]).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            named = doctor(f"{url}/mcp")
        finally:
            left.set()
    assert named[1:3] == (
        "no_answer",
        (
            f"{url} takes the connection and gives no proper answer: no answer came within 0.5 seconds, and "
            "the connection is kept alive."
        ),
    )


def test_a_redirect_in_a_circle(doctor: Doctor, answering: Answering) -> None:
    url = answering(302, {"location": "/mcp?cookie=1"})
    assert doctor(url)[1:3] == (
        "moved",
        (
            f"{url} sends callers back to itself (302 Found): it is made for browsers, which come again with "
            "a cookie or by https."
        ),
    )


def test_a_refusal_that_is_compressed_is_a_refusal(doctor: Doctor, answering: Answering) -> None:
    url = answering(401, {"content-encoding": "gzip", "www-authenticate": "Bearer"}, gzip.compress(b"<html>"))
    assert doctor(url)[1:3] == ("no_credential", f"{url} wants a bearer token, and none was sent.")


def test_a_server_that_is_broken(doctor: Doctor, answering: Answering) -> None:
    url = answering(503, {"content-type": "text/plain"}, b"Service Unavailable")
    assert doctor(url)[:3] == (
        1,
        "server_broken",
        f"{url} is there and does not work: it answers 503 Service Unavailable.",
    )


def test_an_older_server_works(doctor: Doctor, answering: Answering) -> None:
    def reply(body: bytes) -> tuple[int, dict[str, str], bytes]:
        if b'"initialize"' not in body:
            return 400, {"content-type": "text/plain"}, b"Bad Request: Missing session ID"
        result = {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {}}
        event = json.dumps({"jsonrpc": "2.0", "id": 2, "result": result})
        return 200, {"content-type": "text/event-stream"}, f"event: message\ndata: {event}\n\n".encode()

    assert doctor(answering.by(reply)).code == 0


# No token.


def test_no_credential_at_all(doctor: Doctor, house: Any, ostiary: Any) -> None:
    outcome = ostiary("doctor", house.zoo, "--no-credential")
    assert outcome.code == 1
    assert outcome.out.splitlines()[-2:] == [
        f"Cause: {house.zoo} wants a Google ID token, and none was sent.",
        f"Fix:   Use a credential google_id_token; its audience is {origin(house.zoo)}.",
    ]


def test_no_credential_at_a_server_that_names_its_issuer(doctor: Doctor, house: Any) -> None:
    assert doctor(house.for_oauth) == (
        1,
        "no_credential",
        f"{house.for_oauth} wants an OAuth access token of {ISSUER}, and none was sent.",
        (
            "A program registers a client there and uses a credential client_credentials, with scopes: "
            f"[animals.read]; a person signs in with `ostiary login {house.for_oauth}` and uses oauth_user."
        ),
    )


def test_a_key_file_that_cannot_be_read(doctor: Doctor, house: Any) -> None:
    named = doctor(house.zoo, '{"type": "google_id_token", "key_file": "not-there.json"}')
    assert named[:2] == (1, "credential_unavailable")
    assert named.sentence.startswith(f"Credential google_id_token for {origin(house.zoo)} cannot be had: ")


def test_a_key_that_its_issuer_does_not_know(doctor: Doctor, house: Any) -> None:
    key = json.loads((house.directory / "visitor.json").read_text()) | {"client_email": "gone@example.com"}
    (house.directory / "gone.json").write_text(json.dumps(key))
    named = doctor(house.zoo, house.key("gone"))
    assert named[:2] == (1, "credential_unavailable")
    assert "account not found" in named.sentence


def test_a_secret_that_is_not_set(doctor: Doctor, house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKEN", raising=False)
    assert doctor(house.for_oauth, BEARER) == (
        1,
        "credential_unavailable",
        (
            f"Credential bearer for {origin(house.for_oauth)} cannot be had: "
            "environment variable TOKEN is not set."
        ),
        "Set it to the value that the server gave you.",
    )


def test_a_secret_that_its_issuer_does_not_take(
    doctor: Doctor, house: Any, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIENT_SECRET", "wrong-secret")
    refusal = b'{"error": "invalid_client", "error_description": "client authentication failed"}'
    credential = {
        "type": "client_credentials",
        "client_id": "weather",
        "client_secret": {"env": "CLIENT_SECRET"},
        "token_url": answering(401, {"content-type": "application/json"}, refusal),
    }
    named = doctor(house.for_oauth, json.dumps(credential))
    assert named[:2] == (1, "credential_unavailable")
    assert "client authentication failed" in named.sentence
    assert "client_secret" in named.fix
    assert "wrong-secret" not in "".join(named[1:])


def test_one_doctor_gives_the_line_of_the_issuer_that_a_secret_may_go_to(
    doctor: Doctor, ostiary: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIENT_SECRET", "hunter2")
    client = {"client_id": "weather", "client_secret": {"env": "CLIENT_SECRET"}}
    issuer = TokenServer()
    with in_background(issuer.running()), in_background(naming(issuer.issuer)) as server:
        line = f"issuer: {issuer.issuer}"
        told = (
            1,
            "credential_unavailable",
            (
                f"Credential {{}} for {server.origin} cannot be had: the server names the issuer "
                f"{issuer.issuer}, and does not choose who gets {{}}."
            ),
            f"If that is who may have it, add to the credential the line `{line}`.",
        )
        for kind, shown in (
            ("client_credentials", "client_secret"),
            ("oauth_user", "client_secret"),
            ("token_exchange", "the subject's token"),
        ):
            named = doctor(str(server), json.dumps({"type": kind, **client}))
            assert named == (*told[:2], told[2].format(kind, shown), told[3])
        assert issuer.forms == []

        file = """\
        gateway:
          allow_unauthenticated: true
          servers:
            weather:
              url: {}
              credential:
                type: client_credentials
                client_id: weather
                client_secret: {{env: CLIENT_SECRET}}
        """
        written = textwrap.dedent(file).format(server)
        Path("ostiary.yaml").write_text(written)
        assert ostiary("check") == (
            2,
            "",
            (
                "ostiary.yaml:6: gateway.servers.weather.credential: set issuer or token_url: whoever is "
                "asked for tokens gets client_secret, and the server does not choose who that is; "
                "`ostiary doctor` says which line to add\n"
            ),
        )
        examined = ostiary("doctor", "--server", "weather")
        assert f"add to the credential the line `{line}`" in " ".join(examined.out.split())
        Path("ostiary.yaml").write_text(f"{written}        {line}\n")
        assert ostiary("check").code == 0
        assert ostiary("token", "--server", "weather").code == 0
        assert len(issuer.forms) == 1


# The token.


def test_an_access_token_where_an_id_token_is_due(doctor: Doctor, house: Any) -> None:
    metadata = f"{house.google.google_url}/computeMetadata/v1/instance/service-accounts/default/token"
    token = httpx2.get(metadata, headers={"Metadata-Flavor": "Google"}).json()["access_token"]
    here = origin(house.zoo)
    assert doctor.with_token(house.zoo, token) == (
        1,
        "access_token_instead_of_id_token",
        (
            "The token that credential bearer sends is an access token (Google access token); "
            f"{here} wants an ID token, whose audience it is."
        ),
        (
            f"Use a credential google_id_token (audience: {here}); by hand, gcloud auth print-identity-token "
            "and not print-access-token."
        ),
    )


def test_another_audience_shows_both(doctor: Doctor, house: Any) -> None:
    here = origin(house.zoo)
    assert doctor(house.zoo, house.key("gateway", audience="https://other.example.com")) == (
        1,
        "audience_mismatch",
        (
            f"The token is for another audience: it says https://other.example.com, and {house.zoo} "
            f"takes {here}, or a custom audience of the service."
        ),
        f"Set audience: {here} in the credential.",
    )


def test_an_audience_that_a_gateway_does_not_take(doctor: Doctor, house: Any) -> None:
    token = house.sign(iss=ISSUER, aud="https://other.example.com/mcp", scope="animals.read")
    assert doctor.with_token(house.for_oauth, token)[:3] == (
        1,
        "audience_mismatch",
        (
            f"The token is for another audience: it says https://other.example.com/mcp, and "
            f"{house.for_oauth} takes {house.for_oauth}."
        ),
    )


def test_an_audience_that_is_nearly_right(doctor: Doctor, house: Any) -> None:
    assert doctor(house.for_google, house.key("visitor")) == (
        1,
        "audience_mismatch",
        (
            f"The token is for another audience: it says {origin(house.for_google)}, and {house.for_google} "
            f"takes {house.for_google}."
        ),
        f"Set audience: {house.for_google} in the credential.",
    )


def test_a_token_that_has_expired(doctor: Doctor, house: Any) -> None:
    token = house.sign(iss=GOOGLE, aud=origin(house.zoo), exp=int(time.time()) - 7205)
    assert doctor.with_token(house.zoo, token) == (
        1,
        "expired",
        "The token expired 2 hours ago.",
        "A fixed token dies: use a credential that fetches its own, such as google_id_token.",
    )


def test_a_token_from_the_future(doctor: Doctor, house: Any) -> None:
    later = int(time.time()) + 7205
    token = house.sign(iss=ISSUER, aud=house.for_oauth, scope="animals.read", nbf=later, exp=later + 3600)
    assert doctor.with_token(house.for_oauth, token)[:3] == (
        1,
        "not_yet_valid",
        "The token is from the future: its time begins in 2 hours.",
    )


def test_a_clock_that_is_behind_the_issuers(doctor: Doctor, house: Any) -> None:
    house.move_clock("2h")
    try:
        named = doctor(house.for_google, house.key("visitor"))
    finally:
        house.move_clock("0s")
    assert named == (
        1,
        "our_clock",
        "The clocks differ: the token was issued just now, and by our clock that is in 2 hours.",
        "Set this machine's clock (NTP): it is 2 hours behind the issuer's.",
    )


def test_a_clock_that_is_behind_the_servers(doctor: Doctor, answering: Answering, house: Any) -> None:
    challenge = {"www-authenticate": "Bearer", "date": formatdate(time.time() + 7205, usegmt=True)}
    url = answering(401, challenge)
    assert doctor.with_token(url, house.sign(iss=ISSUER, aud=url)) == (
        1,
        "our_clock",
        (
            f"The clocks differ: ours is 2 hours behind that of {origin(url)}, "
            "so that it takes the token for expired."
        ),
        "Set the clock (NTP) of the one that is wrong.",
    )


def test_a_persons_token_that_cannot_carry_an_audience(doctor: Doctor, house: Any) -> None:
    client = "32555940559.apps.googleusercontent.com"
    token = house.sign(iss=GOOGLE, aud=client, email="ada@example.com", email_verified=True)
    here = origin(house.zoo)
    assert doctor.with_token(house.zoo, token)[:3] == (
        1,
        "user_token",
        (
            f"The token is a person's: its audience is the OAuth client {client}, where {here} is due, and a "
            "person's Google login cannot choose another."
        ),
    )


def test_a_token_that_is_not_signed(doctor: Doctor, house: Any) -> None:
    token = house.sign({"alg": "none"}, iss=GOOGLE, aud=origin(house.zoo))
    assert doctor.with_token(house.zoo, token)[:2] == (1, "unsigned")


def test_a_token_taken_from_behind_cloud_run(doctor: Doctor, house: Any) -> None:
    token = house.sign(iss=GOOGLE, aud=origin(house.zoo)).rpartition(".")[0] + ".SIGNATURE_REMOVED_BY_GOOGLE"
    assert doctor.with_token(house.zoo, token)[:3] == (
        1,
        "signature_removed",
        (
            "The token was taken from a request to a Cloud Run service: it ends in "
            "SIGNATURE_REMOVED_BY_GOOGLE, so that it opens nothing else."
        ),
    )


def test_a_token_of_another_issuer(doctor: Doctor, house: Any) -> None:
    token = house.sign(iss=f"{ISSUER}/", aud=house.for_oauth, scope="animals.read")
    assert doctor.with_token(house.for_oauth, token) == (
        1,
        "wrong_issuer",
        f"The token is from {ISSUER}/, and {house.for_oauth} takes tokens of {ISSUER}.",
        "Get the token there; issuers are compared letter for letter, a slash at the end included.",
    )


def test_an_id_token_where_an_access_token_is_due(doctor: Doctor, house: Any) -> None:
    named = doctor(house.for_oauth, house.key("visitor"))
    assert named[:3] == (
        1,
        "id_token_instead_of_access_token",
        (
            f"The token is an ID token (Google ID token), which says who somebody is; {house.for_oauth} "
            f"wants an access token of {ISSUER}."
        ),
    )


def test_an_api_key_where_a_bearer_token_is_due(
    doctor: Doctor, house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEY", "open-sesame")
    key = '{"type": "header", "name": "X-Api-Key", "value": {"env": "API_KEY"}}'
    assert doctor(house.for_oauth, key)[:3] == (
        1,
        "wrong_header",
        (
            f"{house.for_oauth} reads an OAuth access token from the Authorization header; "
            "credential header sends x-api-key."
        ),
    )


def test_a_server_that_asks_for_another_scheme(doctor: Doctor, answering: Answering) -> None:
    url = answering(401, {"www-authenticate": 'Basic realm="animals"'})
    assert doctor.with_token(url, "opaque")[:3] == (
        1,
        "not_a_bearer_server",
        f"{url} asks for the scheme basic, and credential bearer sends something else.",
    )


def test_a_missing_scope_is_named(doctor: Doctor, house: Any) -> None:
    token = house.sign(iss=ISSUER, aud=house.for_oauth, scope="plants.read")
    assert doctor.with_token(house.for_oauth, token) == (
        1,
        "missing_scope",
        (
            f"The token is good and has not the scope for this: {house.for_oauth} wants animals.read, and "
            "the token has plants.read."
        ),
        "Get a token with that scope from its issuer, or use a credential that fetches its own.",
    )


async def test_a_service_behind_cloud_run_that_wants_a_token_of_its_own(
    answering: Answering, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    challenge = 'Bearer error="insufficient_scope", scope="animals.read"'
    behind = origin(answering(403, {"www-authenticate": challenge}))
    service = {"listen": "127.0.0.1:0", "url": behind, "invokers": [CALLER]}
    settings = {
        "listen": "127.0.0.1:0",
        "service_accounts": {"caller": {"key_file": tmp_path / "caller.json"}},
        "services": {"zoo": service},
    }
    monkeypatch.setenv("TOKEN", "opaque")
    key = {"key_file": str(tmp_path / "caller.json"), "header": "x-serverless-authorization"}
    wish = [{"type": "google_id_token", **key}, json.loads(BEARER)]
    async with Emulator(EmulatorSettings.model_validate(settings)) as google:
        url = f"{google.service_url('zoo')}/mcp"
        async with Examination(choose(TargetOptions(url, credential=json.dumps(wish)))) as examination:
            outcomes = [told.outcome.value async for _, told in examination.run()]
    assert outcomes == ["ok", "ok", "skipped", "ok", "ok", "ok", "ok", "failed"]
    diagnosis = diagnose(examination.evidence)
    assert diagnosis is not None
    assert diagnosis.cause == "missing_scope"
    assert diagnosis.sentence == (
        f"The token is good and has not the scope for this: {url} wants animals.read, "
        "and the token has none that can be read."
    )


# Who calls.


def test_an_account_without_run_invoker(doctor: Doctor, house: Any) -> None:
    assert doctor(house.zoo, house.key("visitor")) == (
        1,
        "missing_run_invoker",
        f"Cloud Run knows who calls ({VISITOR}), and they may not call {origin(house.zoo)}.",
        (
            f"Give {VISITOR} roles/run.invoker on the service: gcloud run services add-iam-policy-binding "
            f"SERVICE --member=serviceAccount:{VISITOR} --role=roles/run.invoker."
        ),
    )


def test_a_caller_who_is_not_on_the_list(doctor: Doctor, house: Any) -> None:
    account = "gateway@demo-project.iam.gserviceaccount.com"
    assert doctor(house.for_google, house.key("gateway", audience=house.for_google))[:3] == (
        1,
        "not_allowed",
        (
            f"{house.for_google} takes the token and lets {account} not in, and says: "
            "this account may not call here."
        ),
    )


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (401, {"x-goog-iap-generated-response": "true"}, b"Invalid IAP credentials: empty token"),
        (302, {"location": "https://accounts.google.com/o/oauth2/v2/auth?client_id=1-x"}, b""),
    ],
)
def test_identity_aware_proxy_in_front(
    doctor: Doctor, answering: Answering, house: Any, status: int, headers: dict[str, str], body: bytes
) -> None:
    url = answering(status, headers, body)
    assert doctor(url, house.key("visitor")) == (
        1,
        "iap_in_front",
        (
            f"Identity-Aware Proxy stands in front of {origin(url)} and wants an ID token for its own OAuth "
            f"client; ours is for {origin(url)}."
        ),
        (
            "Use a credential google_id_token with audience: the client ID that IAP's settings name "
            "(....apps.googleusercontent.com), and give its account roles/iap.httpsResourceAccessor."
        ),
    )


def test_a_token_that_only_the_server_knows_what_is_wrong_with(doctor: Doctor, answering: Answering) -> None:
    challenge = 'Bearer error="invalid_token", error_description="the token was revoked"'
    url = answering(401, {"www-authenticate": challenge})
    assert doctor.with_token(url, "opaque-token") == (
        1,
        "token_refused",
        (
            f"{url} refuses what credential bearer sends, an opaque token, with 401 Unauthorized, and says: "
            "the token was revoked."
        ),
        "See whether it was revoked, or mistyped; the server's log says more than it tells.",
    )


def test_a_gateway_whose_own_credential_fails(doctor: Doctor, house: Any) -> None:
    door = house.for_google.replace("/mcp", "/servers/shut/mcp")
    named = doctor(door, house.key("visitor", audience=door))
    assert named[:2] == (1, "gateways_own_credential")
    assert named.fix == "Run `ostiary doctor --server NAME` where the gateway runs, with its ostiary.yaml."


def test_a_gateway_that_lacks_a_server_does_not_work(doctor: Doctor, house: Any) -> None:
    assert doctor(house.for_google, house.key("visitor", audience=house.for_google)) == (
        1,
        "servers_missing",
        (
            "The gateway lets credential google_id_token in, and behind it server shut (its credential "
            "could not be had, or is refused) is unavailable."
        ),
        "Run `ostiary doctor --server shut` where the gateway runs, with its ostiary.yaml.",
    )


def test_only_settings_that_a_credential_has_are_advised(
    doctor: Doctor, answering: Answering, house: Any
) -> None:
    challenge = 'Bearer error="insufficient_scope", scope="write"'
    named = doctor.with_token(answering(403, {"www-authenticate": challenge}), "opaque-token")
    assert (
        named.fix == "Get a token with that scope from its issuer, or use a credential that fetches its own."
    )
    other = house.sign(iss=ISSUER, aud="https://other.example.com/mcp", scope="animals.read")
    assert doctor.with_token(house.for_oauth, other).fix == (
        f"Get a token for {house.for_oauth} from its issuer, or use a credential that fetches its own."
    )
    for kind, setting in (("google_id_token", "audience"), ("id_jag + header", "resource")):
        assert takes(kind, setting)
    assert not any(takes("bearer", setting) for setting in ("audience", "resource", "scopes"))


REPEATED = "tiger%2Fin%2Bthe-night"


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (
            401,
            {
                "www-authenticate": 'Bearer error="invalid_token", error_description="'
                f'{REPEATED} or dGlnZXIvaW4rdGhlLW5pZ2h0 is unknown"'
            },
        ),
        (403, {"www-authenticate": f'Bearer error="insufficient_scope", scope="{REPEATED}"'}),
        (302, {"location": f"https://elsewhere.example/{REPEATED}"}),
    ],
    ids=["description", "scope", "location"],
)
def test_a_server_that_repeats_the_token_is_not_quoted(
    ostiary: Any,
    answering: Answering,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    headers: dict[str, str],
) -> None:
    monkeypatch.setenv("TOKEN", "tiger/in+the-night")
    url = answering(status, headers)
    for command in ("doctor", "tools"):
        outcome = ostiary(command, url, "--credential", BEARER)
        assert outcome.code == 1
        after = outcome.out.partition(" token ")[2] + outcome.err  # before, nothing was sent to be repeated
        assert "***" in after
        for form in ("tiger", "dGlnZXIv"):
            assert form not in after


# When all is well.


def test_a_call_that_works_is_told_step_by_step(ostiary: Any, house: Any) -> None:
    outcome = ostiary("doctor", house.zoo, "--credential", house.key("gateway"))
    here, port = origin(house.zoo), house.zoo.rpartition(":")[2].removesuffix("/mcp")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == (
        f"{house.zoo}, with credential google_id_token (--credential)\n"
        "  ok       resolve  127.0.0.1\n"
        f"  ok       connect  127.0.0.1 port {port}\n"
        "  skipped  TLS      plain http\n"
        "  ok       ask      403 Forbidden\n"
        "  ok       wants    a Google ID token\n"
        "  ok       token    credential google_id_token, sent as authorization\n"
        f"  ok       decode   Google ID token for {here}, of gateway@demo-project.iam.gserviceaccount.com\n"
        "  ok       call     MCP 2026-07-28 (modern)\n"
        "\n"
        f"The call works: {house.zoo} lets credential google_id_token in.\n"
    )


def test_no_token_is_ever_shown(ostiary: Any, house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    token = house.sign(iss=GOOGLE, aud="https://other.example.com")
    monkeypatch.setenv("TOKEN", token)
    for words in ((), ("--json",)):
        outcome = ostiary("doctor", house.zoo, "--credential", BEARER, *words)
        assert not any(part in outcome.out + outcome.err for part in token.split("."))
