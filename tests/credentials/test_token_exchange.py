"""A token for another one, RFC 8693, and Entra ID's way to do it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from joserfc.errors import JoseError
from pydantic import ValidationError
from tests.clock import Clock
from tests.credentials.signed import Signer
from tests.credentials.token_server import TokenServer, refusing, saying

from ostiary.credentials import Bearer, CredentialError, TokenExchange, WorkloadJwt
from ostiary.credentials.error import CallerUnknown
from ostiary.credentials.headers.headers import Headers, OutgoingRequest, ServerRefusal
from ostiary.credentials.runtime import Runtime
from ostiary.identity.principal import Principal
from ostiary.oauth.canonical_url import canonical_url
from ostiary.secrets import Secret

SERVER = canonical_url("https://mcp.example.com/mcp")
URN = "urn:ietf:params:oauth:token-type:"
GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"


class Exchange(TokenServer):
    """Takes tokens of one issuer, and gives its own for the same subject."""

    def __init__(self, trusted: Signer) -> None:
        super().__init__(self.exchange)
        self.trusted = trusted
        self.lifetime = 600

    def exchange(self, request: web.Request, form: dict[str, str]) -> web.Response:
        presented = form.get("subject_token") or form["assertion"]
        try:
            subject = self.trusted.read(presented)["sub"]
        except JoseError:
            return web.json_response({"error": "invalid_request"}, status=400)
        self.issued += 1
        return web.json_response(
            {
                "access_token": f"{subject}-{self.issued}",
                "issued_token_type": URN + "access_token",
                "token_type": "Bearer",
                "expires_in": self.lifetime,
            }
        )


@pytest.fixture
async def runtime(clock: Clock) -> AsyncIterator[Runtime]:
    async with Runtime(clock=clock) as runtime:
        yield runtime


@pytest.fixture
def idp() -> Signer:
    return Signer("https://sso.example.com")


@pytest.fixture
async def service(idp: Signer) -> AsyncIterator[Exchange]:
    exchange = Exchange(idp)
    async with exchange.running():
        yield exchange


def of(principal: Principal | None) -> OutgoingRequest:
    return OutgoingRequest("POST", SERVER, principal=principal)


def token(headers: Headers | None) -> str:
    [(name, value)] = headers or ()
    assert name == "authorization"
    return value.removeprefix("Bearer ")


async def test_each_caller_gets_a_token_of_their_own(
    service: Exchange, runtime: Runtime, idp: Signer, clock: Clock
) -> None:
    headers = TokenExchange(token_url=service.token_url).attach(SERVER, runtime=runtime)
    ada, bob = idp.principal(clock.now, "ada"), idp.principal(clock.now, "bob")
    assert headers.ready(of(ada)) is None
    assert token(await headers.get(of(ada))) == "ada-1"
    assert headers.ready(of(bob)) is None
    assert token(await headers.get(of(bob))) == "bob-2"
    assert token(headers.ready(of(ada))) == "ada-1"
    assert headers.ready(of(ada)) is headers.ready(of(ada))
    assert service.forms[0] == {
        "grant_type": GRANT,
        "subject_token": ada.token.reveal(),
        "subject_token_type": URN + "access_token",
        "resource": "https://mcp.example.com/mcp",
    }


async def test_many_calls_of_one_caller_exchange_once(
    service: Exchange, runtime: Runtime, idp: Signer, clock: Clock
) -> None:
    headers = TokenExchange(token_url=service.token_url).attach(SERVER, runtime=runtime)
    ada = idp.principal(clock.now)
    await asyncio.gather(*(headers.get(of(ada)) for _ in range(50)))
    assert service.issued == 1


async def test_another_token_of_the_same_caller_is_exchanged_anew(
    service: Exchange, runtime: Runtime, idp: Signer, clock: Clock
) -> None:
    headers = TokenExchange(token_url=service.token_url).attach(SERVER, runtime=runtime)
    assert token(await headers.get(of(idp.principal(clock.now, scope="read")))) == "ada-1"
    assert token(await headers.get(of(idp.principal(clock.now, scope="read write")))) == "ada-2"


async def test_tokens_of_three_users_that_are_renewed_all_day_are_exchanged_once_each(
    service: Exchange, runtime: Runtime, idp: Signer, clock: Clock
) -> None:
    service.lifetime = 12 * 3600
    headers = TokenExchange(token_url=service.token_url).attach(SERVER, runtime=runtime)
    for number in range(24):
        for name in ("ada", "bob", "eve"):
            caller = idp.principal(clock.now, name, scope="read", jti=f"{name}-{number}")
            sent = headers.ready(of(caller)) or await headers.get(of(caller))
            assert token(sent).startswith(name)
        clock.now += 900
    assert service.issued == 3


@pytest.mark.parametrize(
    "claims",
    [
        {"scope": "read write"},
        {"client_id": "another"},
        {"auth_time": 1},
        {"sid": "another"},
        {"groups": ["admins"]},
        {"act": {"sub": "agent"}},
        {"tenant": "b"},
    ],
)
async def test_whose_token_says_something_else_gets_an_exchange_of_their_own(
    service: Exchange, runtime: Runtime, idp: Signer, clock: Clock, claims: dict[str, Any]
) -> None:
    """Another client, another sign-in, other rights: never what an earlier token was good for."""
    headers = TokenExchange(token_url=service.token_url).attach(SERVER, runtime=runtime)
    assert token(await headers.get(of(idp.principal(clock.now, scope="read")))) == "ada-1"
    other = idp.principal(clock.now, **{"scope": "read", **claims})
    assert headers.ready(of(other)) is None
    assert token(await headers.get(of(other))) == "ada-2"


async def test_the_newest_token_is_the_one_that_is_exchanged_next(
    service: Exchange, runtime: Runtime, idp: Signer, clock: Clock
) -> None:
    headers = TokenExchange(token_url=service.token_url).attach(SERVER, runtime=runtime)
    await headers.get(of(idp.principal(clock.now)))
    clock.now += 600
    newer = idp.principal(clock.now)
    await headers.get(of(newer))
    assert service.forms[-1]["subject_token"] == newer.token.reveal()


async def test_where_one_token_is_refused_the_caller_s_next_is_tried_at_once(
    service: Exchange, runtime: Runtime, idp: Signer, clock: Clock
) -> None:
    headers = TokenExchange(token_url=service.token_url).attach(SERVER, runtime=runtime)
    ended, good = idp.principal(clock.now, jti="1"), idp.principal(clock.now, jti="2")
    service.answer = refusing("invalid_grant")
    for _ in range(3):
        with pytest.raises(CredentialError):
            await headers.get(of(ended))
    assert len(service.forms) == 1
    service.answer = service.exchange
    assert token(await headers.get(of(good))) == "ada-1"


async def test_a_refused_token_is_exchanged_again_for_that_caller_alone(
    service: Exchange, runtime: Runtime, idp: Signer, clock: Clock
) -> None:
    headers = TokenExchange(token_url=service.token_url).attach(SERVER, runtime=runtime)
    ada, bob = idp.principal(clock.now, "ada"), idp.principal(clock.now, "bob")
    sent = await headers.get(of(ada))
    kept = await headers.get(of(bob))
    assert headers.refused(of(ada), sent, ServerRefusal(401))
    assert token(await headers.get(of(ada))) == "ada-3"
    assert headers.ready(of(bob)) is kept


async def test_without_a_caller_there_is_nobody_to_act_for(service: Exchange, runtime: Runtime) -> None:
    headers = TokenExchange(token_url=service.token_url).attach(SERVER, runtime=runtime)
    assert headers.ready(of(None)) is None
    assert not headers.refused(of(None), (), ServerRefusal(401))
    with pytest.raises(CallerUnknown) as refused:
        await headers.get(of(None))
    assert str(refused.value) == (
        "credential token_exchange for https://mcp.example.com: it acts for whoever calls, "
        "and nobody is known to call; "
        "call with a token that the gateway's inbound accepts, or set subject to a credential"
    )
    assert service.forms == []


async def test_every_word_of_the_rfc_can_be_said(
    service: Exchange, runtime: Runtime, idp: Signer, clock: Clock, tmp_path: Path
) -> None:
    actor = tmp_path / "actor"
    actor.write_text(idp.sign(clock.now, sub="gateway"))
    exchange = TokenExchange(
        token_url=service.token_url,
        client_id="ostiary",
        client_secret=Secret("s"),
        auth_method="client_secret_post",
        subject_token_type="id_token",
        actor=WorkloadJwt(file=actor),
        audience="weather",
        resource="urn:weather",
        scopes=("read", "write"),
        requested_token_type="access_token",
    )
    ada = idp.principal(clock.now)
    await exchange.attach(SERVER, runtime=runtime).get(of(ada))
    assert service.forms == [
        {
            "grant_type": GRANT,
            "subject_token": ada.token.reveal(),
            "subject_token_type": URN + "id_token",
            "actor_token": actor.read_text(),
            "actor_token_type": URN + "jwt",
            "audience": "weather",
            "resource": "urn:weather",
            "scope": "read write",
            "requested_token_type": URN + "access_token",
            "client_id": "ostiary",
            "client_secret": "s",
        }
    ]


async def test_the_subject_may_be_another_credential(
    service: Exchange, runtime: Runtime, idp: Signer, clock: Clock, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(idp.sign(clock.now, sub="runner"))
    exchange = TokenExchange(issuer=service.issuer, subject=WorkloadJwt(file=file), audience="weather")
    headers = exchange.attach(SERVER, runtime=runtime)
    assert token(await headers.get(of(None))) == "runner-1"
    assert headers.ready(of(idp.principal(clock.now))) is headers.ready(of(None))
    [form] = service.forms
    assert (form["subject_token_type"], form["audience"], "resource" in form) == (
        URN + "jwt",
        "weather",
        False,
    )


async def test_entra_is_asked_in_its_own_words(
    service: Exchange, runtime: Runtime, idp: Signer, clock: Clock
) -> None:
    exchange = TokenExchange(
        preset="entra_obo",
        token_url=service.token_url,
        client_id="gateway",
        client_secret=Secret("s"),
        auth_method="client_secret_post",
        scopes=("api://weather/.default",),
    )
    ada = idp.principal(clock.now)
    assert token(await exchange.attach(SERVER, runtime=runtime).get(of(ada))) == "ada-1"
    assert service.forms == [
        {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": ada.token.reveal(),
            "requested_token_use": "on_behalf_of",
            "scope": "api://weather/.default",
            "client_id": "gateway",
            "client_secret": "s",
        }
    ]


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"preset": "entra_obo"}, "preset entra_obo needs scopes, such as api://my-server/.default"),
        (
            {"preset": "entra_obo", "scopes": ["a"], "audience": "b", "resource": "https://c.example"},
            "preset entra_obo has no audience and no resource: leave it out",
        ),
        ({"issuer": None}, "set issuer or token_url: whoever is asked for tokens gets the subject's token"),
        ({"subject": "outbound"}, "Input should be 'inbound'"),
        (
            {"subject": {"type": "none"}},
            "'none' found using 'type' does not match any of the expected tags",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError) as refused:
        TokenExchange.model_validate({"issuer": "https://sts.example.com"} | settings)
    assert why in str(refused.value)


async def test_a_token_of_another_type_than_asked_is_refused(
    service: Exchange, runtime: Runtime, idp: Signer, clock: Clock
) -> None:
    service.answer = saying(
        {"access_token": "hunter2", "token_type": "Bearer", "issued_token_type": URN + "refresh_token"}
    )
    headers = TokenExchange(token_url=service.token_url).attach(SERVER, runtime=runtime)
    with pytest.raises(CredentialError) as refused:
        await headers.get(of(idp.principal(clock.now)))
    assert str(refused.value) == (
        f"credential token_exchange for https://mcp.example.com: token endpoint {service.token_url}: "
        "it issued 'urn:ietf:params:oauth:token-type:refresh_token', where an access token was asked for; "
        "set requested_token_type to what it issues"
    )


async def test_a_refusal_that_repeats_the_token_does_not_show_it(
    service: Exchange, runtime: Runtime, idp: Signer, clock: Clock
) -> None:
    ada = idp.principal(clock.now)
    service.answer = refusing("invalid_request", f"bad subject_token {ada.token.reveal()}"[:280])
    headers = TokenExchange(token_url=service.token_url).attach(SERVER, runtime=runtime)
    with pytest.raises(CredentialError) as refused:
        await headers.get(of(ada))
    assert ada.token.reveal()[:40] not in str(refused.value)
    assert ada.token.reveal() not in repr(refused.value) + repr(headers)


async def test_a_subject_without_a_bearer_token_is_said_so(
    service: Exchange, runtime: Runtime, tmp_path: Path
) -> None:
    exchange = TokenExchange(
        token_url=service.token_url, subject=Bearer(token=Secret.from_file(tmp_path / "absent"))
    )
    with pytest.raises(CredentialError) as refused:
        await exchange.attach(SERVER, runtime=runtime).get(of(None))
    assert str(refused.value) == (
        f"credential bearer for {service.issuer}: file {tmp_path / 'absent'} cannot be read: "
        "No such file or directory; set it to the value that the server gave you"
    )
