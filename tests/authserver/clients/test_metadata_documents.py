"""Clients that describe themselves at their own URL, draft-ietf-oauth-client-id-metadata-document."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import ipaddress
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update
from tests.authserver.clients.conftest import REDIRECT, Site, Trap
from tests.authserver.conftest import Clock, Server, Start, basic_settings

from ostiary.authserver.clients import metadata_documents as documents
from ostiary.authserver.clients import pending_fetches
from ostiary.authserver.clients import registration_limit as room
from ostiary.oauth.errors import OAuthError
from ostiary.oauth.server.client import ClientKind
from ostiary.oauth.server.errors import InvalidClient, TooManyRequests, Unavailable
from ostiary.storage.schema import clients

NOT_FETCHED = "the client's document cannot be fetched"
AWAY = "the client's document, which says where its codes may go, cannot be fetched now"


async def refusal(server: Server, client_id: str, **options: Any) -> OAuthError:
    with pytest.raises(OAuthError) as refused:
        await server.server.services.clients.find(client_id, **options)
    return refused.value


async def test_a_client_is_what_its_document_says(start: Start, site: Site) -> None:
    async with start(site.settings()) as server:
        client = await server.server.services.clients.find(site.client_id)
    assert client is not None
    assert (client.kind, client.name, client.redirect_uris) == (
        ClientKind.DOCUMENT,
        "Zoo Keeper",
        (REDIRECT,),
    )


@pytest.mark.parametrize("packed", [False, True])
async def test_a_document_is_read_as_editors_and_hosts_give_it(
    start: Start, site: Site, packed: bool
) -> None:
    """With a mark of the order of bytes before it, and another after a restart from the store."""
    site.body = b"\xef\xbb\xbf" + json.dumps(site.document).encode()
    if packed:
        site.body = gzip.compress(site.body)
        site.headers["content-encoding"] = "gzip"
    for _ in range(2):
        async with start(site.settings()) as server:
            client = await server.server.services.clients.find(site.client_id)
        assert client is not None
        assert client.name == "Zoo Keeper"


async def test_a_stored_document_that_somebody_changed_is_fetched_again(
    start: Start, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    async with start(site.settings()) as server:
        await server.server.services.clients.find(site.client_id)
        changed = update(clients).values(metadata=func.replace(clients.c.metadata, "Keeper", "Thief"))
        await server.server.services.store.transaction(lambda c: c.execute(changed) and None)
    async with start(site.settings()) as server:
        client = await server.server.services.clients.find(site.client_id)
        [kept] = await server.server.services.store.read(
            lambda c: list(c.execute(select(clients.c.metadata)))
        )
    assert client is not None
    assert client.name == "Zoo Keeper"
    assert "Keeper" in kept.metadata
    assert f"the row of clients whose client_id is {site.client_id} does not fit its seal" in caplog.text


async def test_the_token_endpoint_knows_it(start: Start, site: Site) -> None:
    form = {"grant_type": "client_credentials", "client_id": site.client_id}
    async with start(site.settings()) as server:
        refused = await server.token(form)
        unknown = await server.token({**form, "client_id": f"{site.origin}/other.json"})
    assert refused.json() == {
        "error": "unauthorized_client",
        "error_description": "this client may not use the grant client_credentials",
    }
    assert unknown.status_code == 401
    assert unknown.json() == {
        "error": "invalid_client",
        "error_description": "the client's document has another client_id than its own URL",
    }


async def test_a_document_is_fetched_again_when_its_time_is_over(
    start: Start, site: Site, clock: Clock
) -> None:
    async with start(site.settings()) as server:
        find = server.server.services.clients.find
        await find(site.client_id)
        clock.advance(599)
        await find(site.client_id)
        assert len(site.asked) == 1
        clock.advance(1)
        site.document = {**site.document, "client_name": "Renamed"}
        client = await find(site.client_id)
    assert client is not None
    assert client.name == "Renamed"
    assert len(site.asked) == 2


async def test_many_who_ask_at_once_are_one_fetch(start: Start, site: Site) -> None:
    site.waits = asyncio.Event()
    async with start(site.settings()) as server:
        asking = [asyncio.create_task(server.server.services.clients.find(site.client_id)) for _ in range(20)]
        await site.reached.wait()
        site.waits.set()
        found = await asyncio.gather(*asking)
    assert len({client.client_id for client in found if client is not None}) == 1
    assert len(site.asked) == 1


async def test_a_document_outlives_a_restart(start: Start, site: Site) -> None:
    async with start(site.settings()) as server:
        await server.server.services.clients.find(site.client_id)
    async with start(site.settings()) as server:
        assert await server.server.services.clients.find(site.client_id) is not None
    assert len(site.asked) == 1


async def test_a_document_out_of_reach_still_holds_for_who_was_let_in_for_a_day(
    start: Start, site: Site, clock: Clock
) -> None:
    async with start(site.settings()) as server:
        await server.server.services.clients.find(site.client_id)
        site.status = 500
        clock.advance(600)
        refused = await refusal(server, site.client_id)
        assert type(refused) is Unavailable
        assert refused.description == AWAY
        assert await server.server.services.clients.find(site.client_id, stale_ok=True) is not None
        clock.advance(86400)
        assert (await refusal(server, site.client_id, stale_ok=True)).description == AWAY


async def test_a_document_that_is_gone_ends_the_client_for_everybody(
    start: Start, site: Site, clock: Clock
) -> None:
    async with start(site.settings()) as server:
        await server.server.services.clients.find(site.client_id)
        site.status = 404
        clock.advance(600)
        refused = await refusal(server, site.client_id, stale_ok=True)
    assert type(refused) is InvalidClient
    assert refused.description == f"{NOT_FETCHED}: it answered 404, not 200"


async def test_a_document_that_takes_a_redirect_uri_away_is_believed_at_once(
    start: Start, site: Site, clock: Clock
) -> None:
    async with start(site.settings()) as server:
        await server.server.services.clients.find(site.client_id)
        clock.advance(600)
        site.document = {**site.document, "redirect_uris": ["http://evil.example/"]}
        refused = await refusal(server, site.client_id, stale_ok=True)
    assert type(refused) is InvalidClient


async def test_a_failure_is_forgotten_after_some_seconds(start: Start, site: Site, clock: Clock) -> None:
    site.status = 503
    async with start(site.settings()) as server:
        for _ in range(5):
            assert type(await refusal(server, site.client_id)) is InvalidClient
        assert len(site.asked) == 1
        site.status = 200
        clock.advance(10)
        assert await server.server.services.clients.find(site.client_id) is not None


async def test_strangers_cannot_have_us_hammer_a_host(start: Start, site: Site) -> None:
    site.status = 404
    async with start(site.settings()) as server:
        for number in range(60):
            await refusal(server, f"{site.origin}/{number}")
        refused = await refusal(server, f"{site.origin}/60")
    assert type(refused) is TooManyRequests
    assert len(site.asked) == 60


async def test_documents_in_the_store_are_bounded_and_what_somebody_uses_stays(
    start: Start, site: Site, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(documents, "MOST_STORED", 3)
    async with start(site.settings()) as server:
        store = server.server.services.store
        for number in range(6):
            client_id = f"{site.origin}/{number}"
            site.document = {**site.document, "client_id": client_id}
            assert await server.server.services.clients.find(client_id) is not None
            if number == 0:
                await store.transaction(partial(room.let_in, client_id=client_id, now=clock()))
            clock.advance(1)
        wanted = select(clients.c.client_id).order_by(clients.c.created_at)
        kept = await store.read(lambda c: list(c.execute(wanted).scalars()))
    assert kept == [f"{site.origin}/{number}" for number in (0, 4, 5)]


async def test_documents_can_be_switched_off(start: Start, site: Site) -> None:
    async with start(site.settings(client_id_metadata_documents=False)) as server:
        assert await server.server.services.clients.find(site.client_id) is None
    assert site.asked == []


# slow documents


@contextlib.asynccontextmanager
async def asking(server: Server, asked: Iterable[tuple[str, str]]) -> AsyncIterator[int]:
    """Ask for documents from addresses, all at once. Gives how many are refused; the others wait."""
    find = server.server.services.clients.find
    tasks = [asyncio.create_task(find(client_id, asked_from=address)) for client_id, address in asked]
    before = under_way(server)
    while under_way(server) - before + sum(task.done() for task in tasks) < len(tasks):  # noqa: ASYNC110 - two things
        await asyncio.sleep(0.01)
    yield sum(task.done() for task in tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def under_way(server: Server) -> int:
    """Documents that are being fetched."""
    known = server.server.services.clients.documents
    assert known is not None
    return known.pending.count


async def test_64_slow_documents_of_one_host_shut_out_nobody_else_s(
    start: Start, site: Site, silence: list[int]
) -> None:
    """Its names and ports are free, and so are the addresses of whoever helps."""
    slow = [
        (f"https://n{number}.evil.example:{silence[number % 2]}/client.json", f"198.51.100.{number}")
        for number in range(64)
    ]
    async with start(site.settings()) as server, asking(server, slow) as refused:
        assert refused == 64 - pending_fetches.MOST_OF_HOST
        assert await server.server.services.clients.find(site.client_id, asked_from="203.0.113.1") is not None


@pytest.mark.parametrize("address", ["198.51.100.7", "2001:db8:0:1::{number:x}"])
async def test_64_slow_documents_for_one_address_shut_out_nobody_else(
    start: Start, site: Site, silence: list[int], address: str
) -> None:
    slow = [
        (f"https://evil{number}.example:{silence[0]}/client.json", address.format(number=number))
        for number in range(64)
    ]
    async with start(site.settings()) as server, asking(server, slow) as refused:
        assert refused == 64 - pending_fetches.MOST_OF_ADDRESS
        assert await server.server.services.clients.find(site.client_id, asked_from="203.0.113.1") is not None


async def test_one_address_alone_does_not_use_up_a_host_s_share(
    start: Start, site: Site, silence: list[int]
) -> None:
    shared = f"shared.example:{silence[0]}/client.json"
    slow = [(f"https://n{number}.{shared}", "198.51.100.7") for number in range(64)]
    async with start(site.settings()) as server, asking(server, slow) as refused:
        assert refused == 64 - pending_fetches.MOST_OF_ADDRESS
        async with asking(server, [(f"https://good.{shared}", "203.0.113.1")]) as refused_too:
            assert refused_too == 0


async def test_new_documents_are_limited_by_address_before_they_use_up_a_host_s(
    start: Start, site: Site
) -> None:
    site.status = 404
    async with start(site.settings()) as server:
        answers = [
            await refusal(server, f"{site.origin}/{number}", asked_from="198.51.100.7")
            for number in range(60)
        ]
        other = await refusal(server, f"{site.origin}/other", asked_from="203.0.113.1")
    assert [type(answer) for answer in answers] == [InvalidClient] * 30 + [TooManyRequests] * 30
    assert type(other) is InvalidClient
    assert len(site.asked) == 31


async def test_who_joins_a_look_is_not_refused_for_whoever_began_it(
    start: Start, site: Site, silence: list[int]
) -> None:
    slow = [(f"https://evil{number}.example:{silence[0]}/client.json", "198.51.100.7") for number in range(8)]
    async with start(site.settings()) as server, asking(server, slow):
        find = server.server.services.clients.find
        refused, found = await asyncio.gather(
            find(site.client_id, asked_from="198.51.100.7"),
            find(site.client_id, asked_from="203.0.113.1"),
            return_exceptions=True,
        )
    assert type(refused) is Unavailable
    assert getattr(found, "client_id", found) == site.client_id


# what strangers would have us fetch


def strict() -> dict[str, Any]:
    return basic_settings()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
async def test_cimd_loopback(start: Start, trap: Trap, host: str) -> None:
    async with start(strict()) as server:
        refused = await refusal(server, f"https://{host}:{trap.port}/client.json")
    assert (type(refused), refused.description) == (InvalidClient, NOT_FETCHED)
    assert refused.detail.endswith(HERE)
    assert trap.reached == 0


PRIVATE = "its host leads to a private address; if it should, set private_network: true"
HERE = "it names this machine, and who wrote it is on another"


@pytest.mark.parametrize(
    "host",
    ["10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "0.0.0.0", "[fd00::1]", "[::]"],
)
async def test_cimd_private_address(start: Start, host: str) -> None:
    async with start(strict()) as server:
        refused = await refusal(server, f"https://{host}/client.json")
    assert refused.description == NOT_FETCHED
    assert refused.detail == f"https://{host}/client.json: {PRIVATE}"


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]"])
@pytest.mark.parametrize("allowed", [False, True])
async def test_cimd_link_local_and_metadata_address(
    start: Start, site: Site, host: str, allowed: bool
) -> None:
    """The operator's word for private networks does not open a cloud's metadata server."""
    client_id = f"https://{host}/client.json"
    if allowed:
        async with start(site.settings()) as server:
            refused = await refusal(server, client_id)
        assert refused.description == NOT_FETCHED
        return
    async with start(strict()) as server:
        refused = await refusal(server, client_id)
    assert refused.detail == f"{client_id}: {PRIVATE}"


@pytest.mark.parametrize("host", ["[::ffff:7f00:1]", "[::7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::1]"])
async def test_cimd_ipv4_mapped_ipv6(start: Start, trap: Trap, host: str) -> None:
    async with start(strict()) as server:
        refused = await refusal(server, f"https://{host}:{trap.port}/client.json")
    assert refused.detail.endswith((PRIVATE, HERE))
    assert trap.reached == 0


@pytest.mark.parametrize("host", ["2130706433", "0177.0.0.1", "0x7f.0.0.1", "127.1", "0x7f000001"])
async def test_cimd_decimal_and_octal_hosts(start: Start, trap: Trap, host: str) -> None:
    """Such an id is no URL that everybody reads alike, so it is nobody's."""
    async with start(strict()) as server:
        assert await server.server.services.clients.find(f"https://{host}:{trap.port}/client.json") is None
    assert trap.reached == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1", "169.254.169.254", "10.0.0.1", "::1"])
