"""A name for whoever signed in."""

from __future__ import annotations

import base64
import json

from ostiary.oauth.inspection.person import person_of


def jwt(**claims: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{payload}.sig"


def test_the_best_known_name_is_shown() -> None:
    assert person_of(jwt(sub="42", email="ada@example.com"), None) == "ada@example.com"
    assert person_of(None, jwt(sub="42")) == "42"


def test_an_opaque_token_names_nobody() -> None:
    assert person_of(None, "opaque") is None
