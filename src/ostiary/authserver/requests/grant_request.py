"""A token request whose client is known."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from ostiary.authserver.http.form_request import FormRequest
from ostiary.authserver.token_response import AccessTokenResponse
from ostiary.oauth.server.client import Client
from ostiary.oauth.server.parameters import Parameters


class GrantRequest(msgspec.Struct, frozen=True):
    """What a grant decides on."""

    parameters: Parameters
    client: Client
    confirmation: Mapping[str, Any] | None
    """What the tokens are bound to: `{"jkt": ...}` or `{"x5t#S256": ...}` (RFC 7800); None for none."""
    form: FormRequest
    now: float


Grant = Callable[[GrantRequest], Awaitable[AccessTokenResponse]]
"""Raises OAuthError or StorageError. It runs inline."""
