"""A provider without OpenID Connect: whatever it says is mapped, and userinfo says who somebody is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web
from tests.authserver.conftest import Clock
from tests.authserver.idps.conftest import CALLBACK, INLINE
from tests.authserver.idps.recorded import Recorded, recorded

from ostiary.authserver.config.idps import OAuth2Idp
from ostiary.authserver.idps.idp import (
    GrantDead,
    IdpAnswerRefused,
    IdpDenied,
    IdpUnavailable,
    LoginOptions,
)
from ostiary.authserver.idps.oauth2 import OAuth2Provider
from ostiary.authserver.idps.tools import Tools
from ostiary.authserver.upstream_account import Identity, UpstreamAccount, UpstreamTokens

TOKENS = {"access_token": "the-token", "token_type": "bearer", "scope": "read"}


@pytest.fixture
async def there() -> AsyncIterator[Recorded]:
    async with recorded() as provider:
        yield provider


Provider = Callable[..., OAuth2Provider]


@pytest.fixture
def provider(there: Recorded, tools: Tools) -> Provider:
    """The entry `hub`, with these settings."""

    def made(**settings: Any) -> OAuth2Provider:
        values = {
            "name": "hub",
            "type": "oauth2",
            "authorization_endpoint": f"{there.url}/authorize",
            "token_endpoint": f"{there.url}/token",
            "client_id": "ostiary",
            "client_secret": "hunter2",
            "auth_method": "client_secret_post",
            "scopes": ["read"],
            "userinfo": {"url": f"{there.url}/user", "subject": "id"},
        } | settings
        return OAuth2Provider(OAuth2Idp.model_validate(values, context=INLINE), tools)

    return made


async def arrived(
    provider: OAuth2Provider, clock: Clock, query: bytes = b"code=the-code&state=s"
) -> UpstreamAccount:
    left = await provider.begin(state="s", redirect_uri=CALLBACK, options=LoginOptions())
    return await provider.complete(query, left.memory, now=clock())


async def test_a_person_signs_in(provider: Provider, there: Recorded, clock: Clock) -> None:
    there.says("/token", TOKENS)
    there.says("/user", {"id": 42, "name": "Alice", "email": "alice@example.com"})
    at = provider()
    left = await at.begin(state="s", redirect_uri=CALLBACK, options=LoginOptions(prompt=("consent",)))
    asked = parse_qs(urlsplit(left.url).query)
    assert {name: asked[name] for name in ("scope", "state", "prompt", "code_challenge_method")} == {
        "scope": ["read"],
        "state": ["s"],
        "prompt": ["consent"],
        "code_challenge_method": ["S256"],
    }
    connected = await at.complete(b"code=the-code&state=s", left.memory, now=clock())
    assert connected == UpstreamAccount(
        idp="hub",
        issuer=f"{there.url}/token",
        account="42",
        client_id="ostiary",
        tokens=UpstreamTokens("the-token", scopes=("read",)),
        label="alice@example.com",
        identity=Identity(issuer=f"{there.url}/token", subject="42", name="Alice", email="alice@example.com"),
    )
    assert there.asked == [
        {
            "to": "POST /token",
            "grant_type": "authorization_code",
            "code": "the-code",
            "redirect_uri": CALLBACK,
            "code_verifier": left.memory.code_verifier,
            "client_id": "ostiary",
            "client_secret": "hunter2",
        },
        {"to": "GET /user", "authorization": "Bearer the-token"},
    ]


@pytest.mark.parametrize(
    ("answer", "account"),
    [
        ('{"id": 9007199254740992}', "9007199254740992"),
        ('{"id": 9007199254740993}', "9007199254740993"),
        ('{"id": "9007199254740993"}', "9007199254740993"),
    ],
)
async def test_userinfo_subject_table(
    answer: str, account: str, provider: Provider, there: Recorded, clock: Clock
) -> None:
    there.says("/token", TOKENS)
    there.answers["/user"] = [web.Response(text=answer, content_type="application/json")]
    connected = await arrived(provider(), clock)
    assert connected.account == account
    assert connected.identity is not None
    assert connected.identity.subject == account


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("{}", "there is no subject at id; say where this provider has it"),
        ('{"id": null}', "the subject at id is null"),
        ('{"id": true}', "the subject at id is true or false, which names nobody"),
        ('{"id": [1]}', "the subject at id is a list or an object, not text or a number"),
        ('{"id": 1e3}', "the subject at id is not a whole number, or not written as one"),
        ('{"id": ""}', "the subject at id is empty"),
        ('{"id": "a\\nb"}', "the subject at id has characters around or in it that nobody sees"),
        ('{"id": "' + "x" * 256 + '"}', "the subject at id is longer than 255 bytes"),
        ('{"id": 1, "id": 2}', "the userinfo answer has the same name twice"),
        (
            '{"ok": false, "error": "invalid_auth"}',
            "there is no subject at id; say where this provider has it",
        ),
    ],
)
async def test_odd_userinfo(answer: str, why: str, provider: Provider, there: Recorded, clock: Clock) -> None:
    there.says("/token", TOKENS)
    there.answers["/user"] = [web.Response(text=answer, content_type="application/json")]
    with pytest.raises(IdpAnswerRefused) as refused:
        await arrived(provider(), clock)
    assert str(refused.value) == f"identity provider hub: {why}"


async def test_userinfo_of_10_mb(provider: Provider, there: Recorded, clock: Clock) -> None:
    there.says("/token", TOKENS)
    there.answers["/user"] = [web.Response(body=b" " * 10_000_000)]
    with pytest.raises(IdpUnavailable) as refused:
        await arrived(provider(), clock)
    assert str(refused.value) == (
        f"identity provider hub: {there.url}/user: the answer is longer than 1048576 bytes"
    )


async def test_userinfo_says_no(provider: Provider, there: Recorded, clock: Clock) -> None:
    there.says("/token", TOKENS)
    there.says("/user", {"message": "rate limit"}, status=403)
    with pytest.raises(IdpUnavailable) as refused:
        await arrived(provider(), clock)
    assert str(refused.value) == f"identity provider hub: {there.url}/user: it answered 403, not 200"


async def test_userinfo_does_not_take_the_token(provider: Provider, there: Recorded, clock: Clock) -> None:
    there.says("/token", TOKENS)
    there.says("/user", {"message": "Bad credentials"}, status=401)
    with pytest.raises(IdpAnswerRefused) as refused:
        await arrived(provider(), clock)
    assert str(refused.value) == f"identity provider hub: {there.url}/user takes the token no more"


async def test_whether_somebody_is_still_there_is_asked_with_an_access_token(
    provider: Provider, there: Recorded
) -> None:
    at, tokens = provider(), UpstreamTokens("never-ends")
    ours = {"issuer": f"{there.url}/token", "account": "42"}
    there.says("/user", {"id": 42})
    await at.still_knows(tokens, **ours)
    there.says("/user", {"message": "Bad credentials"}, status=401)
    with pytest.raises(GrantDead):
        await at.still_knows(tokens, **ours)
    there.says("/user", {"id": 43})
    with pytest.raises(GrantDead) as dead:
        await at.still_knows(tokens, **ours)
    assert str(dead.value) == "identity provider hub says that the tokens are somebody else's"
    there.says("/user", {}, status=503)
    with pytest.raises(IdpUnavailable):
        await at.still_knows(tokens, **ours)
    with pytest.raises(GrantDead):
        await at.still_knows(tokens, issuer="https://before.example.com", account="42")


async def test_userinfo_is_asked_as_configured(provider: Provider, there: Recorded, clock: Clock) -> None:
    there.says("/token", TOKENS)
    there.says("/who", {"data": {"user": {"id": "U1", "groups": ["keepers"], "big": 9007199254740993}}})
    at = provider(
        userinfo={
            "url": f"{there.url}/who",
            "method": "POST",
            "headers": {"X-Extra": "1"},
            "subject": ["sub", "data.user.id"],
        },
        claims={
            "groups": {"claim": "data.user.groups"},
            "big": {"claim": "data.user.big"},
            "no": {"claim": "x"},
        },
    )
    connected = await arrived(at, clock)
    assert there.asked[1] == {"to": "POST /who", "authorization": "Bearer the-token", "x-extra": "1"}
    assert connected.identity is not None
    assert connected.identity.claims == {"groups": ["keepers"], "big": 9007199254740993}


async def test_without_userinfo_it_is_connected_and_never_an_identity(
    provider: Provider, there: Recorded, clock: Clock
) -> None:
    there.says("/token", TOKENS)
    at = provider(userinfo=None)
    connected = await arrived(at, clock)
    assert not at.can_identify
    assert (connected.account, connected.label, connected.identity) == ("", None, None)


async def test_an_issuer_in_the_answer_counts_where_it_is_configured(
    provider: Provider, there: Recorded, clock: Clock
) -> None:
    query = b"code=c&state=s&iss=https%3A%2F%2Fevil.example.com"
    with pytest.raises(IdpAnswerRefused) as refused:
        await arrived(provider(issuer="https://hub.example.com"), clock, query)
    assert str(refused.value) == (
        "identity provider hub: the answer is from another issuer than https://hub.example.com, "
        "which was asked"
    )
    there.says("/token", TOKENS)
    there.says("/user", {"id": 1})
    connected = await arrived(
        provider(issuer="https://hub.example.com"), clock, b"code=c&state=s&iss=https%3A%2F%2Fhub.example.com"
    )
    assert connected.issuer == "https://hub.example.com"


async def test_the_person_says_no(provider: Provider, there: Recorded, clock: Clock) -> None:
    with pytest.raises(IdpDenied) as refused:
        await arrived(provider(), clock, b"error=access_denied&state=s")
    assert (str(refused.value), refused.value.error) == (
        "identity provider hub says access_denied",
        "access_denied",
    )
    assert there.asked == []


async def test_without_pkce_there_is_no_challenge(provider: Provider, there: Recorded, clock: Clock) -> None:
    there.says("/token", TOKENS)
    there.says("/user", {"id": 1})
    at = provider(pkce=False)
    left = await at.begin(state="s", redirect_uri=CALLBACK, options=LoginOptions())
    await at.complete(b"code=c&state=s", left.memory, now=clock())
    assert "code_challenge" not in left.url
    assert "code_verifier" not in there.asked[0]


async def test_tokens_are_renewed_and_ended(provider: Provider, there: Recorded, clock: Clock) -> None:
    there.says("/token", {"access_token": "new", "token_type": "bearer", "expires_in": "28800"})
    there.says("/revoke", {}, {})
    at = provider(revocation_endpoint=f"{there.url}/revoke")
    old = UpstreamTokens("old", refresh_token="r", scopes=("read",))
    ours = {"issuer": f"{there.url}/token", "client_id": "ostiary"}
    new = await at.renew(old, **ours, now=clock())
    assert new == UpstreamTokens("new", "r", None, clock() + 28800, ("read",))
    await at.revoke(new, **ours)
    assert [sent.get("token") for sent in there.asked] == [None, "r", "new"]


async def test_an_error_code_of_its_own_ends_the_grant(
    provider: Provider, there: Recorded, clock: Clock
) -> None:
    there.says("/token", {"error": "too_old"}, {"error": "too_old"})
    old = UpstreamTokens("old", refresh_token="r")
    ours = {"issuer": f"{there.url}/token", "client_id": "ostiary"}
    with pytest.raises(IdpAnswerRefused):
        await provider().renew(old, **ours, now=clock())
    with pytest.raises(GrantDead):
        await provider(ended_errors=["too_old"]).renew(old, **ours, now=clock())
    with pytest.raises(GrantDead):
        await provider().renew(old, issuer="https://before.example.com", client_id="ostiary", now=clock())
    with pytest.raises(GrantDead):
        await provider().renew(old, issuer=f"{there.url}/token", client_id="before", now=clock())
    assert len(there.asked) == 2
