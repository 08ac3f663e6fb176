"""Somebody at a browser that runs no scripts: pages are their forms, whoever's they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx2
from tests.peers.identity_provider import PASSWORD

MOST_HOPS = 40


@dataclass
class Form:
    """Where it goes, what it brings along, and its buttons by their values."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Page:
    """Where the browser came to rest; beyond the last form when a client waits there."""

    url: str
    forms: list[Form] = field(default_factory=list)
    text: str = ""
    onward: str | None = None
    """Where it goes by itself."""

    @property
    def answer(self) -> dict[str, str]:
        """What the client is told there."""
        assert urlsplit(self.url).path == "/callback", (
            f"no client is told anything at {self.url}: {self.text}"
        )
        return dict(parse_qsl(urlsplit(self.url).query))

    def form(self, action: str) -> Form:
        """The form that goes there."""
        found = [one for one in self.forms if urlsplit(one.action).path == action]
        assert found, f"no form for {action} at {self.url}: {self.text}"
        return found[0]


@dataclass
class Somebody:
    """Signs in as `login` wherever they are asked who they are."""

    home: str
    """The authorization server's issuer: its pages are answered as the test says, others' by agreeing."""
    http: httpx2.AsyncClient = field(repr=False)
    saw: Callable[[str], None]
    """Told every address that the browser was at."""
    login: str = "alice"

    async def open(self, url: str) -> Page:
        """Go there, and on to the next page of the authorization server, or to the client."""
        return await self._arrive("GET", url, {})

    async def press(self, form: Form, **said: str) -> Page:
        """Send a form."""
        return await self._arrive("POST", form.action, form.fields | said)

    async def agree(self, page: Page, **choices: str) -> Page:
        """Press each page's first button, or another that is chosen by its name: `step="skip"`."""
        for _ in range(MOST_HOPS):
            decided = [(form, *form.buttons[0]) for form in page.forms if form.buttons and form.buttons[0][0]]
            if not decided:
                return page
            form, name, value = decided[0]
            if (name, choices.get(name)) in form.buttons:
                value = choices[name]
            page = await self.press(form, **{name: value})
        raise AssertionError(f"the pages do not end: {page.url}")

    async def _arrive(self, method: str, url: str, fields: dict[str, str]) -> Page:
        for _ in range(MOST_HOPS):
            self.saw(url)
            if urlsplit(url).path == "/callback":
                return Page(url)
            response = await self.http.request(method, url, data=fields or None)
            page = _read(url, response)
            if page.onward is not None:
                method, url, fields = "GET", page.onward, {}
            elif url.startswith(self.home):
                return page
            else:
                form = page.forms[0]
                method, url, fields = "POST", form.action, self._filled(form)
        raise AssertionError(f"the browser is sent in circles: {url}")

    def _filled(self, form: Form) -> dict[str, str]:
        """A provider's form: who one is, or a button to go on."""
        known = {"login": self.login, "username": self.login, "password": PASSWORD}
        return {name: known.get(name, value) for name, value in form.fields.items()}


def _read(url: str, response: httpx2.Response) -> Page:
    if response.is_redirect:
        return Page(url, onward=urljoin(url, response.headers["location"]))
    assert response.status_code == 200, f"{url} answered {response.status_code}: {response.text}"
    reader = _Reader(Page(url))
    reader.feed(response.text)
    return reader.page


class _Reader(HTMLParser):
    """Takes whatever HTML there is, as a browser does."""

    def __init__(self, page: Page) -> None:
        super().__init__(convert_charrefs=True)
        self.page = page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "meta" and said.get("http-equiv") == "refresh":
            self.page.onward = urljoin(self.page.url, said["content"].partition("url=")[2])
        elif tag == "form":
            self.page.forms.append(Form(urljoin(self.page.url, said.get("action", ""))))
        elif tag == "input" and "name" in said:
            self.page.forms[-1].fields[said["name"]] = said.get("value", "")
        elif tag == "button":
            self.page.forms[-1].buttons.append((said.get("name", ""), said.get("value", "")))

    def handle_data(self, data: str) -> None:
        self.page.text = f"{self.page.text} {data.strip()}".strip()
