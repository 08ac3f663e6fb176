"""The pages in a real browser: nothing is blocked, all can be read, and forms lead where they may."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from tests.authserver.pages.specimens import specimens
from tests.peers.browser import Browser, browser

from ostiary.authserver.pages import Onward, asset_routes, page_response
from ostiary.settings import Listen
from ostiary.transport.serving import address_of, bind, serving

TOO_FAINT = """() => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const linear = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = element => { for (; element; element = element.parentElement) {
    const colour = rgb(getComputedStyle(element).backgroundColor);
    if (colour[3] !== 0) return colour;
  } return [255, 255, 255]; };
  const faint = [];
  for (const element of document.querySelectorAll("main *, header *, .banner *")) {
    if (![...element.childNodes].some(node => node.nodeType === 3 && node.data.trim())) continue;
    const [a, b] = [light(rgb(getComputedStyle(element).color)), light(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faint.push(`${element.textContent.trim()}: ${ratio.toFixed(2)}`);
  }
  return faint;
}"""
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
TOO_SMALL = """() => [...document.querySelectorAll("button, input:not([type=hidden]), select, summary, a")]
  .filter(element => element.checkVisibility() && element.getBoundingClientRect().height < 24)
  .map(element => element.textContent)"""
LONG = "W" * 200


@dataclass
class Site:
    """A site of ours, with every specimen under its name; and one more site, where people are sent."""

    origin: str = ""
    elsewhere: str = ""
    form_action: Collection[str] = ()
    hostile: bool = False
    posted: list[dict[str, str]] = field(default_factory=list)
    onward: bool = False

    def app(self) -> Starlette:
        """Ours."""
        return Starlette(
            routes=[
                *asset_routes(),
                Route("/oauth/consent", self.decide, methods=["POST"]),
                Route("/{name}", self.show),
            ]
        )

    def other(self) -> Starlette:
        """The other: it redirects once more, as identity providers do."""

        async def again(_: Request) -> Response:
            return RedirectResponse(self.elsewhere.replace("127.0.0.1", "localhost") + "/there")

        async def there(_: Request) -> Response:
            return PlainTextResponse("arrived")

        return Starlette(routes=[Route("/again", again), Route("/there", there)])

    async def show(self, request: Request) -> Response:
        pages = specimens((lambda calm: calm + LONG) if self.hostile else str)
        return page_response(pages[request.path_params["name"]], status=200, form_action=self.form_action)

    async def decide(self, request: Request) -> Response:
        self.posted.append(dict(parse_qsl((await request.body()).decode())))
        url = self.elsewhere + "/again"
        return page_response(Onward(url, "Elsewhere")) if self.onward else RedirectResponse(url, 303)


@asynccontextmanager
async def on_loopback(app: Starlette) -> AsyncIterator[str]:
    sock = bind(Listen("127.0.0.1", 0))
    async with serving(app, sock):
        yield f"http://127.0.0.1:{address_of(sock).port}"


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    async with on_loopback(site.app()) as site.origin, on_loopback(site.other()) as site.elsewhere:
        yield site


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    async with browser() as running:
        yield running


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_page_can_be_read_at_320_pixels_and_its_policy_blocks_nothing_of_it(
    site: Site, chromium: Browser, scheme: str
) -> None:
    page = await chromium.page(color_scheme=scheme, viewport={"width": 320, "height": 640})
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    for name in specimens():
        if name.startswith("onward"):
            continue  # it goes on
        await page.goto(f"{site.origin}/{name}")
        assert said == [], name
        assert await page.evaluate(TOO_FAINT) == [], name
        assert await page.evaluate(TOO_SMALL) == [], name
        assert await page.evaluate(OVERFLOW) == 0, name


async def test_long_words_do_not_push_the_buttons_off_the_screen(site: Site, chromium: Browser) -> None:
    site.hostile = True
    page = await chromium.page(viewport={"width": 320, "height": 640})
    for name in specimens():
        if not name.startswith("onward"):
            await page.goto(f"{site.origin}/{name}")
            assert await page.evaluate(OVERFLOW) == 0, name


async def test_a_decision_needs_no_mouse(site: Site, chromium: Browser) -> None:
    site.onward = True
    page = await chromium.page(java_script_enabled=False)
    await page.goto(f"{site.origin}/consent-document")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/there")
    assert site.posted == [
        {"csrf": "csrf-token", "transaction": "f3a9", "other": "value", "decision": "deny"}
    ]


async def test_a_form_may_not_lead_to_a_site_that_was_not_named(site: Site, chromium: Browser) -> None:
    page = await chromium.page()
    await page.goto(f"{site.origin}/consent-document")
    async with page.expect_console_message(lambda message: "form-action" in message.text):
        await page.get_by_role("button", name="Allow").click()
    assert page.url == f"{site.origin}/consent-document"


async def test_a_form_may_lead_through_all_sites_that_were_named(site: Site, chromium: Browser) -> None:
    site.form_action = [site.elsewhere, site.elsewhere.replace("127.0.0.1", "localhost")]
    page = await chromium.page()
    await page.goto(f"{site.origin}/consent-document")
    await page.get_by_role("button", name="Allow").click()
    await page.wait_for_url("**/there")


async def test_a_step_onward_leads_to_sites_that_nobody_could_name(site: Site, chromium: Browser) -> None:
    site.onward = True
    page = await chromium.page()
    await page.goto(f"{site.origin}/consent-document")
    await page.get_by_role("button", name="Allow").click()
    await page.wait_for_url("**/there")
    assert await page.evaluate("document.referrer") == ""


async def test_another_site_cannot_frame_a_page(site: Site, chromium: Browser) -> None:
    page = await chromium.page()
    await page.goto(f"{site.elsewhere}/there")
    await page.set_content(f'<iframe src="{site.origin}/consent-document"></iframe>')
    await page.wait_for_load_state("networkidle")
    assert [frame.url for frame in page.frames[1:]] == ["chrome-error://chromewebdata/"]
