"""The cookie by which a browser is known, and the tokens of its forms. RFC 6265bis, RFC 9700 section 4.7."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import Response
from tests.authserver.conftest import Clock, Start
from tests.authserver.person import authorize_url, world

from ostiary.authserver.http.page_door import PageRefused
from ostiary.authserver.interaction.browser import (
    Browser,
    any_browser,
    cookie_name,
    give_cookie,
    known_browser,
)

HTTPS = "https://auth.example.com/tenant"
SECRET = "s" * 43


def request(cookie: str = "") -> Request:
    return Request({"type": "http", "headers": [(b"cookie", cookie.encode())]})


def test_over_https_the_cookie_can_be_set_by_no_other_host() -> None:
    response = give_cookie(Response(), Browser(SECRET, is_new=True), HTTPS)
    assert response.headers["set-cookie"] == (
        f"__Host-ostiary={SECRET}; HttpOnly; Path=/; SameSite=lax; Secure"
    )


def test_on_loopback_the_cookie_says_its_port() -> None:
    response = give_cookie(Response(), Browser(SECRET, is_new=True), "http://127.0.0.1:9000")
    assert response.headers["set-cookie"] == f"ostiary-9000={SECRET}; HttpOnly; Path=/; SameSite=lax"


def test_a_browser_that_has_its_cookie_is_given_no_other() -> None:
    browser = any_browser(request(f"__Host-ostiary={SECRET}"), HTTPS)
    assert browser == Browser(SECRET, is_new=False)
    assert "set-cookie" not in give_cookie(Response(), browser, HTTPS).headers


@pytest.mark.parametrize("value", ["", "short", "s" * 44, "s" * 42 + "=", '"' + "s" * 43 + '"x'])
def test_a_cookie_that_we_never_gave_is_none(value: str) -> None:
    assert known_browser(request(f"__Host-ostiary={value}"), HTTPS) is None


@pytest.mark.parametrize("name", ["ostiary", "__Secure-ostiary", "ostiary-443", "ostiary-9000"])
def test_a_cookie_of_another_name_is_none(name: str) -> None:
    assert known_browser(request(f"{name}={SECRET}"), HTTPS) is None


def test_a_token_is_good_for_one_thing_in_one_browser() -> None:
    browser = Browser(SECRET, is_new=False)
    browser.check_csrf(browser.csrf("walk"), "walk")
    for token in (None, "", browser.csrf("other"), Browser("t" * 43, is_new=False).csrf("walk"), "ü"):
        with pytest.raises(PageRefused) as refused:
            browser.check_csrf(token, "walk")
        assert refused.value.status == 403


def test_neither_the_cookie_nor_what_the_store_knows_leads_to_the_other() -> None:
    browser = Browser(SECRET, is_new=True)
    assert SECRET not in repr(browser)
    assert len(browser.hash) == 64
    assert browser.csrf("walk") not in (SECRET, browser.hash)


async def test_one_browser_keeps_one_cookie_for_all_its_interactions(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        answers = [await person.ask("GET", authorize_url(here.server)) for _ in range(2)]
        given = [answer.headers.get("set-cookie") for answer in answers]
        name = cookie_name(here.server.issuer)
    assert given[0] is not None
    assert given[0].startswith(f"{name}=")
    assert given[1] is None
