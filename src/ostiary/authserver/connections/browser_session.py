"""Who is signed in at the page of connected accounts: for an hour, in one browser.

The session has a cookie of its own, made anew at each sign-in, so that nobody can hand out one beforehand
(session fixation). Forms carry a token made with the browser's cookie for one session and one action: the
token of another browser, of an earlier person, or of another form is worth nothing.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, insert, select
from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver.http.page_door import PageRefused, read_form
from ostiary.authserver.interaction.browser import Browser, cookie_name, known_browser
from ostiary.authserver.interaction.context import InteractionContext
from ostiary.authserver.pages import Form
from ostiary.authserver.sessions import users
from ostiary.authserver.upstream_account import Identity
from ostiary.oauth.server.endpoint_url import endpoint_path
from ostiary.oauth.server.parameters import Parameters
from ostiary.storage.expiry import Expiry
from ostiary.storage.schema import browser_sessions
from ostiary.storage.store import digest

LIFETIME = 3600
"""Seconds. Then the identity provider is asked again; who left the company does not stay here."""

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
EXPIRY = Expiry(browser_sessions.c.expires_at)

_row = browser_sessions.c


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """Somebody, in one browser."""

    user_id: str
    """Our subject."""
    idp: str
    """The entry at which they proved who they are."""
    name: str
    """What people read of them."""
    browser: Browser
    session_hash: str

    def form(self, context: InteractionContext, path: str, **hidden: str) -> Form:
        """A form of this person's that posts to a path below the issuer."""
        return Form(endpoint_path(context.issuer, path), self.browser.csrf(self._about(path)), hidden)

    def check(self, form: Parameters, path: str) -> None:
        """Raise PageRefused unless `form` gave it to this person for this path."""
        self.browser.check_csrf(form.get("csrf"), self._about(path))

    def _about(self, path: str) -> str:
        return f"{path} {self.session_hash}"


async def find_browser_session(
    http_request: Request, context: InteractionContext, *, now: float
) -> BrowserSession | None:
    """Who the browser says it is; None when nobody is, or no longer. Raises StorageError."""
    browser = known_browser(http_request, context.issuer)
    secret = http_request.cookies.get(session_cookie(context.issuer), "")
    if browser is None or not _SECRET.fullmatch(secret):
        return None
    key = digest(secret)

    def find(connection: Connection) -> BrowserSession | None:
        query = select(browser_sessions).where(_row.session_hash == key, _row.expires_at > now)
        found = connection.execute(query).first()
        if found is None:
            return None
        context.store.check_row(found.sealed, table=browser_sessions, row=found)
        profile = users.find_profile(connection, context.store, found.user_id)
        name = (profile and profile.display_name) or "somebody without a name"
        return BrowserSession(found.user_id, found.idp, name, browser, key)

    return await context.store.read(find)


async def read_own_form(
    http_request: Request, context: InteractionContext, path: str, *, now: float
) -> tuple[BrowserSession, Parameters]:
    """Who posted one of their own forms, and what it says. path: below the issuer.

    Raises InvalidRequest, PageRefused, StorageError.
    """
    form = await read_form(http_request)
    person = await find_browser_session(http_request, context, now=now)
    if person is None:
        raise PageRefused(
            "You are not signed in any more",
            "You signed out, or an hour has passed. Nothing was changed.",
            "Open the page of connected accounts and sign in again.",
            status=403,
        )
    person.check(form, path)
    return person, form


@dataclass(frozen=True, slots=True)
class NewBrowserSession:
    """A session that begins. Its cookie goes out when it is in the store."""

    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    def begin(
        self,
        connection: Connection,
        context: InteractionContext,
        identity: Identity,
        idp: str,
        before: str | None,
        now: float,
    ) -> str:
        """Whose it is: our subject. before: the session of this browser that it takes the place of."""
        user_id = users.find_or_create_user(connection, context.store, identity, now=now)
        if before is not None:
            end(connection, before)
        row = {
            "session_hash": digest(self.secret),
            "user_id": user_id,
            "idp": idp,
            "created_at": now,
            "expires_at": now + LIFETIME,
        }
        sealed = context.store.seal_row(browser_sessions, row)
        connection.execute(insert(browser_sessions).values(row | {"sealed": sealed}))
        return user_id

    def give_cookie(self, response: Response, issuer: str) -> Response:
        """The response, with the cookie of this session."""
        name = session_cookie(issuer)
        response.set_cookie(
            name,
            self.secret,
            max_age=LIFETIME,
            path="/",
            secure=name.startswith("__Host-"),
            httponly=True,
            samesite="lax",
        )
        return response


def end(connection: Connection, session_hash: str) -> None:
    """Sign out."""
    connection.execute(delete(browser_sessions).where(_row.session_hash == session_hash))


def take_cookie(response: Response, issuer: str) -> Response:
    """The response, after which the browser has that cookie no more."""
    name = session_cookie(issuer)
    response.delete_cookie(name, path="/", secure=name.startswith("__Host-"), httponly=True, samesite="lax")
    return response


def session_cookie(issuer: str) -> str:
    """Beside the browser's own: this one ends, that one stays with what is under way."""
    return f"{cookie_name(issuer)}-accounts"
