"""A person with a browser: cookies are kept, redirects are followed, forms are filled in. No script is run.

    async with world(start, clock) as here:
        person = await here.person()
        answer = await person.sign_in()              # {"code": ..., "state": ..., "iss": ...}
        tokens = await person.tokens()               # the whole of it, redeemed

Two providers of the test's own stand beside the server: `corp` says who somebody is, `hub` is one account
more. Whom they sign in, and what they answer, a test changes there (`here.corp.person`).
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import httpx2
from tests.authserver.agreed import APP, CALLBACK, VERIFIER, WEB, redemption
from tests.authserver.conftest import RESOURCE, Clock, Server, Start
from tests.authserver.idps.little_idp import CLIENT_ID, CLIENT_SECRET, LittleIdp, little_idp
from tests.authserver.pages.reading import Element, read
from tests.loopback import TRUSTING_NOBODY

from ostiary.oauth.client.pkce import s256

HUB_PERSON = {"sub": "4711", "name": "Alice at the hub", "preferred_username": "alice-hub"}
MOST_HOPS = 20


@dataclass
class Seen:
    """Where a browser ended up: at a page of the server, or at the client's redirect URI."""

    url: str
    response: httpx2.Response | None = field(default=None, repr=False)
    """The page; None at the client's."""

    @property
    def answer(self) -> dict[str, str]:
        """What the client was told."""
        assert self.response is None, f"the client was told nothing; the page says: {self.text}"
        return dict(parse_qsl(urlsplit(self.url).query, keep_blank_values=True))

    @property
    def status(self) -> int:
        """Of the page."""
        assert self.response is not None, f"there is no page: the client was told {self.url}"
        return self.response.status_code

    @property
    def html(self) -> Element:
        """The page."""
        assert self.response is not None, f"there is no page: the client was told {self.url}"
        return read(self.response.content)

    @property
    def heading(self) -> str:
        """Its headline."""
        return next(self.html.all("h1")).text

    @property
    def text(self) -> str:
        """All that is read aloud of it."""
        return next(self.html.all("main")).text

    @property
    def action(self) -> str:
        """Where its form posts to."""
        return urljoin(self.url, next(self.html.all("form")).attributes["action"])

    @property
    def hidden(self) -> dict[str, str]:
        """What its form brings along unseen."""
        form = next(self.html.all("form"))
        inputs = (element.attributes for element in form.all("input"))
        return {said["name"]: said["value"] for said in inputs if said.get("type") == "hidden"}

    @property
    def buttons(self) -> list[str]:
        """The decisions that it offers: `allow`, `connect`."""
        return [element.attributes["value"] for element in self.html.all("button")]


@dataclass
class Person:
    """One browser, and whoever sits at it."""

    server: Server
    providers: list[LittleIdp]
    http: httpx2.AsyncClient = field(repr=False)
    provider_says: dict[str, str] = field(default_factory=dict)
    """What the providers' answers say else: `{"error": "access_denied", "code": ""}`."""
    passed: list[str] = field(default_factory=list)
    """Every URL that the browser was at."""
    responses: list[httpx2.Response] = field(default_factory=list, repr=False)
    """Everything that the server answered."""

    async def open(self, url: str) -> Seen:
        """Go there, and on to wherever it leads."""
        return await self._follow("GET", url, None)

    async def press(self, page: Seen, **decision: str) -> Seen:
        """Send the page's form with this decision: `press(page, decision="allow")`."""
        return await self._follow("POST", page.action, page.hidden | decision)

    async def leave(self, page: Seen, **decision: str) -> str:
        """The same, and where the browser is sent; nothing is followed."""
        return where_to(await self.ask("POST", page.action, page.hidden | decision)) or ""

    async def ask(self, method: str, url: str, form: dict[str, str] | None = None) -> httpx2.Response:
        """One request."""
        self.passed.append(url)
        response = await self.http.request(method, url, data=form)
        self.responses.append(response)
        return response

    async def authorize(self, **changes: str | None) -> Seen:
        """Open the client's link. changes: to its parameters; None leaves one out."""
        return await self.open(authorize_url(self.server, **changes))

    async def go_through(self, seen: Seen, **choices: str) -> Seen:
        """Agree to everything until the client is answered. choices: `step="skip"`, `decision="keep"`."""
        for _ in range(MOST_HOPS):
            if seen.response is None or not seen.buttons:
                return seen
            button = next(seen.html.all("button")).attributes
            name, value = button["name"], button["value"]
            if choices.get(name) in seen.buttons:
                value = choices[name]
            seen = await self.press(seen, **{name: value})
        raise AssertionError(f"the walk does not end: {self.passed}")

    async def sign_in(self, **changes: str | None) -> dict[str, str]:
        """What the client is told in the end."""
        return (await self.go_through(await self.authorize(**changes))).answer

    async def tokens(self, **changes: str | None) -> dict[str, Any]:
        """Sign in, and redeem the code."""
        answer = await self.sign_in(**changes)
        assert "code" in answer, answer
        given = {name: changes[name] for name in ("client_id", "redirect_uri") if name in changes}
        answered = await self.server.token(redemption(answer["code"], **given))
        assert answered.status_code == 200, answered.text
        body: dict[str, Any] = answered.json()
        return body

    async def _follow(self, method: str, url: str, form: dict[str, str] | None) -> Seen:
        for _ in range(MOST_HOPS):
            if provider := next((one for one in self.providers if url.startswith(one.url)), None):
                self.passed.append(url)
                back = provider.approve(url, **self.provider_says).decode()
                method, url, form = (
                    "GET",
                    f"{dict(parse_qsl(urlsplit(url).query))['redirect_uri']}?{back}",
                    None,
                )
                continue
            if not url.startswith(self.server.issuer):
                self.passed.append(url)
                return Seen(url)
            response = await self.ask(method, url, form)
            onward = where_to(response)
            if onward is None:
                return Seen(url, response)
            method, url, form = "GET", urljoin(url, onward), None
        raise AssertionError(f"the browser is sent in circles: {self.passed}")


