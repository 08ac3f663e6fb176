"""A browser without a screen or a script: keeps cookies, follows where it is sent, presses one button a page.

As a program it is what `BROWSER` names: `python browsing.py ACCOUNT URL` signs in as ACCOUNT, agrees to
everything, and leaves the answer where it belongs.
"""

from __future__ import annotations

import asyncio
import re
import sys
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import urljoin

import httpx2

MOST_STEPS = 30
REFRESH = re.compile(r'<meta http-equiv="refresh" content="0; url=([^"]+)"')
FORM = re.compile(r'<form[^>]* action="([^"]+)".*?</form>', re.DOTALL)
HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')
BUTTON = re.compile(r'<button[^>]* name="([^"]+)" value="([^"]*)"')
HEADING = re.compile(r"<h1[^>]*>(.*?)</h1>", re.DOTALL)


@dataclass
class Browser:
    """One person's. account: who they are at the development provider."""

    account: str
    http: httpx2.AsyncClient = field(repr=False)
    headings: list[str] = field(default_factory=list)
    """Of the pages that they saw."""

    async def follow(self, url: str) -> httpx2.Response:
        """Go there, and on until a page asks nothing more."""
        answer = await self.http.get(url)
        for _ in range(MOST_STEPS):
            if answer.is_redirect:
                answer = await self.http.get(urljoin(str(answer.url), answer.headers["location"]))
            elif refresh := REFRESH.search(answer.text):
                answer = await self.http.get(urljoin(str(answer.url), unescape(refresh[1])))
            elif form := FORM.search(answer.text):
                answer = await self._press(answer, form)
            else:
                return answer
        raise AssertionError(f"the pages do not end: {self.headings}")

    async def _press(self, page: httpx2.Response, form: re.Match[str]) -> httpx2.Response:
        heading = HEADING.search(page.text)
        self.headings.append(re.sub(r"<[^>]+>", "", heading[1]).strip() if heading else "")
        buttons = BUTTON.findall(form[0])
        name, value = next((one for one in buttons if one[1] == self.account), buttons[0])
        filled = {key: unescape(said) for key, said in HIDDEN.findall(form[0])} | {name: unescape(value)}
        return await self.http.post(urljoin(str(page.url), unescape(form[1])), data=filled)


async def browse(account: str, url: str) -> Browser:
    """Sign in as somebody, beginning at this address."""
    async with httpx2.AsyncClient(trust_env=False) as http:
        browser = Browser(account, http)
        (await browser.follow(url)).raise_for_status()
    return browser


if __name__ == "__main__":
    asyncio.run(browse(*sys.argv[1:]))
