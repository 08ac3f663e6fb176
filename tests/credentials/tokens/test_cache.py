"""Tokens are fetched once, renewed ahead of expiry, and no call waits for or fails on it."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from ostiary.credentials.error import CredentialError, CredentialMisconfigured, CredentialUnreachable
from ostiary.credentials.headers.headers import OutgoingRequest, ServerRefusal
from ostiary.credentials.headers.token_headers import TokenHeaders
from ostiary.credentials.tokens.cache import TokenCache, TokenKey
from ostiary.credentials.tokens.held_token import TokenStatus
from ostiary.credentials.tokens.token import Token
from ostiary.oauth.canonical_url import canonical_url
from ostiary.secrets import Secret

REQUEST = OutgoingRequest("POST", canonical_url("https://mcp.example.com/mcp"))
REFUSED = ServerRefusal(401)


def value(token: Token | None) -> str:
    return "(none)" if token is None else token.value.reveal()


async def settle() -> None:
    """Let what was started in the background finish."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_thousand_calls_on_a_cold_cache_fetch_once(cache: TokenCache, source: Any) -> None:
    tokens = await asyncio.gather(*(cache.get("key", source) for _ in range(1000)))
    assert source.fetches == 1
    assert {value(token) for token in tokens} == {"token-1"}


async def test_different_keys_have_different_tokens(cache: TokenCache, source: Any) -> None:
    assert value(await cache.get("one", source)) == "token-1"
    assert value(await cache.get("other", source)) == "token-2"


async def test_a_token_is_renewed_in_the_background_between_70_and_85_percent_of_its_life(
    cache: TokenCache, source: Any
) -> None:
    await cache.get("key", source)
    source.clock.now += 0.69 * 3600
    assert value(cache.ready("key")) == "token-1"
    await settle()
    assert source.fetches == 1
    source.clock.now += 0.16 * 3600
    assert value(cache.ready("key")) == "token-1"  # served while the next one is fetched
    await settle()
    assert value(cache.ready("key")) == "token-2"
    assert source.fetches == 2


async def test_tokens_fetched_together_are_not_renewed_together(cache: TokenCache, source: Any) -> None:
    for number in range(100):
        await cache.get(number, source)
    source.clock.now += 0.775 * 3600
    for number in range(100):
        cache.ready(number)
    await settle()
    assert 120 < source.fetches < 180


async def test_ten_thousand_steady_calls_across_many_expiries_never_wait(
    cache: TokenCache, source: Any
) -> None:
    await cache.get("key", source)
    for _ in range(10_000):
        source.clock.now += 3.6
        assert cache.ready("key") is not None
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert 10 <= source.fetches <= 16


async def test_while_renewal_fails_the_good_token_is_served_and_renewal_repeated(
    cache: TokenCache, source: Any
) -> None:
    await cache.get("key", source)
    source.down = True
    source.clock.now += 0.86 * 3600
    for _ in range(450):
        source.clock.now += 1
        assert value(cache.ready("key")) == "token-1"
        await settle()
    assert 8 <= source.fetches <= 20  # doubling pauses, not one fetch a call
    source.down = False
    source.clock.now += 30
    cache.ready("key")
    await settle()
    assert value(cache.ready("key")) not in {"(none)", "token-1"}


async def test_a_token_that_is_over_is_not_served(cache: TokenCache, source: Any) -> None:
    await cache.get("key", source)
    source.clock.now += 3591
    assert cache.ready("key") is None
    assert value(await cache.get("key", source)) == "token-2"


async def test_a_failed_first_fetch_is_heard_by_all_and_then_backed_off(
    cache: TokenCache, source: Any
) -> None:
    source.down = True
    waiting = [cache.get("key", source) for _ in range(100)]
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert {str(answer) for answer in answers} == {
        "credential counting for https://mcp.example.com: it is down; wait"
    }
    with pytest.raises(CredentialError):
        await cache.get("key", source)
    assert source.fetches == 1
    source.down = False
    source.clock.now += 1
    assert value(await cache.get("key", source)) == "token-2"


async def test_back_off_doubles_up_to_a_minute(cache: TokenCache, source: Any) -> None:
    source.down = True
    for _ in range(600):
        source.clock.now += 1
        with pytest.raises(CredentialError):
            await cache.get("key", source)
    assert 14 <= source.fetches <= 22


async def test_a_waiter_that_is_cancelled_does_not_cancel_the_fetch(cache: TokenCache, source: Any) -> None:
    first = asyncio.create_task(cache.get("key", source))
    second = asyncio.create_task(cache.get("key", source))
    await asyncio.sleep(0)
    first.cancel()
    assert value(await second) == "token-1"
    assert source.fetches == 1