def where_to(response: httpx2.Response) -> str | None:
    """Where a redirect leads, or a page that goes on by itself; None for one that waits."""
    if response.is_redirect:
        return response.headers["location"]
    if not response.headers.get("content-type", "").startswith("text/html"):
        return None
    for meta in read(response.content).all("meta"):
        if meta.attributes.get("http-equiv") == "refresh":
            return meta.attributes["content"].partition("url=")[2]
    return None


def authorize_url(server: Server, **changes: str | None) -> str:
    """The link of `app`. changes: to its parameters; None leaves one out."""
    said: dict[str, str | None] = {
        "response_type": "code",
        "client_id": APP["client_id"],
        "redirect_uri": CALLBACK,
        "state": "the-client-s-state",
        "code_challenge": s256(VERIFIER),
        "code_challenge_method": "S256",
        "scope": "mcp",
        "resource": RESOURCE,
    }
    return f"{server.issuer}/oauth/authorize?" + urlencode(
        {name: value for name, value in (said | changes).items() if value is not None}
    )


@dataclass
class World:
    """A server, two providers, and people."""

    server: Server
    corp: LittleIdp
    hub: LittleIdp
    stack: contextlib.AsyncExitStack = field(repr=False)

    async def person(self) -> Person:
        """Somebody with a browser of their own."""
        browser = httpx2.AsyncClient(trust_env=False, verify=TRUSTING_NOBODY, follow_redirects=False)
        return Person(self.server, [self.corp, self.hub], await self.stack.enter_async_context(browser))

    async def stranger(self, **metadata: Any) -> str:
        """The id of a client that has just registered itself."""
        said = {"client_name": "Stranger", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}
        registered = await self.server.http.post(f"{self.server.issuer}/oauth/register", json=said | metadata)
        assert registered.status_code == 201, registered.text
        client_id: str = registered.json()["client_id"]
        return client_id


@contextlib.asynccontextmanager
async def world(start: Start, clock: Clock, **more: Any) -> AsyncIterator[World]:
    """All of it. more: parts of the configuration; `hub="optional"` says what the second provider is for, and
    `depot="optional"` gives it another entry."""
    uses = {name: more.pop(name) for name in ("hub", "depot") if name in more}
    where = {name: more.pop(name) for name in ("port", "storage") if name in more}
    async with contextlib.AsyncExitStack() as stack:
        corp = await stack.enter_async_context(little_idp(clock))
        hub = await stack.enter_async_context(little_idp(clock))
        hub.person = dict(HUB_PERSON)
        settings = world_settings(corp, hub, **uses) | more
        server = await stack.enter_async_context(start(settings, **where))
        yield World(server, corp, hub, stack)


def world_settings(corp: LittleIdp, hub_idp: LittleIdp, **uses: str) -> dict[str, Any]:
    """A configuration with both providers. uses: what the entries `hub` and `depot` are for."""
    ours = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    there = {"issuer": hub_idp.url, "scopes": ["openid", "repo"]} | ours
    idps = ["corp", *({"name": name, "use": use} for name, use in uses.items())]
    return {
        "upstream_idps": [
            {"name": "corp", "label": "Corp", "issuer": corp.url, **ours},
            *({"name": name, "label": name.capitalize(), **there} for name in ("hub", "depot")),
        ],
        "resources": [
            {
                "resource": RESOURCE,
                "owner": "default/gateway",
                "scopes": ["mcp", "admin"],
                "default_scopes": ["mcp", "admin"],
                "idps": idps,
            }
        ],
        "clients": [APP, WEB],
        "registration": {"dynamic": True},
    }
