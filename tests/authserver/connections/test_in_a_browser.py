"""Connected accounts and a device, as a person in Chromium has them: by clicking, in both colour schemes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Page
from tests.authserver.agreed import APP
from tests.authserver.conftest import RESOURCE, SECRET, Clock, Start
from tests.authserver.connections.at_the_page import connect_url
from tests.authserver.pages.test_in_a_browser import OVERFLOW, TOO_FAINT, TOO_SMALL
from tests.authserver.person import World, world
from tests.authserver.test_device_pages import TERMINAL, begun
from tests.peers.browser import browser

IDPS: list[Any] = ["corp", {"name": "hub", "use": "on_demand"}]
RESOURCES = [
    {
        "resource": RESOURCE,
        "owner": "default/gateway",
        "scopes": ["mcp"],
        "scope_descriptions": {"mcp": "Use the tools of this server"},
        "idps": IDPS,
    },
    {"resource": "https://zoo.example.com/*", "owner": "zoo/keeper", "scopes": ["mcp"], "idps": IDPS},
]
NIGHTLY = {
    "client_id": "nightly",
    "client_name": "Nightly report",
    "client_secret": SECRET,
    "grant_types": ["client_credentials"],
}


@contextlib.asynccontextmanager
async def at_home(start: Start, clock: Clock) -> AsyncIterator[World]:
    """A person who has signed in for two programs, one of them nobody knows."""
    clients = [APP | {"client_name": "Weather Desk"}, NIGHTLY, TERMINAL]
    async with world(start, clock, resources=RESOURCES, clients=clients) as here:
        elsewhere = await here.person()
        await elsewhere.tokens()
        clock.advance(3600)
        await elsewhere.tokens(client_id=await here.stranger(client_name="Claude Code"))
        yield here


async def look(page: Page, said: list[str], name: str) -> None:
    """Nothing is blocked, faint, cut off or too small to hit."""
    assert said == [], name
    assert await page.evaluate(TOO_FAINT) == [], name
    assert await page.evaluate(TOO_SMALL) == [], name
    assert await page.evaluate(OVERFLOW) == 0, name


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1100])
async def test_a_person_connects_allows_replaces_and_ends(
    start: Start, clock: Clock, scheme: str, width: int
) -> None:
    async with at_home(start, clock) as here, browser() as chromium:
        viewport = {"width": width, "height": 900}
        context = await chromium.context(color_scheme=scheme, viewport=viewport)
        page, said = await context.new_page(), list[str]()
        page.on("console", lambda message: said.append(message.text))

        await page.goto(connect_url(here.server))
        await look(page, said, "connect")
        await page.get_by_role("button", name="Connect Hub").click()
        await page.get_by_text("The account is connected.").wait_for()
        await page.get_by_text("Allow use when you are away").last.click()
        await page.get_by_label("Program").last.select_option("nightly")
        await look(page, said, "away")
        await page.get_by_role("button", name="Allow use of Hub").click()
        await page.get_by_text("Nightly report may use this account").wait_for()
        await look(page, said, "connections")

        here.hub.person = {"sub": "666", "name": "Mallory", "preferred_username": "mallory"}
        await page.get_by_role("button", name="Reconnect Hub").click()
        await page.get_by_role("heading", name="Replace your Hub account?").wait_for()
        await look(page, said, "replace")
        await page.get_by_role("button", name="Replace it").click()
        await page.get_by_text("The account was replaced.").wait_for()
        assert await page.get_by_text("Nightly report may use this account").count() == 0

        await page.get_by_role("button", name="Disconnect Hub").click()
        await page.get_by_text("The account was disconnected.").wait_for()
        await page.get_by_role("button", name="End the access of Claude Code").click()
        await page.get_by_text("The program has no access any more.").wait_for()
        assert await page.get_by_role("button", name="the access of").count() == 1
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_role("heading", name="You are signed out").wait_for()
        await look(page, said, "signed out")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_person_lets_a_device_in(start: Start, clock: Clock, scheme: str) -> None:
    async with at_home(start, clock) as here, browser() as chromium:
        context = await chromium.context(color_scheme=scheme, viewport={"width": 320, "height": 640})
        page, said = await context.new_page(), list[str]()
        page.on("console", lambda message: said.append(message.text))
        given = await begun(here.server)
        await page.goto(given["verification_uri_complete"])
        await look(page, said, "code")
        await page.get_by_role("button", name="Continue").click()
        await page.get_by_role("heading", name="Is this your device?").wait_for()
        await look(page, said, "confirm")
        await page.get_by_role("button", name="Allow").click()
        await page.get_by_role("heading", name="Your device is connected").wait_for()
        await look(page, said, "done")
