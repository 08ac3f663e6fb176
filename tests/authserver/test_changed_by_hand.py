"""Whoever writes in the database, and has no encryption key, makes nobody into somebody else."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Table
from tests.authserver.administration.test_clients import MACHINE
from tests.authserver.agreed import CALLBACK, VERIFIER, give_code, redemption, refresh, refusal, sign_in
from tests.authserver.changed_by_hand import BOB, CASES, COLUMNS, MALLORYS, Here, with_hubs
from tests.authserver.conftest import RESOURCE, Start

from ostiary.authserver.administration.clients import add_client
from ostiary.authserver.clients.configured_clients import secret_digest
from ostiary.authserver.upstream_grants.grant import of_session
from ostiary.oauth.client.pkce import s256
from ostiary.storage.errors import SealedOtherwise
from ostiary.storage.schema import metadata
from ostiary.storage.store import digest

UNBELIEVED = refusal(
    "the server does not believe what its store has of this; nothing was spent", "temporarily_unavailable"
)
EVIL = "https://evil.example/callback"
SEALED = [table for table in metadata.tables.values() if "sealed" in table.c]


@pytest.mark.parametrize("table", metadata.tables.values(), ids=str)
def test_every_column_is_covered_by_a_seal_or_it_is_said_what_a_writer_gets(table: Table) -> None:
    if "sealed" not in table.c:
        assert table.info["unsealed"]
        return
    info = table.c.sealed.info
    key = [column.name for column in table.primary_key]
    assert sorted([*key, *info["covers"], *info["leaves"], "sealed"]) == sorted(table.c.keys())
    assert all(info["leaves"].values())


def test_every_table_with_a_seal_is_tried_here() -> None:
    assert {case.table.name for case in CASES.values()} == {table.name for table in SEALED}


@pytest.mark.parametrize("name", CASES)
async def test_a_row_that_nobody_changed_is_believed(name: str, start: Start, tmp_path: Path) -> None:
    case = CASES[name]
    async with start(with_hubs()) as server:
        here = Here(server, tmp_path)
        await case.make(here)
        assert await case.read(here, here.row(case.table, here.rowid(case.table)))


@pytest.mark.parametrize(("name", "column"), COLUMNS)
async def test_a_column_that_decides_something_is_changed_by_hand(
    name: str, column: str, start: Start, tmp_path: Path
) -> None:
    case = CASES[name]
    async with start(with_hubs()) as server:
        here = Here(server, tmp_path)
        await case.make(here)
        rowid = here.rowid(case.table)
        before = here.row(case.table, rowid)
        here.change(case.table, rowid, column, case.value(column, before))
        after = here.row(case.table, rowid)
        assert after != before
        with pytest.raises(SealedOtherwise) as refused:
            await case.read(here, after)
    if column != "key_id":
        assert f"the row of {case.table} whose " in str(refused.value)
        assert "does not fit its seal" in str(refused.value)


async def test_a_session_that_is_given_to_another_person_gives_no_tokens_and_spends_none(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with start(with_hubs()) as server:
        here = Here(server, tmp_path)
        token = (await sign_in(server))["refresh_token"]
        await sign_in(server, identity=BOB, accounts=())
        alice, bob = here.by_hand("SELECT tsid_hash, user_id FROM token_sessions ORDER BY rowid")
        change = "UPDATE token_sessions SET user_id = ? WHERE tsid_hash = ?"
        here.by_hand(change, bob["user_id"], alice["tsid_hash"])
        refused = await refresh(server, token)
        here.by_hand(change, alice["user_id"], alice["tsid_hash"])
        good = await refresh(server, token)
    assert (refused.status_code, refused.json()) == (503, UNBELIEVED)
    assert good.status_code == 200
    said = f"the row of token_sessions whose tsid_hash is {alice['tsid_hash']} does not fit its seal"
    assert said in caplog.text


async def test_a_session_that_ended_does_not_go_on_when_its_end_is_taken_out(
    start: Start, tmp_path: Path
) -> None:
    async with start(with_hubs()) as server:
        here = Here(server, tmp_path)
        tokens = await sign_in(server)
        await server.post("/oauth/revoke", {"token": tokens["refresh_token"], "client_id": "app"})
        here.by_hand("UPDATE token_sessions SET ended_at = NULL, ended_because = NULL")
        refreshed = await refresh(server, tokens["refresh_token"])
        told = await server.http.get(
            f"{server.issuer}/oauth/userinfo", headers={"authorization": f"Bearer {tokens['access_token']}"}
        )
    assert (refreshed.status_code, refreshed.json()) == (503, UNBELIEVED)
    assert told.status_code in {403, 503}


async def test_a_spent_refresh_token_is_not_made_good_again(start: Start, tmp_path: Path) -> None:
    async with start(with_hubs()) as server:
        here = Here(server, tmp_path)
        first = (await sign_in(server))["refresh_token"]
        await refresh(server, first)
        here.by_hand("UPDATE refresh_tokens SET spent_at = NULL, successor_hash = NULL")
        again = await refresh(server, first)
    assert (again.status_code, again.json()) == (503, UNBELIEVED)


async def test_a_refresh_token_of_a_writer_s_own_opens_no_session(start: Start, tmp_path: Path) -> None:
    """Made up, with the seal of another row: whoever writes there can hash a secret of their own."""
    async with start(with_hubs()) as server:
        here = Here(server, tmp_path)
        await sign_in(server)
        here.by_hand(
            "INSERT INTO refresh_tokens (token_hash, tsid_hash, issued_at, expires_at, sealed) "
            "SELECT ?, tsid_hash, issued_at, expires_at, sealed FROM refresh_tokens",
            digest(MALLORYS),
        )
        refused = await refresh(server, MALLORYS)
    assert (refused.status_code, refused.json()) == (503, UNBELIEVED)


async def test_a_code_of_a_writer_s_own_is_worth_nothing(start: Start, tmp_path: Path) -> None:
    async with start(with_hubs()) as server:
        here = Here(server, tmp_path)
        await give_code(server)
        here.by_hand("UPDATE codes SET code_hash = ?", digest(MALLORYS))
        refused = await server.token(redemption(MALLORYS))
    assert (refused.status_code, refused.json()) == (503, UNBELIEVED)


async def test_nobody_becomes_somebody_whose_row_was_given_their_name(start: Start, tmp_path: Path) -> None:
    """Mallory's issuer and subject in Alice's row, and Mallory signs in."""
    async with start(with_hubs()) as server:
        here = Here(server, tmp_path)
        await sign_in(server)
        here.by_hand("UPDATE users SET issuer = ?, subject = ?", BOB.issuer, BOB.subject)
        code = await give_code(server, identity=BOB, accounts=())
        refused = await server.token(redemption(code))
        here.by_hand("DELETE FROM users")
        spent_nothing = await server.token(redemption(code))
    assert (refused.status_code, refused.json()) == (503, UNBELIEVED)
    assert spent_nothing.status_code == 200


async def test_a_session_that_is_pointed_at_another_person_s_account_does_not_reach_it(
    start: Start, tmp_path: Path
) -> None:
    async with start(with_hubs()) as server:
        here = Here(server, tmp_path)
        await sign_in(server)
        await sign_in(server, identity=BOB, accounts=())
        alice, bob = here.by_hand("SELECT tsid_hash, user_id, owner FROM token_sessions ORDER BY rowid")
        here.by_hand("UPDATE session_grants SET tsid_hash = ?", bob["tsid_hash"])
        whose = {"user_id": bob["user_id"], "owner": bob["owner"]}
        assert await here.do(of_session, bob["tsid_hash"], **whose) == []
        here.by_hand("UPDATE upstream_grants SET user_id = ?", bob["user_id"])
        with pytest.raises(SealedOtherwise):
            await here.do(of_session, bob["tsid_hash"], **whose)
        assert alice["user_id"] != bob["user_id"]


async def test_a_redirect_uri_that_a_writer_registered_gets_no_answer(start: Start, tmp_path: Path) -> None:
    async with start(with_hubs() | {"registration": {"dynamic": True, "scopes": ["mcp"]}}) as server:
        here = Here(server, tmp_path)
        said = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}
        client = (await server.http.post(f"{server.issuer}/oauth/register", json=said)).json()
        here.by_hand("UPDATE clients SET metadata = replace(metadata, ?, ?)", CALLBACK, EVIL)
        request = {
            "client_id": client["client_id"],
            "redirect_uri": EVIL,
            "response_type": "code",
            "code_challenge": s256(VERIFIER),
            "code_challenge_method": "S256",
        }
        answered = await server.http.get(f"{server.issuer}/oauth/authorize", params=request)
    assert (answered.status_code, answered.headers.get("location")) == (503, None)
    assert "What our storage has of this was changed or is damaged." in answered.text


async def test_a_secret_that_a_writer_gave_a_client_is_not_taken(start: Start, tmp_path: Path) -> None:
    async with start(with_hubs()) as server:
        here = Here(server, tmp_path)
        added = await add_client(here.store, MACHINE, now=here.now)
        assert added.secret is not None
        here.by_hand("UPDATE clients SET secret_digest = ?", secret_digest(MALLORYS))
        form = {"grant_type": "client_credentials", "resource": RESOURCE}
        refused = await server.token(form, auth=("robot", MALLORYS))
    assert (refused.status_code, refused.json()) == (503, UNBELIEVED)
