"""What was just done, in a sentence above the page. It is named in the URL, under a mark of this browser's:
otherwise a link could tell somebody that a program has lost its access."""

from __future__ import annotations

import hmac
from enum import StrEnum
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver.connections.browser_session import BrowserSession
from ostiary.authserver.interaction.browser_redirect import see_other
from ostiary.authserver.interaction.context import InteractionContext
from ostiary.oauth.server.endpoint_url import endpoint_path


class Flash(StrEnum):
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
    Flash.CONNECTED: "The account is connected. You can go back to the program that you came from.",
    Flash.REPLACED: "The account was replaced. You can go back to the program that you came from.",
    Flash.KEPT: "Your account was kept. The other one was not connected.",
    Flash.REFUSED: "The account was not connected: the sign-in there was refused.",
    Flash.DISCONNECTED: "The account was disconnected.",
    Flash.ENDED: "The program has no access any more.",
    Flash.ALLOWED: "The program may use this account when you are away.",
    Flash.REVOKED: "The program may not use this account any more when you are away.",
}


def back_with_flash(person: BrowserSession, context: InteractionContext, flash: Flash) -> Response:
    """Back to the page, which tells it."""
    query = urlencode({"done": f"{flash}.{_mark(person, flash)}"})
    return see_other(f"{endpoint_path(context.issuer, '/connections')}?{query}")


def flash_sentence(http_request: Request, person: BrowserSession) -> str:
    """The sentence that the URL names; nothing for one that we did not write."""
    word, _, mark = http_request.query_params.get("done", "").partition(".")
    if word not in list(Flash):
        return ""
    flash = Flash(word)
    return _SENTENCES[flash] if hmac.compare_digest(mark.encode(), _mark(person, flash).encode()) else ""


def _mark(person: BrowserSession, flash: Flash) -> str:
    return person.browser.csrf(f"notice {flash}")
