"""Chromium without a window: the browser of the person in a test, which reaches nothing but this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from playwright import async_api as playwright
from playwright.async_api import BrowserContext, Page
from tests.peers.unavailable import takes_time, unavailable

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 15_000
"""Milliseconds that a page may take to show what is waited for."""
SETTINGS = (
    "--host-resolver-rules=MAP * 127.0.0.1:1, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--no-proxy-server",
    "--disable-domain-reliability",
    "--no-pings",
    "--dns-prefetch-disable",
    "--safebrowsing-disable-auto-update",
)
"""Beside those with which Playwright turns off what a browser does of its own accord."""


@dataclass(frozen=True)
class Browser:
    """One that runs."""

    chromium: playwright.Browser

    async def context(self, **options: Any) -> BrowserContext:
        """A person's browser: cookies of its own. options: as Playwright's `new_context` takes them.

        Certificates are not looked at: those in tests are from an authority that no browser knows.
        """
        context = await self.chromium.new_context(**{"ignore_https_errors": True} | options)
        context.set_default_timeout(PATIENCE)
        return context

    async def page(self, **options: Any) -> Page:
        """An empty page of a person who has not been here yet."""
        return await (await self.context(**options)).new_page()


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """Run one. Without Chromium, skip; in CI, fail."""
    takes_time("a browser")
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        unavailable("no Chromium here: install it (apt install chromium) to run this test")
    async with playwright.async_playwright() as driver:
        chromium = await driver.chromium.launch(
            executable_path=program, args=SETTINGS, chromium_sandbox=os.geteuid() != 0
        )
        try:
            yield Browser(chromium)
        finally:
            await chromium.close()
