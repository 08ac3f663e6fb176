"""The demo's sign-in in a real browser: what a newcomer sees after `ostiary login`."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

from playwright.async_api import Page
from tests.peers.browser import browser

LOGIN = (sys.executable, "-m", "ostiary", "login", "--no-browser")


async def test_alice_signs_in_in_chromium(demo: Any, tmp_path: Path) -> None:
    environment = demo.environment | {"OSTIARY_STATE_DIR": str(tmp_path)}
    async with browser() as running:
        page = await running.page()
        blocked: list[str] = []
        page.on("console", lambda message: blocked.append(message.text))
        login = await asyncio.create_subprocess_exec(
            *LOGIN, demo.gateway, env=environment, stdout=PIPE, stderr=PIPE
        )
        async with asyncio.timeout(60):
            await page.goto(await address(login))
            await agree_as("Alice", page)
            told = (await login.communicate())[0].decode()
    assert told.splitlines()[0] == (
        f"Signed in at {demo.authserver} as alice@example.com, for {demo.gateway}."
    )
    assert blocked == []


async def agree_as(name: str, page: Page) -> None:
    """Press what a person presses: the consent, then somebody at the development provider."""
    await page.get_by_role("button", name="Allow").click()
    await page.get_by_text("Nobody asks for a password").wait_for()
    await page.get_by_role("button", name=name).click()
    await page.wait_for_url("http://127.0.0.1:*/callback?*")


async def address(login: Process) -> str:
    """The address that it prints to be opened."""
    assert login.stderr is not None
    await login.stderr.readline()
    return (await login.stderr.readline()).decode().strip()