async def test_a_fetch_nobody_waits_for_still_fills_the_cache(cache: TokenCache, source: Any) -> None:
    only = asyncio.create_task(cache.get("key", source))
    await asyncio.sleep(0)
    only.cancel()
    await settle()
    assert value(cache.ready("key")) == "token-1"


async def test_a_token_without_an_expiry_is_kept_until_it_is_refused(cache: TokenCache, source: Any) -> None:
    source.lifetime = None
    token = await cache.get("key", source)
    source.clock.now += 1e9
    assert cache.ready("key") is token
    assert cache.drop("key", token)
    assert value(await cache.get("key", source)) == "token-2"


async def test_a_token_over_on_arrival_is_an_error_about_the_clock(cache: TokenCache, source: Any) -> None:
    source.lifetime = -7200
    with pytest.raises(CredentialError) as refused:
        await cache.get("key", source)
    assert str(refused.value) == (
        "credential counting for https://mcp.example.com: "
        "its issuer gave a token that ended 7200 seconds ago by our clock; set the clock right, here or there"
    )


async def test_only_so_many_are_kept_and_the_oldest_goes_first(source: Any, clock: Any) -> None:
    async with TokenCache(clock, limit=2) as cache:
        for key in ("a", "b", "c"):
            await cache.get(key, source)
        assert [value(cache.ready(key)) for key in ("a", "b", "c")] == ["(none)", "token-2", "token-3"]


async def test_closing_ends_what_is_under_way(source: Any, clock: Any) -> None:
    cache = TokenCache(clock)
    waiter = asyncio.create_task(cache.get("key", source))
    await asyncio.sleep(0)
    await cache.close()
    with pytest.raises(asyncio.CancelledError):
        await waiter


async def test_a_burst_of_refusals_fetches_one_new_token(cache: TokenCache, source: Any) -> None:
    headers = TokenHeaders(source, key="key", cache=cache)

    async def call() -> str:
        sent = headers.ready(REQUEST) or await headers.get(REQUEST)
        await asyncio.sleep(0)
        if sent[0][1] == "Bearer token-1" and headers.refused(REQUEST, sent, REFUSED):
            sent = await headers.get(REQUEST)
        return sent[0][1]

    assert set(await asyncio.gather(*(call() for _ in range(1000)))) == {"Bearer token-2"}
    assert source.fetches == 2


async def test_a_server_that_refuses_every_token_does_not_make_us_hammer_the_issuer(
    cache: TokenCache, source: Any
) -> None:
    headers = TokenHeaders(source, key="key", cache=cache)
    tries = [headers.refused(REQUEST, await headers.get(REQUEST), REFUSED) for _ in range(10)]
    assert tries == [True] + [False] * 9
    assert source.fetches == 2
    source.clock.now += 30
    assert headers.refused(REQUEST, await headers.get(REQUEST), REFUSED)


async def test_the_pauses_between_fresh_tokens_that_are_refused_grow_to_a_minute(
    cache: TokenCache, source: Any
) -> None:
    headers = TokenHeaders(source, key="key", cache=cache)
    replaced = []
    for second in range(600):
        source.clock.now += 1
        if headers.refused(REQUEST, await headers.get(REQUEST), REFUSED):
            replaced.append(second)
    pauses = [later - earlier for earlier, later in pairwise(replaced)]
    assert pauses[:7] == [2, 3, 5, 9, 17, 33, 61]  # from the fetch on, which the next second's call brings
    assert set(pauses[7:]) == {61}


async def test_a_token_that_had_worked_is_replaced_at_once_however_short_ago_the_last_one_was(
    cache: TokenCache, source: Any
) -> None:
    headers = TokenHeaders(source, key="key", cache=cache)
    for number in range(1, 6):
        sent = await headers.get(REQUEST)
        headers.accepted(REQUEST, sent)
        assert headers.refused(REQUEST, sent, REFUSED)
        assert source.fetches == number
    await headers.get(REQUEST)
    assert not headers.refused(REQUEST, await headers.get(REQUEST), REFUSED)  # this one is fresh


async def test_a_token_that_was_renewed_in_time_is_on_no_trial(cache: TokenCache, source: Any) -> None:
    headers = TokenHeaders(source, key="key", cache=cache)
    for _ in range(3):
        assert headers.refused(REQUEST, await headers.get(REQUEST), REFUSED)
        await headers.get(REQUEST)
        source.clock.now += 0.86 * 3600
        headers.ready(REQUEST)
        await settle()


