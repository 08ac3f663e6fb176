"""An MCP server with an authorization server of its own: RFC 9728, RFC 8414, RFC 7591."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
from pydantic import TypeAdapter
from sqlalchemy import select
from tests.authserver.conftest import Clock, Start, basic_settings
from tests.authserver.idps.conftest import INLINE
from tests.authserver.idps.naming_service import NamingService
from tests.authserver.idps.recorded import recorded
from tests.credentials.persons_issuer import PersonsIssuer, persons_issuer

from ostiary.authserver.config.idps import IdpSettings
from ostiary.authserver.idps.idp import GrantDead, IdpAnswerRefused, IdpDenied, IdpUnavailable, LoginOptions
from ostiary.authserver.idps.mcp import McpProvider
from ostiary.authserver.idps.own_client_document import client_document_url
from ostiary.authserver.idps.registrations import Registrations
from ostiary.authserver.idps.tools import Tools
from ostiary.authserver.upstream_account import UpstreamAccount, UpstreamTokens
from ostiary.identity.key_sets import KeySets
from ostiary.storage.schema import upstream_clients
from ostiary.storage.store import Store
from ostiary.transport.fetch import Fetcher

ENTRY: TypeAdapter[Any] = TypeAdapter(IdpSettings)
ISSUER = "https://auth.example.com"
CALLBACK = f"{ISSUER}/oauth/callback/notes"
DOCUMENT = f"{ISSUER}/oauth/client/notes.json"


@pytest.fixture
async def there() -> AsyncIterator[PersonsIssuer]:
    async with persons_issuer() as issuer:
        yield issuer


Provider = Callable[..., McpProvider]


@pytest.fixture
def provider(there: PersonsIssuer, store: Store, tools: Tools) -> Provider:
    """The entry `notes`, with these settings."""

    def made(*, our_issuer: str = ISSUER, **settings: Any) -> McpProvider:
        values = {"name": "notes", "type": "mcp", "url": there.server} | settings
        entry = ENTRY.validate_python(values, context=INLINE)
        document = client_document_url(our_issuer, "notes")
        return McpProvider(entry, tools, Registrations(store), document=document)

    return made


async def connected(
    provider: McpProvider, clock: Clock, *, callback: str = CALLBACK, prompt: tuple[str, ...] = ()
) -> UpstreamAccount:
    """A whole login, as a browser interactions it."""
    options = LoginOptions(prompt=prompt)
    left = await provider.begin(state="the-state", redirect_uri=callback, options=options)
    async with httpx2.AsyncClient(trust_env=False) as browser:
        answered = await browser.get(left.url)
    back = answered.headers["location"]
    assert back.startswith(f"{callback}?")
    return await provider.complete(back.partition("?")[2].encode(), left.memory, now=clock())


async def test_an_account_is_connected_at_a_server_that_registers_us(
    provider: Provider, there: PersonsIssuer, store: Store, clock: Clock
) -> None:
    at = provider()
    found = await connected(at, clock)
    assert found == UpstreamAccount(
        idp="notes",
        issuer=there.url,
        account="",
        client_id="client-1",
        tokens=UpstreamTokens("token-1", "refresh-1", None, clock() + 3600, ("read",)),
    )
    assert not at.can_identify
    assert there.registered == [
        {
            "client_name": "Ostiary",
            "application_type": "web",
            "redirect_uris": [CALLBACK],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "client_secret_basic",
        }
    ]
    asked = there.asked[0]
    assert (asked["resource"], asked["scope"], asked["code_challenge_method"]) == (
        there.server,
        "read",
        "S256",
    )
    assert there.redeemed[0]["resource"] == there.server


async def test_a_registration_is_made_once_and_kept_sealed(
    provider: Provider, there: PersonsIssuer, store: Store, clock: Clock
) -> None:
    await connected(provider(), clock)
    await connected(provider(), clock)
    assert len(there.registered) == 1
    rows = await store.read(lambda connection: connection.execute(select(upstream_clients)).all())
    assert [(row.idp, row.issuer, row.client_id) for row in rows] == [("notes", there.url, "client-1")]
    await connected(provider(), clock, callback="https://moved.example.com/oauth/callback/notes")
    assert [asked["redirect_uris"] for asked in there.registered][1:] == [
        ["https://moved.example.com/oauth/callback/notes"]
    ]


async def test_a_server_that_takes_documents_is_told_where_ours_is(
    provider: Provider, there: PersonsIssuer, clock: Clock
) -> None:
    there.metadata = {"client_id_metadata_document_supported": True}
    at = provider()
    found = await connected(at, clock)
    assert (found.client_id, there.registered) == (DOCUMENT, [])
    await at.renew(found.tokens, issuer=there.url, client_id=DOCUMENT, now=clock())
    assert [sent["client_id"] for sent in there.redeemed] == [DOCUMENT, DOCUMENT]


async def test_an_issuer_in_the_clear_has_no_document(
    provider: Provider, there: PersonsIssuer, clock: Clock
) -> None:
    there.metadata = {"client_id_metadata_document_supported": True}
    callback = "http://127.0.0.1:9000/oauth/callback/notes"
    await connected(provider(our_issuer="http://127.0.0.1:9000"), clock, callback=callback)
    assert there.registered[0]["application_type"] == "native"


async def test_a_given_client_goes_before_both(
    provider: Provider, there: PersonsIssuer, clock: Clock
) -> None:
    there.metadata = {"client_id_metadata_document_supported": True}
    ours = provider(client_id="by-hand", client_secret="hunter2", issuer=there.url)
    found = await connected(ours, clock)
    assert (found.client_id, there.registered) == ("by-hand", [])


async def test_a_hostile_mcp_server_s_issuer_gets_no_client_secret(
    provider: Provider, there: PersonsIssuer, clock: Clock
) -> None:
    """The server names its own; code, refresh token and secret go to the one that we named."""
    async with persons_issuer() as hostile:
        there.authorization_servers = [hostile.url]
        at = provider(client_id="by-hand", client_secret="hunter2", issuer=there.url)
        found = await connected(at, clock)
        await at.renew(found.tokens, issuer=found.issuer, client_id="by-hand", now=clock())
        assert (found.issuer, len(there.redeemed)) == (there.url, 2)
        with pytest.raises(GrantDead):  # as it was before the configuration named an issuer
            await at.renew(found.tokens, issuer=hostile.url, client_id="by-hand", now=clock())
        await at.revoke(found.tokens, issuer=hostile.url, client_id="by-hand")
    assert (hostile.asked, hostile.redeemed, hostile.revoked) == ([], [], [])


async def test_a_server_that_registers_nobody_is_told_what_to_do(
    provider: Provider, there: PersonsIssuer, clock: Clock
) -> None:
    there.metadata = {"registration_endpoint": None}
    with pytest.raises(IdpAnswerRefused) as refused:
        await connected(provider(), clock)
    assert str(refused.value) == (
        f"identity provider notes: authorization server {there.url} registers no clients by itself: "
        "register one there by hand, and set client_id"
    )


async def test_a_server_that_knows_us_no_more_registers_us_anew(
    provider: Provider, there: PersonsIssuer, clock: Clock
) -> None:
    at = provider()
    before = await connected(at, clock)
    there.refuses = {"error": "invalid_client"}
    with pytest.raises(IdpAnswerRefused):
        await connected(at, clock)
    with pytest.raises(GrantDead):
        await at.renew(before.tokens, issuer=there.url, client_id="client-1", now=clock())
    there.refuses = None
    assert (await connected(at, clock)).client_id == "client-2"


async def left_with(at: McpProvider) -> str:
    left = await at.begin(state="the-state", redirect_uri=CALLBACK, options=LoginOptions())
    return left.memory.client_id


async def test_when_nobody_comes_back_from_a_server_the_next_one_is_another_client(
    provider: Provider, there: PersonsIssuer, clock: Clock
) -> None:
    """It was restarted, knows us no more, and tells that to people alone."""
    at = provider()
    before = await connected(at, clock)
    assert await left_with(at) == "client-1"
    clock.advance(59)
    assert await left_with(at) == "client-1"
    clock.advance(2)
    assert await left_with(at) == "client-2"
    assert (await connected(at, clock)).client_id == "client-2"
    renewed = await at.renew(before.tokens, issuer=there.url, client_id="client-1", now=clock())
    assert renewed.access_token == "token-3"


async def test_people_who_change_their_mind_register_us_no_oftener_than_hourly(
    provider: Provider, there: PersonsIssuer, clock: Clock
) -> None:
    at = provider()
    for _ in range(10):
        await left_with(at)
        clock.advance(61)
    assert len(there.registered) == 2
    clock.advance(3600)
    await left_with(at)
    assert len(there.registered) == 3


async def test_whoever_comes_back_shows_that_we_are_known(
    provider: Provider, there: PersonsIssuer, clock: Clock
) -> None:
    at = provider()
    for _ in range(3):
        await left_with(at)
        clock.advance(50)
        await connected(at, clock)
        clock.advance(50)
    assert len(there.registered) == 1


async def test_tokens_are_renewed_with_the_client_that_got_them(
    provider: Provider, there: PersonsIssuer, clock: Clock
) -> None:
    before = await connected(provider(), clock)
    at = provider(client_id="by-hand")
    after = await at.renew(before.tokens, issuer=there.url, client_id="client-1", now=clock())
    assert after.access_token == "token-2"
    assert there.redeemed[-1] == {
        "grant_type": "refresh_token",
        "refresh_token": "refresh-1",
        "resource": there.server,
        "scope": "read",
        "client_id": "client-1",
    }
    with pytest.raises(GrantDead):
        await at.renew(after, issuer=there.url, client_id="nobody", now=clock())
    with pytest.raises(GrantDead):
        await at.renew(before.tokens, issuer=there.url, client_id="client-1", now=clock())


async def test_a_refresh_token_is_not_shown_to_another_authorization_server(
    provider: Provider, there: PersonsIssuer, clock: Clock
) -> None:
    """The server may name another one tomorrow; what this one gave is not for that one."""
    at = provider()
    before = await connected(at, clock)
    seen = len(there.redeemed)
    with pytest.raises(GrantDead) as dead:
        await at.renew(before.tokens, issuer="https://before.example.com", client_id="client-1", now=clock())
    assert str(dead.value) == (
        f"MCP server {there.server} takes no tokens of https://before.example.com any more"
    )
    assert len(there.redeemed) == seen


async def test_both_tokens_are_ended(provider: Provider, there: PersonsIssuer, clock: Clock) -> None:
    at = provider()
    found = await connected(at, clock)
    await at.revoke(found.tokens, issuer=there.url, client_id="client-1")
    assert [sent["token"] for sent in there.revoked] == ["refresh-1", "token-1"]


async def test_pkce_is_required(provider: Provider, there: PersonsIssuer, clock: Clock) -> None:
    there.metadata = {"code_challenge_methods_supported": None}
    with pytest.raises(IdpAnswerRefused) as refused:
        await connected(provider(), clock)
    assert str(refused.value) == (
        "identity provider notes: its metadata does not list S256 in code_challenge_methods_supported "
        "(if it checks S256 all the same, write code_challenge_methods_supported: [S256] here)"
    )
    assert there.asked == []


async def test_one_that_checks_pkce_and_does_not_say_so_is_used_when_we_are_told(
    provider: Provider, there: PersonsIssuer, clock: Clock
) -> None:
    there.metadata = {"code_challenge_methods_supported": None}
    await connected(provider(code_challenge_methods_supported=["S256"]), clock)
    assert there.asked[0]["code_challenge_method"] == "S256"


async def test_one_that_refuses_a_resource_is_told_none(
    provider: Provider, there: PersonsIssuer, clock: Clock
) -> None:
    """With the settings that Google wants."""
    params = {"access_type": "offline", "prompt": "consent"}
    at = provider(issuer=there.url, resource=False, authorization_params=params)
    found = await connected(at, clock)
    await at.renew(found.tokens, issuer=there.url, client_id=found.client_id, now=clock())
    assert [name for asked in (*there.asked, *there.redeemed) for name in asked if name == "resource"] == []
    assert {**there.asked[0], **params} == there.asked[0]
    named = provider(resource="urn:notes")
    await connected(named, clock)
    assert (there.asked[-1]["resource"], there.redeemed[-1]["resource"]) == ("urn:notes", "urn:notes")


@pytest.mark.parametrize("slash", ["", "/"])
async def test_a_server_and_its_issuer_may_differ_by_a_slash(
    provider: Provider, there: PersonsIssuer, clock: Clock, slash: str
) -> None:
    """The name that counts is the one that the issuer gives itself, in answers too."""
    named, itself = there.url + slash, there.url + ("" if slash else "/")
    there.authorization_servers, there.metadata = [named], {"issuer": itself}
    there.answer = {"iss": itself}
    at = provider()
    found = await connected(at, clock)
    assert found.issuer == itself
    after = await at.renew(found.tokens, issuer=itself, client_id=found.client_id, now=clock())
    assert after.access_token == "token-2"
    there.answer = {"iss": named}
    with pytest.raises(IdpAnswerRefused):
        await connected(at, clock)


async def test_a_server_of_2025_03_26_is_its_own_issuer(
    provider: Provider, there: PersonsIssuer, clock: Clock
) -> None:
    there.describes_itself, there.metadata = False, {"issuer": f"{there.url}/"}
    there.answer = {"iss": f"{there.url}/"}
    at = provider()
    found = await connected(at, clock)
    assert found.issuer == f"{there.url}/"
    assert there.asked[0]["resource"] == there.server
    await at.renew(found.tokens, issuer=found.issuer, client_id=found.client_id, now=clock())


async def test_one_without_any_metadata_is_at_the_default_addresses(
    provider: Provider, there: PersonsIssuer, clock: Clock
) -> None:
    there.describes_itself = there.has_metadata = False
    there.answer = {"iss": ""}
    at = provider()
    found = await connected(at, clock)
    assert (found.issuer, found.tokens.access_token) == (there.url, "token-1")
    after = await at.renew(found.tokens, issuer=there.url, client_id=found.client_id, now=clock())
    assert after.access_token == "token-2"
    await at.revoke(found.tokens, issuer=there.url, client_id=found.client_id)


async def test_another_issuer_s_answer_is_refused(
    provider: Provider, there: PersonsIssuer, clock: Clock
) -> None:
    there.answer = {"iss": "https://evil.example.com"}
    with pytest.raises(IdpAnswerRefused):
        await connected(provider(), clock)
    there.answer = {"iss": ""}
    with pytest.raises(IdpAnswerRefused):
        await connected(provider(), clock)
    there.answer = {"code": "", "error": "access_denied"}
    with pytest.raises(IdpDenied):
        await connected(provider(), clock)
    assert there.redeemed == []


async def test_metadata_of_another_issuer_is_refused(
    provider: Provider, there: PersonsIssuer, clock: Clock
) -> None:
    there.metadata = {"issuer": "https://evil.example.com"}
    with pytest.raises(IdpAnswerRefused):
        await connected(provider(), clock)


async def test_a_server_that_is_down_is_unavailable(provider: Provider, clock: Clock) -> None:
    with pytest.raises(IdpUnavailable) as down:
        await provider(url="http://127.0.0.1:1/mcp").begin(
            state="s", redirect_uri=CALLBACK, options=LoginOptions()
        )
    assert not down.value.may_have_spent


async def test_userinfo_names_the_account_and_nobody_s_identity(
    provider: Provider, there: PersonsIssuer, clock: Clock
) -> None:
    async with recorded() as who:
        there.metadata = {"userinfo_endpoint": f"{who.url}/userinfo"}
        who.says("/userinfo", {"sub": 9007199254740993, "email": "alice@example.com"})
        at = provider(scopes=["openid"])
        found = await connected(at, clock)
        assert (found.account, found.label, found.identity) == (
            "9007199254740993",
            "alice@example.com",
            None,
        )
        who.says("/userinfo", {"error": "no"}, status=403)
        assert (await connected(at, clock)).account == ""


@pytest.mark.parametrize("endpoint", ["token_endpoint", "registration_endpoint"])
@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("http://127.0.0.1:{port}", "it names this machine, and who wrote it is on another"),
        ("https://10.0.0.1", "its host leads to a private address"),
        ("https://169.254.169.254", "its host leads to a private address"),
    ],
)
async def test_idp_metadata_cannot_reach_inside(
    endpoint: str, place: str, why: str, there: PersonsIssuer, store: Store, clock: Clock
) -> None:
    async with persons_issuer() as inside:
        port = inside.url.rpartition(":")[2]
        fetcher = NamingService(there, "mcp.example.com")
        there.metadata = {endpoint: place.format(port=port) + "/token"}
        at = public(there, store, fetcher, clock)

        async def login() -> None:
            left = await at.begin(state="s", redirect_uri=CALLBACK, options=LoginOptions())
            query = b"code=the-code&state=s&iss=https%3A%2F%2Fmcp.example.com"
            await at.complete(query, left.memory, now=clock())

        with pytest.raises(IdpUnavailable, match=why):
            await login()
        assert (inside.registered, inside.redeemed) == ([], [])


async def test_a_public_server_cannot_name_an_authorization_server_inside(
    there: PersonsIssuer, store: Store, clock: Clock
) -> None:
    async with persons_issuer() as inside:
        fetcher = NamingService(there, "mcp.example.com")
        there.authorization_servers = [inside.url]
        with pytest.raises(IdpUnavailable, match="it names this machine, and who wrote it is on another"):
            await public(there, store, fetcher, clock).begin(
                state="s", redirect_uri=CALLBACK, options=LoginOptions()
            )


def public(there: PersonsIssuer, store: Store, fetcher: Fetcher, clock: Clock) -> McpProvider:
    entry = ENTRY.validate_python({"name": "notes", "type": "mcp", "url": there.server})
    tools = Tools(fetcher, KeySets(fetcher, clock), clock)
    return McpProvider(entry, tools, Registrations(store), document=None)


async def test_our_document_is_where_it_says(start: Start) -> None:
    settings = basic_settings(issuer=ISSUER)
    settings["upstream_idps"] += [
        {"name": "notes", "type": "mcp", "url": "https://mcp.example.com/mcp"},
        {"name": "files", "type": "mcp", "url": "https://files.example.com/mcp", "client_id": "by-hand"},
    ]
    async with start(settings) as server:
        answered = await server.http.get(f"{server.issuer}/oauth/client/notes.json")
        other = await server.http.get(f"{server.issuer}/oauth/client/files.json")
    assert answered.json() == {
        "client_id": DOCUMENT,
        "client_name": "Ostiary",
        "client_uri": ISSUER,
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "application_type": "web",
    }
    assert answered.headers["cache-control"] == "public, max-age=300"
    assert other.status_code == 404
