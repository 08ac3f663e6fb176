"""`ostiary clients` and `ostiary sessions`: of an authorization server whose store has some."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.authserver.agreed import CALLBACK, give_code, redemption
from tests.authserver.conftest import RESOURCE, Server
from tests.cli.conftest import Ostiary

from ostiary.authserver import AuthServer
from ostiary.config import load
from ostiary.transport.listeners import answering
from ostiary.transport.serving import bind

FILE = """\
insecure_inline_secrets: true
authserver:
  listen: 127.0.0.1:0
  issuer: http://127.0.0.1:9000
  upstream_idps:
    - {name: corp, issuer: "https://corp.example.com", client_id: ostiary, revalidate: never}
  resources:
    - {resource: "https://mcp.example.com/mcp", owner: default/gateway, scopes: [mcp], idps: [corp]}
  clients: [{client_id: app, redirect_uris: ["http://127.0.0.1/callback"], client_name: The app}]
telemetry: {audit: audit.jsonl}
"""

SignIn = Callable[..., list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def file(ostiary: Ostiary, tmp_path: Path) -> None:
    (tmp_path / "ostiary.yaml").write_text(FILE)


@pytest.fixture
def signed_in(tmp_path: Path) -> SignIn:
    """Let Alice sign in for clients, at a server that then stops; the tokens."""

    async def tokens(clients: tuple[str, ...]) -> list[dict[str, Any]]:
        file = load(tmp_path / "ostiary.yaml")
        assert file.authserver is not None
        assert file.storage is not None
        sock = bind(file.authserver.listen)
        address = f"http://127.0.0.1:{sock.getsockname()[1]}"
        server = AuthServer(file.authserver, storage=file.storage, audit=tmp_path / "audit.jsonl")
        async with (
            server,
            answering(server.listeners(), {"authserver.listen": sock}),
            httpx2.AsyncClient(trust_env=False) as http,
        ):
            running = Server(server, address, http, tmp_path / "audit.jsonl")
            return [await redeemed(running, client) for client in clients]

    return lambda *clients: asyncio.run(tokens(clients or ("app",)))


async def redeemed(server: Server, client: str) -> dict[str, Any]:
    code = await give_code(server, client_id=client)
    answered = await server.token(redemption(code, client_id=client))
    body: dict[str, Any] = answered.raise_for_status().json()
    return body


def listed(ostiary: Ostiary, command: str, *words: str) -> list[dict[str, Any]]:
    outcome = ostiary(command, "list", "--json", *words)
    assert (outcome.code, outcome.err) == (0, "")
    rows: list[dict[str, Any]] = json.loads(outcome.out)
    return rows


def audited(name: str) -> list[dict[str, Any]]:
    lines = map(json.loads, Path("audit.jsonl").read_text().splitlines())
    return [{key: line[key] for key in line if key != "time"} for line in lines if line["event"] == name]


def test_a_session_is_listed_without_anything_that_opens_something(
    ostiary: Ostiary, signed_in: SignIn
) -> None:
    [tokens] = signed_in()
    [session] = listed(ostiary, "sessions")
    assert {name: session[name] for name in ("name", "client", "resource", "scopes")} == {
        "name": "Alice",
        "client": "app",
        "resource": RESOURCE,
        "scopes": "mcp",
    }
    shown = ostiary("sessions", "list").out + ostiary("sessions", "list", "--json").out
    assert session["session"][:12] in shown
    assert tokens["access_token"] not in shown
    assert tokens["refresh_token"] not in shown


def test_there_is_no_session(ostiary: Ostiary) -> None:
    assert ostiary("sessions", "list").out == "There is no session.\n"


def test_a_session_is_ended_by_the_beginning_of_its_name(ostiary: Ostiary, signed_in: SignIn) -> None:
    signed_in()
    [session] = listed(ostiary, "sessions")
    revoked = ostiary("sessions", "revoke", session["session"][:12])
    assert (revoked.code, revoked.out) == (0, "1 session ended.\n")
    assert [json.loads(line)["event"] for line in revoked.err.splitlines()] == ["upstream_not_revoked"]
    assert listed(ostiary, "sessions") == []
    [ended] = audited("session_ended")
    assert (ended["session"], ended["reason"]) == (session["session"], "ended_by_operator")
    assert ostiary("sessions", "revoke", session["session"][:12]).code == 1


def test_all_of_a_person_end_together(ostiary: Ostiary, signed_in: SignIn) -> None:
    signed_in("app", "app")
    [one, other] = listed(ostiary, "sessions")
    assert one["person"] == other["person"]
    assert listed(ostiary, "sessions", "--person", "nobody") == []
    assert ostiary("sessions", "revoke", "--person", one["person"]).out == "2 sessions ended.\n"
    assert len(audited("session_ended")) == 2


def test_which_sessions_end_has_to_be_said(ostiary: Ostiary) -> None:
    said = "say which: a session's name, --client ID or --person ID\n"
    assert ostiary("sessions", "revoke") == (2, "", said)
    assert ostiary("sessions", "revoke", "abc", "--client", "app") == (2, "", said)
    unknown = "no session begins with %; `ostiary sessions list` shows them\n"
    assert ostiary("sessions", "revoke", "%") == (1, "", unknown)


def test_a_client_is_added_and_its_secret_shown_once(ostiary: Ostiary, tmp_path: Path) -> None:
    words = ("--name", "Portal", "--redirect-uri", "https://portal.example.com/cb")
    outcome = ostiary("clients", "add", *words, "--auth-method", "client_secret_basic")
    client_id, secret = (line.split()[1] for line in outcome.out.splitlines()[:2])
    assert outcome.out == (
        f"client_id:     {client_id}\n"
        f"client_secret: {secret}\n"
        "The secret is shown this once: keep it where the client finds it.\n"
    )
    assert len(secret) == 43
    assert all(secret.encode() not in file.read_bytes() for file in tmp_path.glob("*.*"))
    assert secret not in ostiary("clients", "list", "--json").out
    assert audited("client_registered") == [
        {"event": "client_registered", "client": client_id, "kind": "registered", "name": "Portal"}
    ]
    of_file, added = listed(ostiary, "clients")
    assert (of_file["client"], of_file["kind"]) == ("app", "of the file")
    assert (added["client"], added["name"], added["kind"]) == (client_id, "Portal", "added")


def test_a_client_that_was_added_signs_people_in_until_it_is_removed(
    ostiary: Ostiary, signed_in: SignIn
) -> None:
    added = ostiary("clients", "add", "--id", "tool", "--redirect-uri", CALLBACK, "--json")
    assert json.loads(added.out) == {"client_id": "tool", "client_secret": None}
    signed_in("app", "tool")
    assert ostiary("clients", "remove", "tool").out == "Removed tool; 1 session ended.\n"
    assert [session["client"] for session in listed(ostiary, "sessions")] == ["app"]
    assert len(audited("client_removed")) == 1
    assert ostiary("clients", "remove", "tool") == (
        1,
        "",
        "there is no client tool; `ostiary clients list` shows them\n",
    )


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["add", "--id", "app"], 1, "client app is in the file already\n"),
        (["remove", "app"], 1, "client app is in the file: take it out there\n"),
        (["add", "--grant", "magic"], 2, "grant 'magic' does not exist; choose from "),
        (["add", "--auth-method", "magic", "--redirect-uri", CALLBACK], 2, "token_endpoint_auth_method: "),
        (["add"], 2, "redirect_uris is missing: there is nowhere to send a code\n"),
    ],
)
def test_what_cannot_be_done_is_told(ostiary: Ostiary, words: list[str], code: int, sentence: str) -> None:
    outcome = ostiary("clients", *words)
    assert (outcome.code, outcome.out) == (code, "")
    assert outcome.err.startswith(sentence)
    assert outcome.err.count("\n") == 1
