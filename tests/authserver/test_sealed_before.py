"""Rows that were sealed before names in the code changed: they open, and are written as they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from ostiary.authserver.authorization_grant import AuthorizationGrant
from ostiary.authserver.idps.idp import LoginMemory
from ostiary.authserver.interaction.authorization_request import AuthorizationRequest
from ostiary.authserver.interaction.interaction_state import Choice, Chosen, InteractionState
from ostiary.authserver.interaction.upstream_login import (
    ConnectLogin,
    InteractionLogin,
    PageLogin,
    PendingLogin,
)
from ostiary.authserver.interaction.waiting_offer import Offer
from ostiary.authserver.upstream_account import Identity, UpstreamAccount, UpstreamTokens
from ostiary.oauth.server.client import ClientKind
from ostiary.storage.config import StorageSettings
from ostiary.storage.covered_columns import covered_columns
from ostiary.storage.database import Database
from ostiary.storage.schema import codes, upstream_states, walks
from ostiary.storage.sealing import KeyRing
from ostiary.storage.store import Store

ALICE = Identity(
    "https://corp.example.com",
    "alice",
    name="Alice",
    email="alice@example.com",
    email_verified=True,
    claims={"groups": ["staff"]},
    auth_time=1799999990,
)
CORP = UpstreamAccount(
    "corp",
    "https://corp.example.com",
    "alice",
    "ostiary",
    UpstreamTokens("at", "rt", "it", 1800003600.0, ("openid",)),
    "alice@example.com",
    ALICE,
)
HUB = UpstreamAccount("github", "https://github.com", "octo", "us", UpstreamTokens("at2"), "octo")
REQUEST = AuthorizationRequest(
    "app",
    "App",
    ClientKind.DYNAMIC,
    "https://mcp.example.com/mcp",
    "default/gateway",
    ("mcp",),
    redirect_uri="http://127.0.0.1:7777/callback",
    device_hash="d1",
    state="s",
    code_challenge="c",
    nonce="n",
    dpop_jkt="k",
    prompt=("consent", "login"),
    max_age=60,
    login_hint="alice",
)
MEMORY = LoginMemory(
    "https://corp.example.com",
    "ostiary",
    "https://auth.example.com/oauth/callback/corp",
    "v",
    "n",
    60,
    "https://corp.example.com/token",
    ("openid",),
    "https://mcp.example.com/",
)

ALICE_BEFORE = (
    '{"issuer":"https://corp.example.com","subject":"alice","name":"Alice","email":"alice@example.com",'
    '"email_verified":true,"claims":{"groups":["staff"]},"auth_time":1799999990}'
)
CORP_BEFORE = (
    '{"idp":"corp","issuer":"https://corp.example.com","account":"alice","client_id":"ostiary","tokens":'
    '{"access_token":"at","refresh_token":"rt","id_token":"it","expires_at":1800003600.0,"scopes":["openid"]},'
    f'"label":"alice@example.com","identity":{ALICE_BEFORE}}}'
)
HUB_BEFORE = (
    '{"idp":"github","issuer":"https://github.com","account":"octo","client_id":"us","tokens":'
    '{"access_token":"at2"},"label":"octo"}'
)
MEMORY_BEFORE = (
    '{"issuer":"https://corp.example.com","client_id":"ostiary","redirect_uri":'
    '"https://auth.example.com/oauth/callback/corp","code_verifier":"v","nonce":"n","max_age":60,'
    '"token_endpoint":"https://corp.example.com/token","scopes":["openid"],"resource":'
    '"https://mcp.example.com/"}'
)
BEFORE: dict[str, tuple[Any, msgspec.Struct, str]] = {
    "interaction": (
        walks,
        InteractionState(
            REQUEST,
            is_consented=True,
            accounts=(CORP,),
            signed_in_at=1799999990,
            choices=(Choice("slack", Chosen.SKIPPED, "no"),),
            offered=HUB,
            replaced=("github",),
        ),
        (
            '{"asked":{"client_id":"app","client_name":"App","client_kind":"dynamic","resource":'
            '"https://mcp.example.com/mcp","owner":"default/gateway","scopes":["mcp"],"redirect_uri":'
            '"http://127.0.0.1:7777/callback","device_hash":"d1","state":"s","code_challenge":"c","nonce":"n",'
            '"dpop_jkt":"k","prompt":["consent","login"],"max_age":60,"login_hint":"alice"},"is_consented":true,'
            f'"connected":[{CORP_BEFORE}],"signed_in_at":1799999990,"choices":[{{"idp":"slack","chosen":'
            f'"skipped","reason":"no"}}],"offered":{HUB_BEFORE},"replaced":["github"]}}'
        ),
    ),
    "offer": (walks, Offer("u", "o", HUB), f'{{"user_id":"u","owner":"o","account":{HUB_BEFORE}}}'),
    "interaction's login": (
        upstream_states,
        PendingLogin(InteractionLogin("w"), MEMORY),
        f'{{"purpose":{{"type":"walk","walk_id":"w"}},"memory":{MEMORY_BEFORE}}}',
    ),
    "login to connect": (
        upstream_states,
        PendingLogin(ConnectLogin("u", "o", "r"), MEMORY),
        (
            '{"purpose":{"type":"connect","user_id":"u","owner":"o","resource":"r"},'
            f'"memory":{MEMORY_BEFORE}}}'
        ),
    ),
    "page's login": (
        upstream_states,
        PendingLogin(PageLogin("/connections"), MEMORY),
        f'{{"purpose":{{"type":"page","return_to":"/connections"}},"memory":{MEMORY_BEFORE}}}',
    ),
    "code": (
        codes,
        AuthorizationGrant(
            "app",
            ALICE,
            "https://mcp.example.com/mcp",
            "default/gateway",
            ("mcp",),
            1799999990,
            (CORP, HUB),
            "http://127.0.0.1:7777/callback",
            "c",
            "n",
            "k",
            ("github",),
        ),
        (
            f'{{"client_id":"app","identity":{ALICE_BEFORE},'
            '"resource":"https://mcp.example.com/mcp","owner":"default/gateway","scopes":["mcp"],"auth_time":'
            f'1799999990,"connected":[{CORP_BEFORE},{HUB_BEFORE}],"redirect_uri":'
            '"http://127.0.0.1:7777/callback","code_challenge":"c","nonce":"n","dpop_jkt":"k","replaced":["github"]}'
        ),
    ),
}
"""By what it is: table, record, and what the version before wrote of it."""


@pytest.mark.parametrize("kind", BEFORE)
def test_a_row_of_the_version_before_opens_and_is_written_alike(kind: str, tmp_path: Path) -> None:
    table, record, before = BEFORE[kind]
    keys = KeyRing([bytes(32)])
    context = {"base_directory": tmp_path}
    where = {"url": "sqlite:///ostiary.db", "encryption_key": {"file": "ostiary.key"}}
    store = Store(Database(StorageSettings.model_validate(where, context=context)), keys)
    row = dict.fromkeys(covered_columns(table).names)
    covered = covered_columns(table).of(row)
    sealed = keys.seal(before.encode(), covered=covered)
    assert store.open(sealed, type(record), table=table, row=row) == record
    written = keys.open(store.seal(record, table=table, row=row), covered=covered)
    assert written.decode() == before