async def test_word_of_an_older_token_ends_no_trial(cache: TokenCache, source: Any) -> None:
    headers = TokenHeaders(source, key="key", cache=cache)
    old = await headers.get(REQUEST)
    assert headers.refused(REQUEST, old, REFUSED)
    new = await headers.get(REQUEST)
    headers.accepted(REQUEST, old)
    assert not headers.refused(REQUEST, new, REFUSED)


# the last tenth


class Hanging:
    """An issuer whose second answer never comes, or comes when the test says so."""

    credential, endpoint = "hanging", "https://mcp.example.com"

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.fetches = 0
        self.answer = asyncio.Event()
        self.fails = False

    async def fetch(self) -> Token:
        self.fetches += 1
        number = self.fetches
        if number > 1:
            await self.answer.wait()
        if number > 1 and self.fails:
            raise CredentialUnreachable("it is down", **WORDS, retry_after=None)
        return Token(Secret(f"token-{number}"), self.clock.now + 60)


@pytest.fixture
def hanging(clock: Any) -> Hanging:
    return Hanging(clock)


async def test_in_the_last_tenth_a_good_token_is_sent_while_its_renewal_hangs(
    cache: TokenCache, hanging: Hanging
) -> None:
    await cache.get("key", hanging)
    hanging.clock.now += 52
    assert value(cache.ready("key", hanging)) == "token-1"  # which starts the renewal
    for _ in range(7):
        hanging.clock.now += 1
        assert value(await cache.get("key", hanging)) == "token-1"
    hanging.clock.now += 1
    waiting = asyncio.create_task(cache.get("key", hanging))
    await settle()
    assert not waiting.done()  # it is over, and only now a call waits for the next
    hanging.answer.set()
    assert value(await waiting) == "token-2"
    assert hanging.fetches == 2


async def test_who_comes_first_in_the_last_tenth_waits_for_the_renewal(
    cache: TokenCache, hanging: Hanging
) -> None:
    await cache.get("key", hanging)
    hanging.clock.now += 55
    waiting = asyncio.create_task(cache.get("key", hanging))
    await settle()
    assert not waiting.done()
    hanging.answer.set()
    assert value(await waiting) == "token-2"


async def test_in_the_last_tenth_a_renewal_that_fails_costs_no_call(
    cache: TokenCache, hanging: Hanging
) -> None:
    hanging.fails = True
    hanging.answer.set()
    await cache.get("key", hanging)
    for _ in range(5):
        hanging.clock.now += 1 if hanging.fetches > 1 else 55
        assert value(await cache.get("key", hanging)) == "token-1"
    hanging.clock.now += 1
    with pytest.raises(CredentialUnreachable):
        await cache.get("key", hanging)


async def test_many_who_come_in_the_last_tenth_renew_it_once(cache: TokenCache, hanging: Hanging) -> None:
    await cache.get("key", hanging)
    hanging.clock.now += 55
    waiting = [asyncio.create_task(cache.get("key", hanging)) for _ in range(100)]
    await settle()
    hanging.clock.now += 2
    late = [cache.get("key", hanging) for _ in range(100)]
    assert {value(token) for token in await asyncio.gather(*late)} == {"token-1"}
    hanging.answer.set()
    assert {value(token) for token in await asyncio.gather(*waiting)} == {"token-2"}
    assert hanging.fetches == 2


async def test_a_refused_token_that_was_renewed_meanwhile_is_not_dropped(
    cache: TokenCache, source: Any
) -> None:
    headers = TokenHeaders(source, key="key", cache=cache)
    old = await headers.get(REQUEST)
    source.clock.now += 3595
    new = await headers.get(REQUEST)
    assert headers.refused(REQUEST, old, REFUSED)
    assert headers.ready(REQUEST) is new


async def test_the_headers_of_one_token_are_one_object(cache: TokenCache, source: Any) -> None:
    headers = TokenHeaders(source, key="key", cache=cache)
    assert headers.ready(REQUEST) is None
    first = await headers.get(REQUEST)
    assert first == (("authorization", "Bearer token-1"),)
    assert headers.ready(REQUEST) is first
    assert await headers.get(REQUEST) is first


class Refusing:
    """An issuer that says no; `says` is what it raises, and `secret` what it was configured with."""

    credential, endpoint = "refusing", "https://mcp.example.com"

    def __init__(self, says: CredentialError) -> None:
        self.says: CredentialError | None = says
        self.secret = "old"
        self.fetches = 0

    def version(self) -> str:
        return self.secret

    async def fetch(self) -> Token:
        self.fetches += 1
        if self.says is not None:
            raise self.says
        return Token(Secret("good"))


