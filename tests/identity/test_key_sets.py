"""Issuers' keys: fetched once, believed for a while."""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from typing import Any

import pytest
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OKPKey, RSAKey

from ostiary.identity.authenticator import Authenticator
from ostiary.identity.inbound_settings import OidcInbound
from ostiary.identity.key_set import read_key_set
from ostiary.identity.key_sets import KeyLocation, KeySets
from ostiary.inline_coroutines import as_future
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.errors import InvalidToken, TemporarilyUnavailable
from ostiary.transport.fetch import Fetcher


@pytest.fixture
def location(issuer: Any) -> KeyLocation:
    return KeyLocation(issuer.url, canonical_url(issuer.jwks_url))


async def requested(issuer: Any, times: int) -> None:
    """Until the issuer was asked so often."""
    while len(issuer.requests) < times:  # noqa: ASYNC110 - the issuer is a server, and sets no event
        await asyncio.sleep(0.01)


async def test_a_hundred_at_once_fetch_once(key_sets: KeySets, location: KeyLocation, issuer: Any) -> None:
    answers = await asyncio.gather(*(key_sets.get(location) for _ in range(100)))
    assert issuer.requests == ["/jwks"]
    assert all(keys is answers[0] for keys in answers)


async def test_whoever_gives_up_waiting_does_not_end_the_fetch_for_others(
    key_sets: KeySets, location: KeyLocation, issuer: Any
) -> None:
    first = asyncio.create_task(key_sets.get(location))
    second = asyncio.create_task(key_sets.get(location))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).has("first")
    assert issuer.requests == ["/jwks"]


async def test_keys_are_waited_for_inline_and_by_no_task_but_the_fetch(
    key_sets: KeySets, location: KeyLocation, issuer: Any
) -> None:
    issuer.answers.clear()
    before = asyncio.all_tasks()
    left, stays = (as_future(key_sets.get(location)) for _ in range(2))
    assert len(asyncio.all_tasks() - before) == 1
    assert left.cancel()
    issuer.answers.set()
    assert (await stays).has("first")
    assert issuer.requests == ["/jwks"]


async def test_an_unknown_kid_is_looked_for_at_most_every_half_minute(
    key_sets: KeySets, location: KeyLocation, issuer: Any
) -> None:
    await key_sets.get(location)
    for _ in range(10):
        await key_sets.get(location, kid="nobody's")
    assert issuer.requests == ["/jwks"]
    issuer.clock.now += 30
    for _ in range(10):
        await key_sets.get(location, kid="nobody's")
    assert issuer.requests == ["/jwks"] * 2


async def test_a_new_key_is_found_by_its_kid(key_sets: KeySets, location: KeyLocation, issuer: Any) -> None:
    await key_sets.get(location)
    issuer.keys.append(ECKey.generate_key("P-256", {"kid": "second"}))
    issuer.clock.now += 30
    assert (await key_sets.get(location, kid="second")).has("second")


async def test_a_withdrawn_key_is_gone_after_the_first_look_in_ten_minutes(
    key_sets: KeySets, location: KeyLocation, issuer: Any
) -> None:
    await key_sets.get(location)
    issuer.keys = [ECKey.generate_key("P-256", {"kid": "second"})]
    issuer.clock.now += 600
    await key_sets.get(location, kid="second")
    assert not (await key_sets.get(location, kid="first")).has("first")
    assert issuer.requests == ["/jwks"] * 2


async def test_nobody_waits_for_aged_keys_of_an_issuer_that_hangs(location: KeyLocation, issuer: Any) -> None:
    key_sets = KeySets(Fetcher(timeout=3600), issuer.clock, longest_wait=3600)
    before = await key_sets.get(location)
    issuer.answers.clear()
    issuer.clock.now += 600
    for kid in ["first", None] * 50:
        assert await key_sets.get(location, kid=kid) is before
    await requested(issuer, 2)
    issuer.keys.append(ECKey.generate_key("P-256", {"kid": "second"}))
    issuer.answers.set()
    assert (await key_sets.get(location, kid="second")).has("second")
    assert issuer.requests == ["/jwks"] * 2


