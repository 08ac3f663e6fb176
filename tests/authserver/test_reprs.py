"""What holds something that opens something does not show it: not in a log, not in a trace."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.authserver.agreed import corp

from ostiary.authserver.device_codes import NewDevice
from ostiary.authserver.grants.refresh_token import _Renewed
from ostiary.authserver.http.form_request import FormRequest
from ostiary.authserver.idps.idp import LoginMemory
from ostiary.authserver.interaction.browser import Browser
from ostiary.authserver.sessions.refresh_tokens import Successor
from ostiary.authserver.sessions.session import SessionSecret
from ostiary.authserver.token_response import AccessTokenResponse
from ostiary.authserver.tokens.access_tokens import AccessTokenFor
from ostiary.authserver.tokens.session_tokens import SessionTokens
from ostiary.authserver.upstream_account import UpstreamTokens
from ostiary.oauth.server.client import Client, ClientKind
from ostiary.oauth.server.client_authentication import PresentedAssertion, PresentedSecret
from ostiary.oauth.server.parameters import read_parameters

OPENS = "what-opens-it"
ANYBODY: Any = None
CLIENT = Client("app", ClientKind.PREREGISTERED)


@pytest.mark.parametrize(
    "value",
    [
        AccessTokenFor("alice", CLIENT, "https://mcp.example.com/mcp", ("mcp",), tsid=OPENS),
        Browser(OPENS, is_new=True),
        FormRequest("https://a", "127.0.0.1", read_parameters(b"code=" + OPENS.encode()), OPENS, OPENS),
        AccessTokenResponse(OPENS, 900, refresh_token=OPENS, id_token=OPENS),
        LoginMemory("https://corp", "ostiary", "https://a/callback", code_verifier=OPENS, nonce=OPENS),
        NewDevice(OPENS, OPENS),
        PresentedAssertion("app", OPENS),
        PresentedSecret("app", OPENS, "client_secret_post"),
        SessionSecret(OPENS, ANYBODY, 0),
        SessionTokens(ANYBODY, CLIENT, ANYBODY, (), None, OPENS),
        Successor(OPENS),
        UpstreamTokens(OPENS, OPENS, OPENS),
        _Renewed(ANYBODY, ANYBODY, (), OPENS),
        corp(UpstreamTokens(OPENS, OPENS)),
        replace(CLIENT, secret_digest=OPENS.encode()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_nothing_that_opens_something_is_shown(value: Any) -> None:
    assert OPENS not in repr(value) + str(value) + f"{value}"
