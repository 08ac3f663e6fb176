"""What a command says about a server that does not behave."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
import pytest

Answering = Callable[..., str]


@pytest.fixture
def answering() -> Iterator[Answering]:
    """A server that answers every POST alike; gives its URL. headers: with _ for -."""
    servers: list[ThreadingHTTPServer] = []

    def started(status: int, content_type: str, body: bytes, **headers: str) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(status)
                self.send_header("content-type", content_type)
                self.send_header("content-length", str(len(body)))
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - its name there
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        return f"http://127.0.0.1:{server.server_address[1]}/mcp"

    yield started
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "content_type", "body", "sentence"),
    [
        (
            500,
            "text/html",
            b"<h1>oh</h1>",
            "answered 500 Internal Server Error: Server returned an error response",
        ),
        (404, "text/html", b"<h1>no</h1>", "answered 404 Not Found: no MCP server is at that path"),
        (
            502,
            "application/json",
            b'{"jsonrpc": "2.0", "id": null, "error": {"code": -32010, "message": "zoo is away\\u001b[2J"}}',
            "answered 502 Bad Gateway: zoo is away\\x1b[2J",
        ),
        (
            200,
            "text/html",
            b"<h1>hi</h1>",
            "answered: Unexpected content type: text/html (JSON-RPC error -32600)",
        ),
        (520, "text/html", b"<h1>oh</h1>", "answered 520: Server returned an error response"),
        (200, "application/json", b"null", "gave an answer that is not valid: it is no JSON-RPC message"),
        (
            200,
            "text/event-stream",
            b"data: {\n\n",
            "gave an answer that is not valid: it is no JSON-RPC message",
        ),
        (403, "text/html", b"<h1>no</h1>", "refused the call: 403 Forbidden; no token was sent."),
    ],
)
def test_an_answer_that_is_no_mcp_is_told_in_one_sentence(
    answering: Answering, ostiary: Any, status: int, content_type: str, body: bytes, sentence: str
) -> None:
    url = answering(status, content_type, body)
    outcome = ostiary("tools", url)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith(f"{url} {sentence}")
    assert outcome.err.count("\n") == 1


def test_the_credential_that_cannot_be_had_is_named(
    answering: Answering, ostiary: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOT_THERE", raising=False)
    url = answering(200, "text/html", b"")
    outcome = ostiary("tools", url, "--credential", "{type: bearer, token: {env: NOT_THERE}}")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == (
        f"credential bearer for {url.removesuffix('/mcp')}: environment variable NOT_THERE is not set; "
        "set it to the value that the server gave you\n"
    )


def test_a_redirect_that_is_not_followed_is_named_with_the_address_to_write(
    answering: Answering, ostiary: Any
) -> None:
    url = answering(307, "text/plain", b"", location="https://new.example.com/mcp/?state=secret")
    outcome = ostiary("tools", url)
    assert outcome == (
        1,
        "",
        (
            f"{url} sends callers on to https://new.example.com/mcp/ (307), and no credential follows "
            "to another server: write that address if it is the right one\n"
        ),
    )


def test_a_refusal_says_what_is_wrong_with_the_token_that_was_sent(
    ostiary: Any, house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = house.zoo.removesuffix("/mcp")
    bearer = '{"type": "bearer", "token": {"env": "TOKEN"}}'
    metadata = f"{house.google.google_url}/computeMetadata/v1/instance/service-accounts/default/token"
    token = httpx2.get(metadata, headers={"Metadata-Flavor": "Google"}).json()["access_token"]
    monkeypatch.setenv("TOKEN", token)
    for credential, fix in (
        (
            house.key("gateway", audience="https://other.example.com"),
            f"Set audience: {here} in the credential.",
        ),
        (
            house.key("gateway", audience=house.zoo),
            f"Set audience: {here} in the credential: leave the path out.",
        ),
        (bearer, f"Use a credential google_id_token (audience: {here}); by hand,"),
    ):
        told = ostiary("call", house.zoo, "get_animal_details", "name=pingu", "--credential", credential)
        assert (told.code, told.out) == (1, "")
        assert told.err.startswith(
            f"{house.zoo} refused the call: 401 Unauthorized; the token of credential "
        )
        assert fix in told.err
        assert told.err.count("\n") == 1


def test_a_server_that_a_gateway_lacks_is_named_with_its_reason(ostiary: Any, house: Any) -> None:
    credential = house.key("visitor", audience=house.for_google)
    lacks = "server shut (its credential could not be had, or is refused) is unavailable"
    listed = ostiary("tools", house.for_google, "--credential", credential)
    assert (listed.code, listed.err) == (0, f"warning: {lacks}: what it offers is not listed\n")
    told = json.loads(ostiary("tools", house.for_google, "--credential", credential, "--json").out)
    assert told["unavailable"] == [{"name": "shut", "step": "credential"}]
    called = ostiary("call", house.for_google, "shut_lions", "--credential", credential)
    assert called.code == 1
    assert called.err.startswith("there is no tool shut_lions; ")
    assert called.err.endswith(f"; {lacks}\n")