async def test_strangers_key_ids_make_no_honest_caller_wait_and_hammer_no_issuer(
    location: KeyLocation, issuer: Any
) -> None:
    key_sets = KeySets(Fetcher(timeout=3600), issuer.clock, longest_wait=3600)
    before = await key_sets.get(location)
    issuer.clock.now += 30
    issuer.answers.clear()
    strangers = [asyncio.create_task(key_sets.get(location, kid=f"stranger's {n}")) for n in range(100)]
    await requested(issuer, 2)
    assert await key_sets.get(location, kid="first") is before
    assert not any(stranger.done() for stranger in strangers)
    issuer.up = False
    issuer.answers.set()
    answers = await asyncio.gather(*strangers, return_exceptions=True)
    assert {type(answer) for answer in answers} == {TemporarilyUnavailable}
    issuer.clock.now += 5
    issuer.answers.clear()
    assert await key_sets.get(location, kid="first") is before  # nor while the issuer fails
    await requested(issuer, 3)
    assert await key_sets.get(location, kid="first") is before


async def test_an_unknown_kid_is_not_waited_for_without_end(issuer: Any, location: KeyLocation) -> None:
    key_sets = KeySets(Fetcher(timeout=3600), issuer.clock, longest_wait=0.01)
    known = False
    while not known:
        with contextlib.suppress(TemporarilyUnavailable):
            known = (await key_sets.get(location)).has("first")
    issuer.clock.now += 30
    issuer.answers.clear()
    for kid in ("new", "newer"):
        with pytest.raises(TemporarilyUnavailable) as refused:
            await key_sets.get(location, kid=kid)
        assert refused.value.detail == f"keys of issuer {issuer.url}: they are still being fetched"
    issuer.clock.now += 3600
    with pytest.raises(TemporarilyUnavailable):
        await key_sets.get(location, kid="first")
    await requested(issuer, 2)
    assert issuer.requests == ["/jwks"] * 2


async def test_the_same_keys_fetched_again_change_nothing(
    key_sets: KeySets, location: KeyLocation, issuer: Any
) -> None:
    before = await key_sets.get(location)
    generation = key_sets.generation
    issuer.clock.now += 600
    assert await key_sets.get(location, kid="nobody's") is before
    assert issuer.requests == ["/jwks"] * 2
    assert key_sets.generation == generation


async def test_keys_are_believed_for_an_hour_while_the_issuer_is_down(
    key_sets: KeySets, location: KeyLocation, issuer: Any
) -> None:
    await key_sets.get(location)
    issuer.up = False
    issuer.clock.now += 3599
    assert (await key_sets.get(location, kid="first")).has("first")
    issuer.clock.now += 1
    with pytest.raises(TemporarilyUnavailable) as refused:
        await key_sets.get(location, kid="first")
    assert refused.value.detail == (
        f"keys of issuer {issuer.url}: {issuer.jwks_url}: it answered 500, not 200"
    )


async def test_an_unknown_kid_of_an_issuer_that_is_down_is_not_called_unknown(
    key_sets: KeySets, location: KeyLocation, issuer: Any
) -> None:
    await key_sets.get(location)
    issuer.up = False
    issuer.clock.now += 30
    with pytest.raises(TemporarilyUnavailable):
        await key_sets.get(location, kid="new")


async def test_an_issuer_that_is_down_is_asked_every_five_seconds_and_then_believed_again(
    key_sets: KeySets, location: KeyLocation, issuer: Any
) -> None:
    issuer.up = False
    for _ in range(3):
        with pytest.raises(TemporarilyUnavailable):
            await key_sets.get(location)
    assert issuer.requests == ["/jwks"]
    issuer.up = True
    issuer.clock.now += 5
    assert (await key_sets.get(location)).has("first")


async def test_metadata_of_another_issuer_gives_no_keys(key_sets: KeySets, issuer: Any) -> None:
    with pytest.raises(TemporarilyUnavailable) as refused:
        await key_sets.get(KeyLocation(f"{issuer.url}/"))
    assert refused.value.detail == (
        f"keys of issuer {issuer.url}/: "
        f"{issuer.url}/.well-known/oauth-authorization-server: it answered 404, not 200; "
        f"the metadata is of issuer '{issuer.url}', not '{issuer.url}/', letter for letter; "
        f"if that is the one, write `issuer: {issuer.url}`"
    )


