"""What a client asks a person for. RFC 6749 section 4.1.1, OpenID Connect Core section 3.1.2.1.

The client and its redirect URI were settled before, so whatever is refused here is told by a redirect.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ostiary.oauth.errors import InvalidRequest
from ostiary.oauth.server.errors import RequestNotSupported, RequestUriNotSupported, UnsupportedResponseType
from ostiary.oauth.server.parameters import Parameters
from ostiary.oauth.server.pkce import read_challenge
from ostiary.oauth.server.scope import read_scope

PROMPTS = frozenset({"none", "login", "consent", "select_account"})
LONGEST_STATE = 4096
LONGEST_NONCE = 512
LONGEST_HINT = 320
"""The longest e-mail address."""

_VISIBLE = re.compile(r"[\x20-\x7e]+")
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8}){0,7}")
_MOST_LANGUAGES = 10


@dataclass(frozen=True, slots=True)
class RequestedAuthorization:
    """A request that makes sense; whether it is granted is decided later."""

    client_id: str
    redirect_uri: str | None
    """As sent; None when the client left it to its registration."""
    state: str | None
    scopes: tuple[str, ...]
    code_challenge: str
    """Of S256 (RFC 7636)."""
    resources: tuple[str, ...] = ()
    """As sent; `choose_resource` makes one of them."""
    nonce: str | None = None
    prompt: frozenset[str] = frozenset()
    max_age: int | None = None
    """Seconds since the person was last asked for a proof of themselves."""
    login_hint: str | None = field(default=None, repr=False)
    ui_locales: tuple[str, ...] = ()
    dpop_jkt: str | None = None
    """Thumbprint of the key that the code is bound to (RFC 9449 section 10)."""


def read_authorization(parameters: Parameters) -> RequestedAuthorization:
    """Read a request; one that was pushed is unfolded before (RFC 9126).

    Raises UnsupportedResponseType, RequestNotSupported, RequestUriNotSupported, InvalidScope, InvalidRequest.
    """
    _refuse_what_we_dont_do(parameters)
    return RequestedAuthorization(
        client_id=parameters.require("client_id"),
        redirect_uri=parameters.get("redirect_uri"),
        state=read_state(parameters),
        scopes=read_scope(parameters.get("scope")),
        code_challenge=read_challenge(
            parameters.get("code_challenge"), parameters.get("code_challenge_method")
        ),
        resources=parameters.all("resource"),
        nonce=_visible(parameters, "nonce", LONGEST_NONCE),
        prompt=_prompt(parameters),
        max_age=_max_age(parameters),
        login_hint=_login_hint(parameters),
        ui_locales=_ui_locales(parameters),
        dpop_jkt=_dpop_jkt(parameters),
    )


def read_state(parameters: Parameters) -> str | None:
    """The client's own memory, which every answer carries back. Raises InvalidRequest."""
    return _visible(parameters, "state", LONGEST_STATE)


def _refuse_what_we_dont_do(parameters: Parameters) -> None:
    if "request" in parameters:
        raise RequestNotSupported("request objects are not read here: send the parameters themselves")
    if "request_uri" in parameters:
        raise RequestUriNotSupported("request objects are not fetched: push the request to this server first")
    if parameters.require("response_type") != "code":
        raise UnsupportedResponseType("response_type is not code, the only one that is answered here")
    if parameters.get("response_mode") not in {None, "query"}:
        raise InvalidRequest("response_mode is not query, the only way that is answered here")


def _visible(parameters: Parameters, name: str, longest: int) -> str | None:
    value = parameters.get(name)
    if value is None:
        return None
    if len(value) > longest:
        raise InvalidRequest(f"{name} has more than {longest} characters")
    if _VISIBLE.fullmatch(value) is None:
        raise InvalidRequest(f"{name} has a character that is not printable ASCII")
    return value


def _prompt(parameters: Parameters) -> frozenset[str]:
    named = frozenset((parameters.get("prompt") or "").split())
    if not named <= PROMPTS:
        raise InvalidRequest(f"prompt has another value than {', '.join(sorted(PROMPTS))}")
    if "none" in named and len(named) > 1:
        raise InvalidRequest("prompt has none and another value: they exclude each other")
    return named


def _max_age(parameters: Parameters) -> int | None:
    value = parameters.get("max_age")
    if value is None:
        return None
    if re.fullmatch(r"[0-9]{1,10}", value) is None:
        raise InvalidRequest("max_age is not a number of seconds")
    return int(value)


def _login_hint(parameters: Parameters) -> str | None:
    value = parameters.get("login_hint")
    if value is not None and (len(value) > LONGEST_HINT or not value.isprintable()):
        raise InvalidRequest(
            f"login_hint has more than {LONGEST_HINT} characters, or one that cannot be shown"
        )
    return value


def _ui_locales(parameters: Parameters) -> tuple[str, ...]:
    """A wish that breaks nothing: what is no language is passed over (OpenID Connect Core 3.1.2.1)."""
    named = (parameters.get("ui_locales") or "").split()[:_MOST_LANGUAGES]
    return tuple(one for one in named if _LANGUAGE.fullmatch(one))


def _dpop_jkt(parameters: Parameters) -> str | None:
    value = parameters.get("dpop_jkt")
    if value is not None and _THUMBPRINT.fullmatch(value) is None:
        raise InvalidRequest("dpop_jkt is not a SHA-256 thumbprint in base64url: 43 characters, no padding")
    return value
