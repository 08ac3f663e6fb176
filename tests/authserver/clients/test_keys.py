"""Keys of clients that nobody vouches for: fetched within the shares of who asks and of where they are."""

from __future__ import annotations

import asyncio

from tests.authserver.clients.conftest import Site
from tests.authserver.clients.signing import new_key, public
from tests.authserver.conftest import Clock

from ostiary.authserver.clients import pending_fetches
from ostiary.authserver.clients.keys import ClientKeys
from ostiary.authserver.config.settings import AuthServerSettings
from ostiary.identity.key_sets import KeySets
from ostiary.oauth.server.client import Client, ClientKind
from ostiary.oauth.server.errors import Unavailable
from ostiary.transport.fetch import Fetcher
from ostiary.transport.proxies import NONE


def client(name: str, jwks_uri: str) -> Client:
    return Client(
        client_id=name,
        kind=ClientKind.DYNAMIC,
        auth_method="private_key_jwt",
        jwks_uri=jwks_uri,
    )


async def test_64_slow_key_sets_asked_for_by_one_address_shut_out_nobody_else(
    site: Site, silence: list[int], clock: Clock
) -> None:
    site.keys = public(new_key())
    values = {"issuer": "http://127.0.0.1:9000", **site.settings()}
    settings = AuthServerSettings.model_validate(values, context={"insecure_inline_secrets": True})
    keys = ClientKeys(settings, KeySets(Fetcher(), clock), NONE, clock)
    slow = [
        asyncio.ensure_future(
            keys.of(
                client(f"slow-{number}", f"https://evil{number}.example:{silence[0]}/jwks.json"),
                kid=None,
                asked_from="198.51.100.7",
            )
        )
        for number in range(64)
    ]
    most = pending_fetches.MOST_OF_ADDRESS
    done, waiting = await asyncio.wait(slow, timeout=3)
    assert (len(done), len(waiting)) == (64 - most, most)
    assert {type(refused.exception()) for refused in done} == {Unavailable}
    found = await keys.of(client("good", f"{site.origin}/jwks.json"), kid=None, asked_from="203.0.113.1")
    assert len(found.keys) == 1
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
