"""The `inbound:` list of the configuration."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from ostiary.identity.inbound_settings import GoogleIdTokenInbound, InboundSettings, OidcInbound

ENTRY: TypeAdapter[Any] = TypeAdapter(InboundSettings)


def test_an_entry_without_a_type_is_an_oidc_issuer_kept_letter_for_letter() -> None:
    entry = ENTRY.validate_python({"issuer": "https://Auth.example/"})
    assert isinstance(entry, OidcInbound)
    assert entry.issuer == "https://Auth.example/"


def test_a_google_entry_is_told_by_its_type() -> None:
    entry = ENTRY.validate_python({"type": "google_id_token", "allow": [{"email": "*@example.com"}]})
    assert isinstance(entry, GoogleIdTokenInbound)
    assert str(entry.jwks_url) == "https://www.googleapis.com/oauth2/v3/certs"


def test_an_entry_made_in_python_is_taken_as_it_is() -> None:
    entry = OidcInbound(issuer="https://auth.example")
    assert ENTRY.validate_python(entry) is entry


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({"issuer": "https://auth.example", "audiense": "x"}, "Extra inputs are not permitted"),
        ({"type": "saml", "issuer": "https://auth.example"}, "'saml' found using _kind() does not match"),
        ({"issuer": "auth.example"}, "it is not an absolute http or https URL"),
        ({"issuer": "http://auth.example"}, "http://auth.example is plain http to another machine"),
        ({"issuer": "https://a.example", "required_scopes": ["a b"]}, "String should match pattern"),
    ],
)
def test_a_faulty_entry_says_what_is_wrong(entry: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError) as refused:
        ENTRY.validate_python(entry)
    assert why in str(refused.value)


def test_plain_http_to_another_machine_needs_leave() -> None:
    entry = ENTRY.validate_python({"issuer": "http://auth.example", "insecure_allow_http": True})
    assert entry.insecure_allow_http
