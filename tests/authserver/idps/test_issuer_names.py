"""Issuers that go by more than one name: Google's two, and Entra ID's one for each tenant."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter
from tests.authserver.conftest import Clock
from tests.authserver.idps.conftest import INLINE, signed_in
from tests.authserver.idps.little_idp import CLIENT_ID, LittleIdp
from tests.authserver.idps.naming_service import NamingService

from ostiary.authserver.config.idps import IdpSettings
from ostiary.authserver.idps.idp import GrantDead, IdpAnswerRefused
from ostiary.authserver.idps.oidc import OidcProvider
from ostiary.authserver.idps.tools import Tools
from ostiary.identity.key_sets import KeySets

ENTRY: TypeAdapter[Any] = TypeAdapter(IdpSettings)
TENANT = "9122040d-6c67-4c5b-b112-36a304b66dad"
ANY_TENANT = "https://login.microsoftonline.com/{tenantid}/v2.0"
OURS = f"https://login.microsoftonline.com/{TENANT}/v2.0"


def known_as(host: str, idp: LittleIdp, clock: Clock, **settings: Any) -> OidcProvider:
    fetcher = NamingService(idp, host)
    values = ENTRY.validate_python({"name": "corp", "client_id": CLIENT_ID} | settings, context=INLINE)
    return OidcProvider(values, Tools(fetcher, KeySets(fetcher, clock), clock))


@pytest.mark.parametrize("written", ["https://accounts.google.com", "accounts.google.com"])
async def test_google_s_two_names_are_one_issuer(written: str, idp: LittleIdp, clock: Clock) -> None:
    at = known_as("accounts.google.com", idp, clock, preset="google")
    idp.claims = {"iss": written}
    connected = await signed_in(at, idp, clock)
    assert connected.issuer == "https://accounts.google.com"
    assert connected.identity is not None
    assert connected.identity.issuer == "https://accounts.google.com"
    idp.claims = {"iss": "https://accounts.google.com.evil.example.com"}
    with pytest.raises(IdpAnswerRefused):
        await signed_in(at, idp, clock)


def entra(idp: LittleIdp, clock: Clock) -> OidcProvider:
    """Any tenant, as Entra ID describes it at its common address."""
    at = known_as("login.microsoftonline.com", idp, clock, preset="entra", issuer=ANY_TENANT)
    idp.metadata = {"issuer": ANY_TENANT, "authorization_response_iss_parameter_supported": None}
    idp.person = {"sub": "pairwise", "oid": "the-person", "tid": TENANT}
    idp.claims = {"iss": OURS}
    return at


async def test_any_tenant_may_sign_in_and_is_an_issuer_of_its_own(idp: LittleIdp, clock: Clock) -> None:
    at = entra(idp, clock)
    connected = await signed_in(at, idp, clock, iss="")
    assert idp.paths[0] == "/common/v2.0/.well-known/openid-configuration"
    assert (connected.issuer, connected.account) == (OURS, "the-person")
    assert connected.identity is not None
    assert connected.identity.issuer == OURS
    renewed = await at.renew(connected.tokens, issuer=OURS, client_id=CLIENT_ID, now=clock())
    assert renewed.access_token == "access-3"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": ANY_TENANT},
        {"iss": OURS, "tid": "11111111-2222-3333-4444-555555555555"},
        {"iss": OURS, "tid": None},
        {"iss": "https://login.microsoftonline.com/a/../evil/v2.0", "tid": "a/../evil"},
        {"iss": f"https://login.evil.example.com/{TENANT}/v2.0"},
    ],
)
async def test_a_tenant_that_is_not_the_token_s_own(
    claims: dict[str, Any], idp: LittleIdp, clock: Clock
) -> None:
    at = entra(idp, clock)
    idp.claims = claims
    with pytest.raises(IdpAnswerRefused, match="the ID token is from another issuer"):
        await signed_in(at, idp, clock, iss="")


async def test_an_answer_of_one_tenant_and_an_id_token_of_another(idp: LittleIdp, clock: Clock) -> None:
    at = entra(idp, clock)
    await signed_in(at, idp, clock, iss=OURS)
    with pytest.raises(IdpAnswerRefused) as refused:
        await signed_in(at, idp, clock, iss="https://login.microsoftonline.com/another/v2.0")
    assert str(refused.value) == ("identity provider corp: the answer and its ID token are from two issuers")


async def test_a_refresh_token_of_another_issuer_is_not_shown_to_a_template(
    idp: LittleIdp, clock: Clock
) -> None:
    at = entra(idp, clock)
    tokens = (await signed_in(at, idp, clock, iss="")).tokens
    for other in (
        "https://evil.example.com",
        "https://login.microsoftonline.com/a/b/v2.0",
        "https://login.microsoftonline.com//v2.0",
    ):
        with pytest.raises(GrantDead):
            await at.renew(tokens, issuer=other, client_id=CLIENT_ID, now=clock())
    assert idp.renewed == []
