"""Google ID tokens as a way in."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ostiary.identity.authenticator import Authenticator
from ostiary.identity.inbound_settings import GoogleIdTokenInbound
from ostiary.identity.key_sets import KeySets
from ostiary.oauth.errors import AccessDenied, InvalidToken

AUDIENCE = "https://mcp.example.com"
ACCOUNT = {
    "iss": "https://accounts.google.com",
    "aud": AUDIENCE,
    "email": "Ada@Example.com",
    "email_verified": True,
}


def authenticator(issuer: Any, key_sets: KeySets, *allow: dict[str, str]) -> Authenticator:
    settings = {"type": "google_id_token", "audience": AUDIENCE, "allow": allow, "jwks_url": issuer.jwks_url}
    inbound = GoogleIdTokenInbound.model_validate(settings)
    return Authenticator([inbound], audiences=("unused",), key_sets=key_sets, clock=issuer.clock)


@pytest.mark.parametrize("allow", [{"email": "ada@example.com"}, {"email": "*@EXAMPLE.com"}, {"sub": "ada"}])
@pytest.mark.parametrize("spelling", ["https://accounts.google.com", "accounts.google.com"])
async def test_an_account_on_the_list_is_let_in(
    issuer: Any, key_sets: KeySets, allow: dict[str, str], spelling: str
) -> None:
    token = issuer.token(**ACCOUNT | {"iss": spelling})
    principal = await authenticator(issuer, key_sets, allow).authenticate(token)
    assert (principal.issuer, principal.subject) == ("https://accounts.google.com", "ada")


@pytest.mark.parametrize(
    "allow",
    [{"email": "bob@example.com"}, {"email": "*@ample.com"}, {"email": "*@sub.example.com"}, {"sub": "bob"}],
)
async def test_an_account_that_is_not_on_the_list_is_a_403(
    issuer: Any, key_sets: KeySets, allow: dict[str, str]
) -> None:
    with pytest.raises(AccessDenied) as refused:
        await authenticator(issuer, key_sets, allow).authenticate(issuer.token(**ACCOUNT))
    assert (refused.value.status, refused.value.reason) == (403, "not_allowed")
    assert str(refused.value) == "this account may not call here"
    assert refused.value.detail == "subject 'ada' with e-mail address 'Ada@Example.com' is not on the list"


async def test_a_persons_id_token_with_all_its_marks_is_let_in(issuer: Any, key_sets: KeySets) -> None:
    marks = {"azp": AUDIENCE, "at_hash": "h", "nonce": "n", "header": {"typ": "JWT"}}
    guard = authenticator(issuer, key_sets, {"sub": "ada"})
    assert (await guard.authenticate(issuer.token(**ACCOUNT, **marks))).subject == "ada"


@pytest.mark.parametrize(
    "other", [{"header": {"typ": "secevent+jwt"}}, {"header": {"typ": "at+jwt"}}, {"events": {}}]
)
async def test_what_else_google_signs_is_no_id_token(
    issuer: Any, key_sets: KeySets, other: dict[str, Any]
) -> None:
    with pytest.raises(InvalidToken) as refused:
        await authenticator(issuer, key_sets, {"sub": "ada"}).authenticate(issuer.token(**ACCOUNT, **other))
    assert (refused.value.reason, str(refused.value)) == ("wrong_kind", "the token is not an ID token")


@pytest.mark.parametrize("verified", [None, False, "true"])
async def test_an_address_that_google_has_not_verified_does_not_count(
    issuer: Any, key_sets: KeySets, verified: object
) -> None:
    token = issuer.token(**ACCOUNT | {"email_verified": verified})
    with pytest.raises(AccessDenied) as refused:
        await authenticator(issuer, key_sets, {"email": "*@example.com"}).authenticate(token)
    assert refused.value.reason == "email_not_verified"
    assert (await authenticator(issuer, key_sets, {"sub": "ada"}).authenticate(token)).subject == "ada"


@pytest.mark.parametrize(
    "settings",
    [
        {"type": "google_id_token"},
        {"type": "google_id_token", "allow": []},
        {"type": "google_id_token", "allow": [{}]},
        {"type": "google_id_token", "allow": [{"email": "*"}]},
        {"type": "google_id_token", "allow": [{"email": "a@*.com"}]},
        {"type": "google_id_token", "allow": [{"email": "a@b.c", "sub": "1"}]},
        {"type": "google_id_token", "allow": [{"sub": "1"}], "jwks_url": "http://keys.example/"},
    ],
)
def test_an_entry_that_would_let_anybody_in_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GoogleIdTokenInbound.model_validate(settings)