async def test_cimd_name_that_leads_inside(
    start: Start, trap: Trap, resolves: Callable[[str], None], address: str
) -> None:
    if ipaddress.ip_address(address).version == 6 and not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    resolves(address)
    client_id = f"https://client.example:{trap.port}/client.json"
    async with start(strict()) as server:
        refused = await refusal(server, client_id)
    assert refused.detail == f"{client_id}: {PRIVATE}"
    assert trap.reached == 0


async def test_cimd_dns_rebinding(
    start: Start, trap: Trap, clock: Clock, resolves: Callable[[str], None]
) -> None:
    """The document was had while its name led to a public address; the address of now is what counts."""
    client_id = f"https://client.example:{trap.port}/client.json"
    document = {"client_id": client_id, "client_name": "Zoo", "redirect_uris": [REDIRECT]}
    async with start(strict()) as server:
        had = {
            "client_id": client_id,
            "kind": "document",
            "metadata": json.dumps(document),
            "created_at": clock(),
            "used_at": clock(),
            "fresh_until": clock() + 60,
            "expires_at": clock() + 86460,
        }
        store = server.server.services.store
        had["sealed"] = store.seal_row(clients, had | {"secret_digest": None})
        await store.transaction(lambda c: c.execute(insert(clients).values(had)) and None)
        assert await server.server.services.clients.find(client_id) is not None
        clock.advance(60)
        resolves("127.0.0.1")
        refused = await refusal(server, client_id)
    assert (type(refused), refused.detail) == (Unavailable, f"{client_id}: {PRIVATE}")
    assert trap.reached == 0


