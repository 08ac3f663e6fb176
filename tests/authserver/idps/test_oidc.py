"""An OpenID provider, OpenID Connect Core section 3.1."""

from __future__ import annotations

from tests.authserver.conftest import Clock
from tests.authserver.idps.conftest import Provider, signed_in
from tests.authserver.idps.little_idp import LittleIdp

from ostiary.authserver.connected import Connected, Identity, UpstreamTokens


async def test_a_person_signs_in(provider: Provider, idp: LittleIdp, clock: Clock) -> None:
    connected = await signed_in(provider(), idp, clock)
    tokens = connected.tokens
    assert connected == Connected(
        idp="corp",
        issuer=idp.url,
        account="248289761001",
        client_id="ostiary",
        tokens=UpstreamTokens(
            "access-2", "refresh-2", tokens.id_token, clock() + 300, ("openid", "profile", "email")
        ),
        label="alice@example.com",
        identity=Identity(
            issuer=idp.url,
            subject="248289761001",
            name="Alice Adler",
            email="alice@example.com",
            email_verified=True,
            auth_time=int(clock()),
        ),
    )
