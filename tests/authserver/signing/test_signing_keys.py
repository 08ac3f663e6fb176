"""Keys of several replicas: one signs, and all that may have signed are published."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.authserver.conftest import Clock

from ostiary.authserver.config.settings import SigningSettings
from ostiary.authserver.signing.signing_keys import VIEW_AGE, SigningKeys
from ostiary.identity.jwt_verifier import read_jwt, verify
from ostiary.inline_coroutines import as_future
from ostiary.oauth.errors import InvalidToken
from ostiary.oauth.server.errors import Unavailable
from ostiary.storage.config import StorageSettings
from ostiary.storage.store import Store

DAY = 86_400.0
Replica = Callable[..., SigningKeys]


@pytest.fixture
async def replica(tmp_path: Path, clock: Clock) -> AsyncIterator[Replica]:
    """One more replica on the same store."""
    context = {"base_directory": tmp_path}
    storage = StorageSettings.model_validate(
        {"url": "sqlite:///ostiary.db", "encryption_key": {"file": "ostiary.key"}}, context=context
    )
    async with contextlib.AsyncExitStack() as stack:

        def another(**settings: str) -> SigningKeys:
            store = Store.of(storage)
            stack.push_async_callback(store.close)
            return SigningKeys(
                store, SigningSettings.model_validate(settings), longest_life=900.0, clock=clock
            )

        yield another


async def test_nothing_is_signed_without_a_key(replica: Replica) -> None:
    keys = replica()
    assert not keys.is_ready
    with pytest.raises(Unavailable):
        keys.sign({}, typ="JWT")
    await keys.refresh()
    assert keys.is_ready


async def test_a_restart_keeps_the_key(replica: Replica) -> None:
    first, second = replica(), replica()
    await first.refresh()
    await second.refresh()
    assert first.jwks() == second.jwks()
    verify(read_jwt(first.sign({"sub": "a"}, typ="JWT")), second.key_set())


async def test_replicas_that_start_together_make_one_key(replica: Replica) -> None:
    replicas = [replica() for _ in range(4)]
    made = await asyncio.gather(*(one.refresh() for one in replicas))
    assert len({one.jwks() for one in replicas}) == 1
    assert [kid for kid in made if kid is not None] == [replicas[0].all()[0].kid]
    assert len(replicas[0].all()) == 1


async def test_no_token_meets_a_replica_that_does_not_know_its_key(replica: Replica, clock: Clock) -> None:
    """While 4 keys sign, each replica's view as old as it may be, and each token verified until it ends."""
    replicas = [replica(rotate_every="6h") for _ in range(2)]
    for one in replicas:
        await one.refresh()
    alive: list[tuple[float, str]] = []
    kids = set()
    step = VIEW_AGE * 10
    for turn in range(int(DAY / step)):
        await replicas[turn % 2].refresh()
        token = replicas[(turn + 1) % 2].sign({"sub": "a"}, typ="JWT")
        kids.add(read_jwt(token).kid)
        alive = [(end, old) for end, old in alive if end > clock.now] + [(clock.now + 900.0, token)]
        for _, old in alive:
            for one in replicas:
                verify(read_jwt(old), one.key_set())
        clock.advance(step)
    assert len(kids) == 4
    assert len(replicas[0].key_set().keys) <= 2


async def test_the_next_key_is_published_before_it_signs(replica: Replica, clock: Clock) -> None:
    keys = replica(publish_ahead="15m")
    await keys.refresh()
    [first] = keys.all()
    await keys.rotate()
    _, second = keys.all()
    assert [key.kid for key in keys.key_set().keys] == [first.kid, second.kid]
    assert keys.signer().kid == first.kid
    clock.advance(15 * 60)
    assert keys.signer().kid == second.kid
    verify(read_jwt(keys.sign({}, typ="JWT")), keys.key_set())


async def test_a_withdrawn_key_verifies_nothing(replica: Replica, clock: Clock) -> None:
    keys, other = replica(), replica()
    await keys.refresh()
    token = keys.sign({"sub": "a"}, typ="JWT")
    await keys.rotate()
    clock.advance(15 * 60)
    assert await keys.retire(keys.all()[0].kid)
    assert not await keys.retire("nobody")
    await other.refresh()
    for one in (keys, other):
        with pytest.raises(InvalidToken):
            verify(read_jwt(token), one.key_set())


async def test_the_only_key_withdrawn_is_replaced_at_once(replica: Replica) -> None:
    keys = replica()
    await keys.refresh()
    withdrawn = keys.all()[0].kid
    await keys.retire(withdrawn)
    assert keys.signer().kid != withdrawn
    verify(read_jwt(keys.sign({}, typ="JWT")), keys.key_set())


async def test_a_key_that_is_published_no_more_never_signs_again(replica: Replica, clock: Clock) -> None:
    keys, other = replica(), replica()
    for _ in range(3):  # a first key, long gone; a second one, which signs; a third, which waits
        await keys.refresh()
        clock.advance(31 * DAY)
    await keys.rotate()
    gone, signing, waiting = keys.all()[0].kid, keys.signer().kid, keys.all()[-1].kid
    await keys.retire(signing)
    await other.refresh()
    for one in (keys, other):
        assert one.signer().kid not in {gone, signing, waiting}
        verify(read_jwt(one.sign({}, typ="JWT")), other.key_set())
    clock.advance(15 * 60)
    assert keys.signer().kid == waiting


async def test_another_algorithm_takes_over_with_a_key_of_its_own(replica: Replica, clock: Clock) -> None:
    before = replica()
    await before.refresh()
    token = before.sign({"sub": "a"}, typ="JWT")
    after = replica(algorithm="RS256")
    await after.refresh()
    assert after.signer().algorithm == "ES256"
    clock.advance(15 * 60)
    assert after.signer().algorithm == "RS256"
    verify(read_jwt(token), after.key_set())


async def test_no_key_stands_in_the_file_in_the_clear(replica: Replica, tmp_path: Path) -> None:
    keys = replica()
    await keys.refresh()
    pem = keys.all()[0].sealed.pem.splitlines()[1].encode()
    for file in tmp_path.glob("ostiary.db*"):
        assert pem not in file.read_bytes()


async def test_a_key_that_another_replica_just_made_is_looked_up_once(replica: Replica, clock: Clock) -> None:
    one, other = replica(), replica()
    await one.refresh()
    await other.refresh()
    clock.advance(2)
    await one.rotate()
    made = one.all()[-1].kid
    assert not other.key_set().has(made)
    assert (await other.key_set_with("nobody's")).has(made)
    await one.rotate()
    assert not (await other.key_set_with(one.all()[-1].kid)).has(one.all()[-1].kid)  # not twice in a second
    clock.advance(1)
    assert (await other.key_set_with(one.all()[-1].kid)).has(one.all()[-1].kid)


async def test_whoever_names_an_unknown_key_and_leaves_keeps_nobody_from_a_new_one(
    replica: Replica, clock: Clock
) -> None:
    one, other = replica(), replica()
    await one.refresh()
    await other.refresh()
    clock.advance(2)
    await one.rotate()
    before = asyncio.all_tasks()
    asked = as_future(other.key_set_with("nobody's"))
    begun = asyncio.all_tasks() - before
    assert asked.cancel()
    await asyncio.wait(begun)
    made = one.all()[-1].kid
    assert (await other.key_set_with(made)).has(made)
