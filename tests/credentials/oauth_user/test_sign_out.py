"""Signing out, RFC 7009."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.credentials.persons_issuer import Person, PersonsIssuer, persons_issuer

from ostiary.credentials import OAuthUser
from ostiary.credentials.oauth_user.sign_in import PersonSignIn, SignInNeed, first_challenge
from ostiary.credentials.oauth_user.sign_out import SignedOut, sign_out
from ostiary.credentials.runtime import Runtime
from ostiary.credentials.vault.file_vault import FileVault
from ostiary.oauth.canonical_url import canonical_url


@pytest.fixture
async def issuer() -> AsyncIterator[PersonsIssuer]:
    async with persons_issuer() as issuer:
        yield issuer


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[Runtime]:
    async with Runtime(vault=FileVault(tmp_path)) as runtime:
        yield runtime


async def sign_in(issuer: PersonsIssuer, runtime: Runtime) -> None:
    url, user = canonical_url(issuer.server), OAuthUser()
    wanted = SignInNeed(await first_challenge(user, url, runtime))
    await PersonSignIn(user, url, runtime, Person(), wanted).grant()


async def out(issuer: PersonsIssuer, runtime: Runtime) -> SignedOut | None:
    return await sign_out(OAuthUser(), canonical_url(issuer.server), runtime=runtime)


async def test_the_refresh_token_is_revoked_and_forgotten(issuer: PersonsIssuer, runtime: Runtime) -> None:
    await sign_in(issuer, runtime)
    assert issuer.asked[0]["scope"] == "read"
    assert await out(issuer, runtime) == SignedOut(issuer.url)
    assert issuer.revoked == [
        {"token": "refresh-1", "token_type_hint": "refresh_token", "client_id": "client-1"}
    ]
    assert await out(issuer, runtime) is None


@pytest.mark.parametrize("status", [200, 202, 204])
async def test_any_success_of_a_revocation_is_one(
    issuer: PersonsIssuer, runtime: Runtime, status: int
) -> None:
    issuer.revocation_status = status
    await sign_in(issuer, runtime)
    assert await out(issuer, runtime) == SignedOut(issuer.url)


async def test_without_a_refresh_token_the_access_token_is_revoked(
    issuer: PersonsIssuer, runtime: Runtime
) -> None:
    issuer.gives_refresh_tokens = False
    await sign_in(issuer, runtime)
    await out(issuer, runtime)
    assert issuer.revoked[0]["token_type_hint"] == "access_token"


async def test_an_issuer_that_revokes_nothing_is_named(issuer: PersonsIssuer, runtime: Runtime) -> None:
    issuer.metadata = {"revocation_endpoint": None}
    await sign_in(issuer, runtime)
    assert await out(issuer, runtime) == SignedOut(issuer.url, "it revokes no tokens")


async def test_tokens_are_forgotten_though_the_issuer_cannot_be_told(
    issuer: PersonsIssuer, runtime: Runtime
) -> None:
    issuer.metadata = {"revocation_endpoint": f"{issuer.url}/gone"}
    await sign_in(issuer, runtime)
    assert await out(issuer, runtime) == SignedOut(issuer.url, "its revocation endpoint answered 404")
    assert await out(issuer, runtime) is None
