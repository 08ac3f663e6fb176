"""Rows of every table that is sealed, how they are read, and a hand in the database that has no key."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from sqlalchemy import Double, Integer, Table
from starlette.requests import Request
from tests.authserver.agreed import (
    ALICE,
    CALLBACK,
    TV,
    VERIFIER,
    agreed,
    corp,
    give_code,
    redemption,
    refresh,
    settings,
    sign_in,
)
from tests.authserver.conftest import RESOURCE, SECRET, Server

from ostiary.authserver import authorization_codes, device_codes
from ostiary.authserver.administration.clients import add_client
from ostiary.authserver.connections.browser_session import (
    NewBrowserSession,
    find_browser_session,
    session_cookie,
)
from ostiary.authserver.idps.idp import LoginOptions
from ostiary.authserver.idps.registrations import Registrations
from ostiary.authserver.interaction.authorization_request import AuthorizationRequest
from ostiary.authserver.interaction.browser import cookie_name
from ostiary.authserver.interaction.interaction_state import InteractionState
from ostiary.authserver.interaction.interaction_store import create_interaction, find_interaction
from ostiary.authserver.interaction.pushed_requests import URN, resolve_request_uri
from ostiary.authserver.interaction.upstream_login import LoginFailed, PageLogin, begin_login, complete_login
from ostiary.authserver.interaction.waiting_offer import Offer, keep_offer, take_offer
from ostiary.authserver.server.services import Services
from ostiary.authserver.sessions import refresh_tokens as rotation
from ostiary.authserver.sessions import session as sessions
from ostiary.authserver.sessions import users as people
from ostiary.authserver.sessions.creation import NewSession, create_session
from ostiary.authserver.upstream_account import Identity
from ostiary.authserver.upstream_grants import grant as grants
from ostiary.authserver.upstream_grants import offline_access
from ostiary.oauth.client.client_registration import RegisteredClient
from ostiary.oauth.client.pkce import s256
from ostiary.oauth.server.client import ClientKind
from ostiary.oauth.server.device_code import user_code
from ostiary.oauth.server.parameters import read_parameters
from ostiary.storage import schema
from ostiary.storage.covered_columns import covered_columns
from ostiary.storage.shared_tokens import Lease, SharedKey, SharedTokenTable
from ostiary.storage.store import Store, digest

BOB = Identity(ALICE.issuer, "bob", name="Bob")
MALLORYS = "m" * 43
"""A secret that whoever writes in the database knows, as it is their own."""
MALLORYS_USER_CODE = user_code(b"mallory's tv set")
BOBS_TSID = "t" * 43
BROWSER = "b" * 43
REQUEST = AuthorizationRequest("app", "App", ClientKind.PREREGISTERED, RESOURCE, "default/gateway", ("mcp",))
HUBS = [
    {
        "name": name,
        "type": "oauth2",
        "authorization_endpoint": f"http://127.0.0.1:9/{name}/authorize",
        "token_endpoint": f"http://127.0.0.1:9/{name}/token",
        "userinfo": {"url": f"http://127.0.0.1:9/{name}/user", "subject": "id", "name": "login"},
        "client_id": "ostiary",
        "client_secret": SECRET,
    }
    for name in ("hub", "pub")
]
"""Two providers that nobody reaches."""

Row = Mapping[str, Any]


def with_hubs() -> dict[str, Any]:
    """A server for all of it."""
    values = settings()
    values["clients"] += [TV]
    values["upstream_idps"] += HUBS
    return values


@dataclass
class Here:
    """A server, and what its owner's programs and browsers know. known: secrets by their hashes."""

    server: Server
    directory: Path
    known: dict[str, str] = field(
        default_factory=lambda: {
            digest(MALLORYS): MALLORYS,
            digest(MALLORYS_USER_CODE): MALLORYS_USER_CODE,
        }
    )

    @property
    def services(self) -> Services:
        """Of the server."""
        return self.server.server.services

    @property
    def store(self) -> Store:
        """Its store."""
        return self.services.store

    @property
    def now(self) -> float:
        """Seconds since the epoch."""
        return self.services.clock()

    def knows(self, *secrets: str) -> None:
        """From now on."""
        self.known |= {digest(secret): secret for secret in secrets}

    async def do(self, work: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """A function of a connection and the store, in a transaction."""
        return await self.store.transaction(lambda connection: work(connection, self.store, *given, **named))

    def by_hand(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """What somebody does who can write in the database, and has no key."""
        with contextlib.closing(sqlite3.connect(self.directory / "ostiary.db")) as connection, connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(statement, values)]

    def rowid(self, table: Table) -> int:
        """Of the first row that was written."""
        return int(self.by_hand(f"SELECT min(rowid) AS first FROM {table.name}")[0]["first"])

    def row(self, table: Table, rowid: int) -> dict[str, Any]:
        """As it stands there now."""
        return self.by_hand(f"SELECT * FROM {table.name} WHERE rowid = ?", rowid)[0]

    def change(self, table: Table, rowid: int, column: str, value: object) -> None:
        """One column."""
        self.by_hand(f"UPDATE {table.name} SET {column} = ? WHERE rowid = ?", value, rowid)


@dataclass(frozen=True)
class Case:
    """How the first row of a table comes about, and how it is read. values: what a hand writes there."""

    table: Table
    make: Callable[[Here], Awaitable[None]]
    read: Callable[[Here, Row], Awaitable[object]]
    values: Mapping[str, object] = field(default_factory=dict)

    def value(self, column: str, row: Row) -> object:
        """Another one than the row has."""
        if column in self.values:
            return self.values[column]
        if column.endswith("_hash"):
            return digest(MALLORYS)
        kind, now = self.table.c[column].type, row[column]
        if isinstance(kind, Double):
            return 1_800_000_007.0 if now is None else now + 86400
        return now + 1 if isinstance(kind, Integer) else b"x" * 32 if now is None else f"{now}x"


async def _signed_in(here: Here) -> None:
    """Alice, and then Bob, whose `tsid` is known for once."""
    here.knows((await sign_in(here.server))["refresh_token"])
    target = here.services.resources.find(RESOURCE)
    client = await here.services.clients.find("app")
    assert target is not None
    assert client is not None
    bob = agreed(identity=BOB, accounts=())
    new = NewSession(bob, client, target, None, BOBS_TSID)
    await here.do(create_session, new, here.services.settings.tokens, now=here.now)


async def _refreshed(here: Here) -> None:
    await _signed_in(here)
    first = here.known[here.by_hand("SELECT token_hash FROM refresh_tokens ORDER BY rowid")[0]["token_hash"]]
    here.knows((await refresh(here.server, first)).json()["refresh_token"])


async def _somebody(here: Here) -> None:
    await here.do(people.find_or_create_user, ALICE, now=here.now)


async def _signs_in(here: Here, row: Row) -> object:
    return await here.do(people.find_or_create_user, Identity(row["issuer"], row["subject"]), now=here.now)


async def _is_found(here: Here, row: Row) -> object:
    return await here.do(people.find_user, Identity(row["issuer"], row["subject"]))


async def _has_a_name(here: Here, row: Row) -> object:
    return await here.do(people.find_profile, row["id"])


async def _session(here: Here, row: Row) -> object:
    return await here.do(sessions.find, row["tsid_hash"])


async def _session_lives(here: Here, row: Row) -> object:
    return await here.do(sessions.is_live, row["tsid_hash"], now=here.now)


async def _refresh_token(here: Here, row: Row) -> object:
    return await here.do(rotation.find, here.known[row["token_hash"]])


async def _grant(here: Here, row: Row) -> object:
    return await here.do(grants.find, row["id"])


async def _allowed(here: Here) -> None:
    await _signed_in(here)
    (grant,) = here.by_hand("SELECT id, user_id FROM upstream_grants")
    await here.do(
        offline_access.allow,
        user_id=grant["user_id"],
        grant_id=grant["id"],
        client_id="nightly",
        until=here.now + 60,
        now=here.now,
    )


async def _is_allowed(here: Here, row: Row) -> object:
    named = {"grant_id": row["grant_id"], "client_id": row["client_id"]}
    return await here.do(offline_access.is_allowed, **named, now=here.now)


async def _is_listed(here: Here, row: Row) -> object:
    (grant,) = here.by_hand("SELECT id, user_id FROM upstream_grants")
    here.by_hand("UPDATE upstream_grants SET id = ?", row["grant_id"])
    return await here.do(offline_access.of_user, grant["user_id"], now=here.now)


async def _registered_there(here: Here) -> None:
    client = RegisteredClient("ours", SECRET, "client_secret_basic", None)
    there = "https://as.example.com"
    await Registrations(here.store).keep("notion", there, client, redirect_uri=CALLBACK, now=here.now)


async def _registration(here: Here, row: Row) -> object:
    return await Registrations(here.store).find(row["idp"], row["issuer"], row["client_id"])


async def _newest_registration(here: Here, row: Row) -> object:
    registrations = Registrations(here.store)
    return await registrations.current(row["idp"], row["issuer"], redirect_uri=CALLBACK, now=here.now)


async def _code_given(here: Here) -> None:
    here.knows(await give_code(here.server))


async def _code_redeemed(here: Here) -> None:
    await _code_given(here)
    (row,) = here.by_hand("SELECT code_hash FROM codes")
    assert (await here.server.token(redemption(here.known[row["code_hash"]]))).status_code == 200


async def _code(here: Here, row: Row) -> object:
    return await here.do(authorization_codes.find_code, here.known[row["code_hash"]])


async def _device_waits(here: Here) -> None:
    request = device_codes.DeviceRequest("tv", RESOURCE, ("mcp",))
    new = await here.do(device_codes.new_device, request, now=here.now, lifetime=600)
    here.knows(new.device_code, new.user_code)


async def _device_let_in(here: Here) -> None:
    await _device_waits(here)
    (row,) = here.by_hand("SELECT * FROM device_codes")
    assert await _approval(here, row)


async def _approval(here: Here, row: Row) -> object:
    grant = agreed(client_id=row["client_id"], redirect_uri=None, code_challenge=None)
    return await here.do(device_codes.approve, row["device_hash"], grant, now=here.now)


async def _device(here: Here, row: Row) -> object:
    if row["state"] == device_codes.PENDING:
        return await here.do(device_codes.find_waiting, here.known[row["user_code_hash"]], now=here.now)
    code = here.known[row["device_hash"]]
    return await here.do(device_codes.poll, code, client_id=row["client_id"], now=here.now)


async def _decision(here: Here, row: Row) -> object:
    return await (_approval if row["state"] == device_codes.PENDING else _device)(here, row)


async def _pushed(here: Here) -> None:
    request = {
        "client_id": "app",
        "response_type": "code",
        "redirect_uri": CALLBACK,
        "code_challenge": s256(VERIFIER),
        "code_challenge_method": "S256",
        "resource": RESOURCE,
    }
    answered = (await here.server.post("/oauth/par", request)).json()
    here.knows(answered["request_uri"].removeprefix(URN))


async def _pushed_request(here: Here, row: Row) -> object:
    said = {"client_id": row["client_id"], "request_uri": URN + here.known[row["uri_hash"]]}
    parameters = read_parameters(urlencode(said).encode())
    return await resolve_request_uri(here.services.pages, parameters, now=here.now)


async def _interaction_begun(here: Here) -> None:
    state = InteractionState(REQUEST)
    named = {"browser_hash": digest(BROWSER), "expires_at": here.now + 600}
    here.knows((await here.do(create_interaction, state, **named)).id)


async def _interaction(here: Here, row: Row) -> object:
    named = {"browser_hash": row["browser_hash"], "now": here.now}
    return await here.do(find_interaction, here.known[row["walk_hash"]], **named)


async def _offer_made(here: Here) -> None:
    named = {"browser_hash": digest(BROWSER), "expires_at": here.now + 600}
    offer_id = await here.do(keep_offer, Offer("somebody", "default/gateway", corp()), **named)
    here.known |= {digest(f"offer {one}"): one for one in (offer_id, MALLORYS)}


async def _offer(here: Here, row: Row) -> object:
    named = {"browser_hash": row["browser_hash"], "now": here.now}
    return await here.do(take_offer, here.known[row["walk_hash"]], **named)


async def _login_begun(here: Here) -> None:
    url = await begin_login(
        here.services.pages,
        here.services.idps["hub"],
        browser_hash=digest(BROWSER),
        purpose=PageLogin("/connections"),
        options=LoginOptions(),
        now=here.now,
    )
    here.knows(dict(parse_qsl(urlsplit(url).query))["state"])


async def _login(here: Here, row: Row) -> object:
    """The provider says no, which is an answer to a question of ours."""
    query = urlencode({"state": here.known[row["state_hash"]], "error": "access_denied"}).encode()
    named = {"browser_hash": row["browser_hash"], "now": here.now}
    try:
        return await complete_login(here.services.pages, row["idp"], query, **named)
    except LoginFailed as failed:
        return failed.purpose


async def _at_the_page(here: Here) -> None:
    session = NewBrowserSession()
    here.knows(session.secret)
    await here.store.transaction(
        lambda connection: session.begin(connection, here.services.pages, ALICE, "corp", None, here.now)
    )


async def _browser_session(here: Here, row: Row) -> object:
    issuer, secret = here.services.issuer, here.known[row["session_hash"]]
    cookies = f"{cookie_name(issuer)}={BROWSER}; {session_cookie(issuer)}={secret}"
    request = Request({"type": "http", "headers": [(b"cookie", cookies.encode())]})
    return await find_browser_session(request, here.services.pages, now=here.now)


async def _nothing_to_make(_: Here) -> None:
    """The server made it at its start."""


async def _signing_key(here: Here, _: Row) -> object:
    await here.services.signing.read()
    return here.services.signing.signer()


async def _client_added(here: Here) -> None:
    said = {
        "client_id": "added",
        "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "client_secret_basic",
    }
    await add_client(here.store, said, now=here.now)


async def _client(here: Here, row: Row) -> object:
    return await here.services.clients.find(row["client_id"])


async def _token_shared(here: Here) -> None:
    lease = Lease(SharedKey("k" * 64, b"a client's secret"), "me", here.now + 60)
    table = SharedTokenTable(here.store.database, here.store.keys)
    assert await table.take(lease, seen=None, now=here.now)
    await table.put(lease, b"the token", expires_at=here.now + 3600, renew_at=here.now + 3000)


async def _shared_token(here: Here, row: Row) -> object:
    key = SharedKey(row["key_hash"], b"a client's secret")
    return await SharedTokenTable(here.store.database, here.store.keys).get(key)


async def _start(here: Here, _: Row) -> object:
    """What the next server does first."""
    await here.store.prepare(now=here.now)
    return here.store.keys.key_ids


CASES: Mapping[str, Case] = {
    "a person signs in": Case(schema.users, _somebody, _signs_in),
    "a person is found": Case(schema.users, _somebody, _is_found),
    "a person has a name": Case(schema.users, _somebody, _has_a_name),
    "a session": Case(schema.token_sessions, _signed_in, _session),
    "a session lives": Case(schema.token_sessions, _signed_in, _session_lives),
    "a refresh token": Case(
        schema.refresh_tokens, _signed_in, _refresh_token, {"tsid_hash": digest(BOBS_TSID)}
    ),
    "a spent refresh token": Case(
        schema.refresh_tokens,
        _refreshed,
        _refresh_token,
        {"spent_at": None, "successor_hash": None, "tsid_hash": digest(BOBS_TSID)},
    ),
    "an account": Case(schema.upstream_grants, _signed_in, _grant),
    "leave for who is away": Case(schema.away_permissions, _allowed, _is_allowed),
    "leave in a list": Case(schema.away_permissions, _allowed, _is_listed),
    "our registration": Case(schema.upstream_clients, _registered_there, _registration),
    "our newest registration": Case(schema.upstream_clients, _registered_there, _newest_registration),
    "a code": Case(schema.codes, _code_given, _code),
    "a redeemed code": Case(schema.codes, _code_redeemed, _code, {"redeemed_at": None, "tsid_hash": None}),
    "a device that waits": Case(
        schema.device_codes,
        _device_waits,
        _device,
        {"user_code_hash": digest(MALLORYS_USER_CODE), "state": device_codes.APPROVED},
    ),
    "a device that is let in": Case(
        schema.device_codes,
        _device_waits,
        _decision,
        {"user_code_hash": digest(MALLORYS_USER_CODE), "state": device_codes.APPROVED},
    ),
    "a device that was let in": Case(
        schema.device_codes,
        _device_let_in,
        _device,
        {"user_code_hash": digest(MALLORYS_USER_CODE), "state": device_codes.PENDING},
    ),
    "a pushed request": Case(schema.pushed_requests, _pushed, _pushed_request),
    "an interaction": Case(schema.walks, _interaction_begun, _interaction),
    "an offer": Case(schema.walks, _offer_made, _offer, {"walk_hash": digest(f"offer {MALLORYS}")}),
    "a login": Case(schema.upstream_states, _login_begun, _login, {"idp": "pub"}),
    "a person at their page": Case(schema.browser_sessions, _at_the_page, _browser_session),
    "a signing key": Case(schema.signing_keys, _nothing_to_make, _signing_key),
    "a client": Case(schema.clients, _client_added, _client, {"kind": "dynamic"}),
    "an encryption key": Case(schema.encryption_keys, _nothing_to_make, _start),
    "a shared token": Case(schema.shared_tokens, _token_shared, _shared_token),
}
"""By what a row stands for."""

COLUMNS = [(name, column) for name, case in CASES.items() for column in covered_columns(case.table).names]
"""Each that a seal covers, in each row."""
