"""The claims that an entry takes: from the ID token, from userinfo, from an access token that is a JWT."""

from __future__ import annotations

import json
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey
from tests.authserver.conftest import Clock
from tests.authserver.idps.conftest import Provider, signed_in
from tests.authserver.idps.little_idp import LittleIdp

from ostiary.authserver.idps.idp import IdpAnswerRefused
from ostiary.authserver.upstream_account import Identity


async def identity(provider: Provider, idp: LittleIdp, clock: Clock, **settings: Any) -> Identity:
    found = (await signed_in(provider(**settings), idp, clock)).identity
    assert found is not None
    return found


async def test_claims_are_taken_by_the_names_that_policies_know(
    provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    idp.claims = {
        "realm_access": {"roles": ["keepers"]},
        "https://corp.example.com/cost.center": 9007199254740993,
        "groups": ["a", "b"],
        "admin": False,
        "manager": None,
    }
    claims = {
        "roles": {"claim": "realm_access.roles"},
        "first_role": {"claim": "realm_access.roles.0"},
        "cost_center": {"claim": "https://corp.example.com/cost.center"},
        "groups": {"from": "id_token", "claim": "groups"},
        "admin": {"claim": "admin"},
        "absent": {"claim": "nowhere.to.be.found"},
        "manager": {"claim": "manager"},
    }
    found = await identity(provider, idp, clock, claims=claims)
    assert found.claims == {
        "roles": ["keepers"],
        "first_role": "keepers",
        "cost_center": 9007199254740993,
        "groups": ["a", "b"],
        "admin": False,
    }
    assert "userinfo" not in " ".join(idp.paths)


async def test_userinfo_is_asked_when_a_claim_is_there(
    provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    idp.userinfo = json.dumps(idp.person | {"groups": ["keepers"], "n": 9007199254740993}).encode()
    claims = {
        "groups": {"from": "userinfo", "claim": "groups"},
        "n": {"from": "userinfo", "claim": "n"},
    }
    assert (await identity(provider, idp, clock, claims=claims)).claims == {
        "groups": ["keepers"],
        "n": 9007199254740993,
    }


async def test_what_is_null_in_the_id_token_is_taken_of_userinfo(
    provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    idp.userinfo = json.dumps(idp.person).encode()
    idp.claims = {"name": None, "email": None, "email_verified": None}
    found = await identity(provider, idp, clock, userinfo=True)
    assert (found.name, found.email, found.email_verified) == ("Alice Adler", "alice@example.com", True)


async def test_a_verified_address_is_verified_where_it_stands(
    provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    idp.userinfo = json.dumps(idp.person).encode()
    idp.claims = {"email": "someone-else@example.com", "email_verified": None}
    found = await identity(provider, idp, clock, userinfo=True)
    assert (found.email, found.email_verified) == ("someone-else@example.com", False)


async def test_without_an_endpoint_userinfo_cannot_be_asked(
    provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    idp.metadata = {"userinfo_endpoint": None}
    with pytest.raises(IdpAnswerRefused) as refused:
        await identity(provider, idp, clock, userinfo=True)
    assert str(refused.value) == "identity provider corp: the issuer's metadata has no userinfo_endpoint"


def access_token(idp: LittleIdp, clock: Clock, by: ECKey | None = None, **claims: Any) -> str:
    said = {"iss": idp.url, "aud": "https://graph.example.com", "sub": "x", "exp": int(clock()) + 60}
    header = {"alg": "ES256", "kid": "one", "typ": "at+jwt"}
    return jws.serialize_compact(header, json.dumps(said | claims), by or idp.key)


ROLES = {"roles": {"from": "access_token", "claim": "roles"}}


async def test_an_access_token_is_read_when_it_is_the_issuer_s_jwt(
    provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    idp.answer = {"access_token": access_token(idp, clock, roles=["keepers"])}
    assert (await identity(provider, idp, clock, claims=ROLES)).claims == {"roles": ["keepers"]}


async def test_an_access_token_that_proves_nothing_says_nothing(
    provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    admin = ["admin"]
    for token in (
        "opaque",
        access_token(idp, clock, by=ECKey.generate_key("P-256"), roles=admin),
        access_token(idp, clock, iss="https://evil.example.com", roles=admin),
        access_token(idp, clock, exp=int(clock()) - 31, roles=admin),
    ):
        idp.answer = {"access_token": token}
        assert (await identity(provider, idp, clock, claims=ROLES)).claims == {}


async def test_the_subject_may_be_another_claim(provider: Provider, idp: LittleIdp, clock: Clock) -> None:
    idp.claims = {"employee": {"number": 9007199254740993}}
    found = await identity(provider, idp, clock, subject_claim="employee.number")
    assert found.subject == "9007199254740993"
    idp.claims = {}
    with pytest.raises(IdpAnswerRefused) as refused:
        await identity(provider, idp, clock, subject_claim="employee.number")
    assert str(refused.value) == (
        "identity provider corp: there is no subject at employee.number; say where this provider has it"
    )
