"""Providers that others wrote, with a person at Chromium: each kind of entry, from sign-in to revocation."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Page, Route
from pydantic import TypeAdapter
from tests.authserver.idps.conftest import CALLBACK, INLINE
from tests.authserver.idps.recorded import recorded
from tests.conftest import IDPS, RunningIdp
from tests.peers.browser import browser
from tests.peers.identity_provider import ALICE, IdentityProvider
from tests.peers.oidc_provider import idp as oidc_provider

from ostiary.authserver.config.idps import IdpSettings
from ostiary.authserver.idps.idp import GrantDead, LoginOptions, UpstreamIdp
from ostiary.authserver.idps.mcp import McpProvider
from ostiary.authserver.idps.oidc import OidcProvider
from ostiary.authserver.idps.registrations import Registrations
from ostiary.authserver.idps.tools import Tools
from ostiary.authserver.upstream_account import UpstreamAccount
from ostiary.identity.key_sets import KeySets
from ostiary.storage.store import Store
from ostiary.transport.fetch import Fetcher

ENTRY: TypeAdapter[Any] = TypeAdapter(IdpSettings)


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A browser that brings its answer to nobody: we read it from the address."""
    async with browser() as running:
        opened = await running.page()

        async def arrived(route: Route) -> None:
            await route.fulfill(body="back")

        await opened.route(f"{CALLBACK}*", arrived)
        yield opened


@pytest.fixture
def tools() -> Tools:
    """With the real time, which the peers go by."""
    fetcher = Fetcher()
    return Tools(fetcher, KeySets(fetcher), time.time)


async def connected(at: UpstreamIdp, there: IdentityProvider, page: Page, tools: Tools) -> UpstreamAccount:
    left = await at.begin(state="the-state", redirect_uri=CALLBACK, options=LoginOptions())
    await page.goto(left.url)
    await there.sign_in(page, ALICE.login)
    await page.wait_for_url(f"{CALLBACK}*")
    return await at.complete(page.url.partition("?")[2].encode(), left.memory, now=tools.clock())


@pytest.mark.parametrize("running_idp", IDPS, indirect=True)
async def test_a_person_signs_in_is_renewed_and_ends_it(
    running_idp: RunningIdp, page: Page, tools: Tools
) -> None:
    async with running_idp([CALLBACK]) as there:
        entry = ENTRY.validate_python(
            {
                "name": "corp",
                "issuer": there.issuer,
                "client_id": there.client_id,
                "client_secret": there.client_secret,
                "scopes": list(there.scopes),
                "userinfo": True,
                "claims": {"groups": {"from": "userinfo", "claim": "groups"}},
            },
            context=INLINE,
        )
        at = OidcProvider(entry, tools)
        found = await connected(at, there, page, tools)
        assert found.identity is not None
        assert (found.issuer, found.account) == (there.issuer, ALICE.login)
        assert (found.identity.email, found.identity.email_verified) == (ALICE.email, True)
        assert sorted(found.identity.claims["groups"]) == sorted(ALICE.groups)
        ours = {"issuer": there.issuer, "client_id": there.client_id}
        renewed = await at.renew(found.tokens, **ours, now=tools.clock())
        assert renewed.access_token != found.tokens.access_token
        assert renewed.refresh_token != found.tokens.refresh_token
        await at.revoke(renewed, **ours)
        with pytest.raises(GrantDead):
            await at.renew(renewed, **ours, now=tools.clock())


async def test_a_spent_refresh_token_ends_what_followed_from_it(page: Page, tools: Tools) -> None:
    """What a second showing costs, and why a grant is claimed before its provider is asked."""
    async with oidc_provider.running_idp([CALLBACK]) as there:
        values = {"name": "corp", "issuer": there.issuer, "client_id": there.client_id}
        at = OidcProvider(
            ENTRY.validate_python(values | {"client_secret": there.client_secret}, context=INLINE), tools
        )
        found = await connected(at, there, page, tools)
        ours = {"issuer": there.issuer, "client_id": there.client_id}
        renewed = await at.renew(found.tokens, **ours, now=tools.clock())
        for spent in (found.tokens, renewed):
            with pytest.raises(GrantDead):
                await at.renew(spent, **ours, now=tools.clock())


async def test_an_mcp_server_is_connected_at_its_own_authorization_server(
    page: Page, tools: Tools, store: Store
) -> None:
    async with oidc_provider.running_idp([], strangers=True) as there, recorded() as server:
        url = f"{server.url}/mcp"
        described = {"resource": url, "authorization_servers": [there.issuer], "scopes_supported": ["mcp"]}
        server.says("/.well-known/oauth-protected-resource/mcp", described)
        entry = ENTRY.validate_python({"name": "notes", "type": "mcp", "url": url})
        at = McpProvider(entry, tools, Registrations(store), document=None)
        found = await connected(at, there, page, tools)
        assert (found.issuer, found.identity, found.tokens.scopes) == (there.issuer, None, ("mcp",))
        ours = {"issuer": there.issuer, "client_id": found.client_id}
        renewed = await at.renew(found.tokens, **ours, now=tools.clock())
        await at.revoke(renewed, **ours)
        with pytest.raises(GrantDead):
            await at.renew(renewed, **ours, now=tools.clock())
