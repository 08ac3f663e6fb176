"""A provider that does not say whose an account is: it is that of who connected it."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from tests.authserver import person
from tests.authserver.conftest import Clock, Start
from tests.authserver.idps.little_idp import CLIENT_ID, CLIENT_SECRET, LittleIdp
from tests.authserver.internal.conftest import opened
from tests.peers.workload_authority import WorkloadAuthority


def accounts(directory: Path) -> list[tuple[str, str]]:
    """Whose, and what the provider calls it."""
    with contextlib.closing(sqlite3.connect(directory / "ostiary.db")) as connection:
        return connection.execute("SELECT user_id, account FROM upstream_grants WHERE idp = 'hub'").fetchall()


async def test_synthetic_identity_never_links(
    start: Start, clock: Clock, authority: WorkloadAuthority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two people whose accounts both have no name keep their own."""
    with_names = person.world_settings

    def without_names(corp: LittleIdp, hub: LittleIdp, **uses: str) -> dict[str, Any]:
        settings = with_names(corp, hub, **uses)
        settings["upstream_idps"][1] = {
            "name": "hub",
            "type": "oauth2",
            "authorization_endpoint": f"{hub.url}/authorize",
            "token_endpoint": f"{hub.url}/token",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
        }
        return settings

    monkeypatch.setattr(person, "world_settings", without_names)
    async with opened(start, clock, authority, tmp_path) as inside:
        here = inside.world
        alice = await here.person()
        tokens = [(await alice.tokens())["access_token"], (await alice.tokens())["access_token"]]
        here.corp.person = {**here.corp.person, "sub": "bob-at-corp", "email": "bob@example.com"}
        tokens.append((await (await here.person()).tokens())["access_token"])
        given = [(await inside.exchange(token)).json()["access_token"] for token in tokens]
        (one, _), (other, _) = found = accounts(tmp_path)
    assert given[0] == given[1] != given[2]
    assert one != other
    assert [account for _, account in found] == ["", ""]
