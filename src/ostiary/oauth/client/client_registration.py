"""Make ourselves known to an authorization server that has never heard of us. RFC 7591.

Which client to be, in the order of MCP's authorization specification: one that was registered by hand, one
that describes itself at its own URL (a Client ID Metadata Document), one that is registered now.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Mapping

NONE = "none"
_METHODS = (NONE, "client_secret_basic", "client_secret_post")
"""How we can say who we are when a secret is all we have; a program on a person's machine keeps none well."""


_LONGEST_SAID = 300
_NOT_SHOWN = re.compile(r"[^\x20-\x7e]+")
_VISIBLE = re.compile(r"[\x20-\x7e]+")
"""RFC 6749 appendices A.1 and A.2."""


class RegistrationRefused(ValueError):
    """The authorization server does not take us, or not in a way that we can be."""


@dataclass(frozen=True, slots=True)
class RegisteredClient:
    """Who we are at one authorization server."""

    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    auth_method: str = NONE
    secret_expires_at: float | None = None
    """Seconds since the epoch; None for never."""


def takes_metadata_documents(metadata: Mapping[str, Any]) -> bool:
    """Whether a client's id may be the URL of its own description."""
    return metadata.get("client_id_metadata_document_supported") is True


def registration_request(
    redirect_uri: str, metadata: Mapping[str, Any], *, application_type: Literal["native", "web"] = "native"
) -> dict[str, Any]:
    """What to say of ourselves (section 2).

    application_type: a program on a person's machine, or a server (OpenID Connect Registration section 2);
    a server keeps a secret well, and asks for one where it is offered.
    """
    return {
        "client_name": "Ostiary",
        "application_type": application_type,
        "redirect_uris": [redirect_uri],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": _method_to_ask(metadata, application_type),
    }


def read_registration(status: int, body: bytes, *, asked: Mapping[str, Any]) -> RegisteredClient:
    """The client that the answer makes us (section 3.2). Raises RegistrationRefused.

    asked: our request; a server may register something else, and says so (section 3.2.1).
    """
    answer = _json_object(status, body)
    if not 200 <= status < 300:
        words = ": ".join(_shown(answer[name]) for name in ("error", "error_description") if answer.get(name))
        raise RegistrationRefused(words or f"it answered {status}")
    client_id, secret = answer.get("client_id"), answer.get("client_secret")
    if not _is_visible(client_id):
        raise RegistrationRefused("its answer has no proper client_id")
    silent = asked["token_endpoint_auth_method"] if secret else NONE
    method = answer.get("token_endpoint_auth_method") or silent
    if method not in _METHODS:
        raise RegistrationRefused(f"it wants us to authenticate by {_shown(method)!r}, which needs a key")
    if method != NONE and not _is_visible(secret):
        raise RegistrationRefused(f"it wants us to authenticate by {method}, and gave no client_secret")
    return RegisteredClient(
        client_id, secret if method != NONE else None, method, _expiry(answer.get("client_secret_expires_at"))
    )


def _method_to_ask(metadata: Mapping[str, Any], application_type: str) -> str:
    offered = metadata.get("token_endpoint_auth_methods_supported")
    if not isinstance(offered, list):
        return NONE
    for method in _METHODS if application_type == "native" else (*_METHODS[1:], NONE):
        if method in offered:
            return method
    raise RegistrationRefused(
        f"it authenticates clients only by {', '.join(map(str, offered))}, which needs a key"
    )


def _is_visible(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and _VISIBLE.fullmatch(value) is not None


def _shown(value: object) -> str:
    return _NOT_SHOWN.sub(" ", str(value)).strip()[:_LONGEST_SAID]


def _json_object(status: int, body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise RegistrationRefused(f"it answered {status} without a JSON object")
    return answer


def _expiry(value: object) -> float | None:
    """Zero means never (section 3.2.1)."""
    if isinstance(value, str) and value.strip().isdecimal():
        value = float(value)
    return float(value) if isinstance(value, int | float) and 0 < value < float("inf") else None