async def test_of_two_keys_with_one_kid_either_verifies(key_sets: KeySets, issuer: Any, clock: Any) -> None:
    issuer.keys = [ECKey.generate_key("P-256", {"kid": "same"}), ECKey.generate_key("P-256", {"kid": "same"})]
    inbound = OidcInbound(issuer=issuer.url)
    authenticator = Authenticator(
        [inbound], audiences=(issuer.claims()["aud"],), key_sets=key_sets, clock=clock
    )
    for key in issuer.keys:
        assert (await authenticator.authenticate(issuer.token(key=key))).subject == "ada"


async def test_a_key_is_used_only_for_what_it_says_it_is_for(
    key_sets: KeySets, issuer: Any, clock: Any
) -> None:
    key = RSAKey.generate_key(2048, {"kid": "k", "alg": "PS256"})
    issuer.keys = [key]
    inbound = OidcInbound(issuer=issuer.url)
    authenticator = Authenticator(
        [inbound], audiences=(issuer.claims()["aud"],), key_sets=key_sets, clock=clock
    )
    with pytest.raises(InvalidToken) as refused:
        await authenticator.authenticate(
            issuer.token(key=RSAKey.import_key(key.as_dict(private=True) | {"alg": "RS256"}))
        )
    assert refused.value.detail == "no RS256 key with kid 'k' in the issuer's key set"


def test_secrets_short_keys_and_keys_for_encryption_are_left_out() -> None:
    good = ECKey.generate_key("P-256", {"kid": "good"}).as_dict(private=False)
    keys = read_key_set(
        {
            "keys": [
                good,
                {"kty": "oct", "k": "c2VjcmV0", "kid": "secret"},
                ECKey.generate_key("P-256", {"kid": "enc", "use": "enc"}).as_dict(private=False),
                {"kty": "AKP", "kid": "post-quantum", "pub": "AA"},
                {"kty": "RSA", "kid": "broken"},
                {"kty": "RSA", "kid": "short", "n": "wJ8" + "A" * 120 + "E", "e": "AQAB"},
                "not a key",
            ]
        }
    )
    assert [key.kid for key in keys.keys] == ["good"]


def test_a_member_that_is_null_is_absent() -> None:
    key = ECKey.generate_key("P-256", {"kid": "good"}).as_dict(private=False)
    nulls = dict.fromkeys(["use", "alg", "key_ops", "x5c", "x5t", "x5u"])
    odd = {"kty": "OKP", "crv": "Ed25519", "x": "AA", "alg": ["EdDSA"], "use": None}
    (read,) = read_key_set({"keys": [odd, key | nulls]}).keys
    assert (read.kid, read.alg) == ("good", None)


@pytest.mark.parametrize("said", [None, "EdDSA", "Ed25519"])
@pytest.mark.parametrize("alg", ["EdDSA", "Ed25519"])
async def test_ed25519_has_two_names(
    alg: str, said: str | None, key_sets: KeySets, issuer: Any, clock: Any
) -> None:
    """RFC 9864: a key that is named by the one signs tokens that are named by the other."""
    key = OKPKey.generate_key("Ed25519", {"kid": "k"})
    issuer.keys = [OKPKey.import_key(key.as_dict(private=True) | ({} if said is None else {"alg": said}))]
    inbound = OidcInbound(issuer=issuer.url)
    authenticator = Authenticator(
        [inbound], audiences=(issuer.claims()["aud"],), key_sets=key_sets, clock=clock
    )
    with warnings.catch_warnings(action="ignore", category=SecurityWarning):  # EdDSA is an old name
        token = issuer.token(key=key, header={"alg": alg})
    assert (await authenticator.authenticate(token)).subject == "ada"


@pytest.mark.parametrize("document", [None, [], {}, {"keys": None}])
def test_a_document_without_keys_is_refused(document: object) -> None:
    with pytest.raises(ValueError, match=r'^the key set is not a JSON object with a list "keys"$'):
        read_key_set(document)


async def test_strangers_issuers_are_remembered_up_to_a_number(issuer: Any) -> None:
    key_sets = KeySets(Fetcher(), issuer.clock, most=2)
    url = canonical_url(issuer.jwks_url)
    for name in ("a", "b", "b", "c", "a"):
        await key_sets.get(KeyLocation(name, url))
    assert issuer.requests == ["/jwks"] * 4