async def test_cimd_redirect_is_not_followed(start: Start, site: Site, trap: Trap) -> None:
    site.status, site.headers = 302, {"location": f"https://127.0.0.1:{trap.port}/client.json"}
    async with start(site.settings()) as server:
        refused = await refusal(server, site.client_id)
    assert refused.description == f"{NOT_FETCHED}: it answered 302, not 200"
    assert trap.reached == 0


async def test_cimd_ten_mebibyte_document(start: Start, site: Site) -> None:
    site.body = json.dumps({**site.document, "x": "a" * 10 * 1024 * 1024}).encode()
    async with start(site.settings()) as server:
        refused = await refusal(server, site.client_id)
    assert refused.description == NOT_FETCHED
    assert refused.detail == f"{site.client_id}: the answer is longer than 10240 bytes"


async def test_cimd_slow_document(start: Start, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "TIMEOUT", 0.3)
    site.waits = asyncio.Event()
    async with start(site.settings()) as server:
        refused = await refusal(server, site.client_id)
    assert refused.detail == f"{site.client_id}: no whole answer within 0.3 seconds"


async def test_cimd_client_id_other_than_the_url(start: Start, site: Site) -> None:
    site.document = {**site.document, "client_id": f"{site.origin}/other.json"}
    async with start(site.settings()) as server:
        refused = await refusal(server, site.client_id)
    assert refused.description == "the client's document has another client_id than its own URL"


@pytest.mark.parametrize("body", [b"<html>", b"[" * 9000, b"\xff\xfe", b'{"client_name": "\xff"}', b""])
async def test_cimd_document_that_is_not_json(start: Start, site: Site, body: bytes) -> None:
    site.body = body
    async with start(site.settings()) as server:
        refused = await refusal(server, site.client_id)
    assert refused.description == "the client's document is not JSON"


async def test_cimd_certificate_of_another_authority(start: Start, site: Site) -> None:
    async with start(basic_settings(registration={"documents_private_network": True})) as server:
        refused = await refusal(server, site.client_id)
    assert refused.description == NOT_FETCHED
    assert site.asked == []
