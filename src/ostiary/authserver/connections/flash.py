"""What was just done, in a sentence above the page. It is named in the URL, under a mark of this browser's:
otherwise a link could tell somebody that a program has lost its access."""

from __future__ import annotations

import hmac
from enum import StrEnum
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver.connections.browser_session import SignedIn
from ostiary.authserver.interaction.redirect import see_other
from ostiary.authserver.services import Parts
from ostiary.oauth.server.endpoint_url import endpoint_path


class Notice(StrEnum):
    """One word each."""

    CONNECTED = "connected"
    REPLACED = "replaced"
    KEPT = "kept"
    REFUSED = "refused"
    DISCONNECTED = "disconnected"
    ENDED = "ended"
    ALLOWED = "allowed"
    REVOKED = "revoked"


_SENTENCES = {
    Notice.CONNECTED: "The account is connected. You can go back to the program that you came from.",
    Notice.REPLACED: "The account was replaced. You can go back to the program that you came from.",
    Notice.KEPT: "Your account was kept. The other one was not connected.",
    Notice.REFUSED: "The account was not connected: the sign-in there was refused.",
    Notice.DISCONNECTED: "The account was disconnected.",
    Notice.ENDED: "The program has no access any more.",
    Notice.ALLOWED: "The program may use this account when you are away.",
    Notice.REVOKED: "The program may not use this account any more when you are away.",
}


def back_with(person: SignedIn, parts: Parts, notice: Notice) -> Response:
    """Back to the page, which tells it."""
    query = urlencode({"done": f"{notice}.{_mark(person, notice)}"})
    return see_other(f"{endpoint_path(parts.issuer, '/connections')}?{query}")


def told(request: Request, person: SignedIn) -> str:
    """The sentence that the URL names; nothing for one that we did not write."""
    word, _, mark = request.query_params.get("done", "").partition(".")
    if word not in list(Notice):
        return ""
    notice = Notice(word)
    return _SENTENCES[notice] if hmac.compare_digest(mark.encode(), _mark(person, notice).encode()) else ""


def _mark(person: SignedIn, notice: Notice) -> str:
    return person.browser.csrf(f"notice {notice}")