WORDS = {"credential": "refusing", "endpoint": "https://mcp.example.com", "fix": "mend it"}


async def test_a_no_for_good_is_not_asked_about_again_and_needs_attention(
    cache: TokenCache, clock: Any
) -> None:
    source = Refusing(CredentialMisconfigured("it says invalid_client", **WORDS))
    for _ in range(299):
        clock.now += 1
        with pytest.raises(CredentialMisconfigured):
            await cache.get("key", source)
    assert source.fetches == 1
    said = "credential refusing for https://mcp.example.com: it says invalid_client; mend it"
    assert cache.status("key") == TokenStatus(None, None, said, needs_attention=True)
    clock.now += 2  # it may have been mended at the issuer
    source.says = None
    assert value(await cache.get("key", source)) == "good"


async def test_a_changed_secret_is_tried_at_once(cache: TokenCache) -> None:
    source = Refusing(CredentialMisconfigured("it says invalid_client", **WORDS))
    with pytest.raises(CredentialMisconfigured):
        await cache.get("key", source)
    source.secret, source.says = "new", None
    assert value(await cache.get("key", source)) == "good"


async def test_of_many_changes_only_some_are_tried_at_once(cache: TokenCache) -> None:
    """Each may be the token of another call, and the issuer is to be left alone."""
    source = Refusing(CredentialMisconfigured("it says invalid_grant", **WORDS))
    for number in range(50):
        source.secret = str(number)
        for source.secret in (str(number), "0"):
            with pytest.raises(CredentialMisconfigured):
                await cache.get("key", source)
    assert source.fetches == 16


async def test_a_token_that_is_still_good_outlives_a_no_for_good(cache: TokenCache, source: Any) -> None:
    token = await cache.get("key", source)
    refusing = Refusing(CredentialMisconfigured("it says invalid_client", **WORDS))
    source.clock.now += 0.86 * 3600
    assert cache.ready("key", refusing) is token
    await settle()
    for _ in range(100):
        source.clock.now += 1
        assert cache.ready("key", refusing) is token
        await settle()
    assert refusing.fetches == 1
    status = cache.status("key")
    assert status is not None
    assert (status.expires_at, status.needs_attention) == (token.expires_at, True)


async def test_an_issuer_that_says_when_is_asked_then(cache: TokenCache, clock: Any) -> None:
    source = Refusing(CredentialUnreachable("it is busy", **WORDS, retry_after=120.0))
    for _ in range(121):
        with pytest.raises(CredentialUnreachable):
            await cache.get("key", source)
        clock.now += 1
    assert source.fetches == 2


async def test_an_issuer_cannot_put_us_off_for_ever(cache: TokenCache, clock: Any) -> None:
    source = Refusing(CredentialUnreachable("it is busy", **WORDS, retry_after=1e9))
    with pytest.raises(CredentialUnreachable):
        await cache.get("key", source)
    source.says = None
    clock.now += 3600
    assert value(await cache.get("key", source)) == "good"


async def test_the_status_says_how_long_a_token_lives_and_when_it_is_renewed(
    cache: TokenCache, source: Any
) -> None:
    assert cache.status("key") is None
    began = source.clock.now
    await cache.get("key", source)
    status = cache.status("key")
    assert status is not None
    assert status.renew_after is not None
    assert began + 0.70 * 3600 <= status.renew_after <= began + 0.85 * 3600
    assert status == TokenStatus(began + 3600, status.renew_after, None, needs_attention=False)


def test_the_words_of_a_token_are_its_name() -> None:
    assert TokenKey("a", 1) == TokenKey("a", 1)
    assert hash(TokenKey("a", 1)) == hash(TokenKey("a", 1))
    assert TokenKey("a", 1) != TokenKey("a", 2)


@pytest.mark.parametrize("token", ["a\r\nX-Admin: 1", "a\nb", "a\x00b", "ä", "a "])
async def test_a_token_that_would_forge_a_header_is_refused(
    cache: TokenCache, source: Any, token: str
) -> None:
    class Forging:
        credential, endpoint = "forging", "https://mcp.example.com"

        async def fetch(self) -> Token:
            return Token(Secret(token))

    with pytest.raises(CredentialError) as refused:
        await TokenHeaders(Forging(), key="key", cache=cache).get(REQUEST)
    assert str(refused.value) == (
        "credential forging for https://mcp.example.com: "
        "the token has a line break or another character that no header may have; see what its issuer answers"
    )
