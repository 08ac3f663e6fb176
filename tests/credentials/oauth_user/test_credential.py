"""A person's own token: authorization code with PKCE, refresh, step-up."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest
from pydantic import ValidationError
from tests.clock import Clock
from tests.credentials.persons_issuer import Person, PersonsIssuer, persons_issuer, redirect_port

from ostiary.credentials import CredentialError, OAuthUser
from ostiary.credentials.adapters.httpx2 import CredentialAuth
from ostiary.credentials.browser import Browser
from ostiary.credentials.runtime import Runtime
from ostiary.credentials.vault.file_vault import FileVault
from ostiary.credentials.vault.vault import VaultError
from ostiary.secrets import Secret

Client = Callable[..., Awaitable[httpx2.AsyncClient]]


@pytest.fixture
async def issuer() -> AsyncIterator[PersonsIssuer]:
    async with persons_issuer() as issuer:
        yield issuer


@pytest.fixture
def person() -> Person:
    return Person()


@pytest.fixture
async def program(issuer: PersonsIssuer, clock: Clock, tmp_path: Path) -> AsyncIterator[Client]:
    """Start a program of the person's: an HTTP client with a runtime of its own, and the one vault."""
    async with AsyncExitStack() as stack:

        async def start(user: OAuthUser | None = None, browser: Browser | None = None) -> httpx2.AsyncClient:
            runtime = Runtime(clock=clock, browser=browser, vault=FileVault(tmp_path))
            await stack.enter_async_context(runtime)
            auth = CredentialAuth(user or OAuthUser(), server_url=issuer.server, runtime=runtime)
            return await stack.enter_async_context(httpx2.AsyncClient(auth=auth))

        yield start


async def call(client: httpx2.AsyncClient, issuer: PersonsIssuer) -> int:
    async with asyncio.timeout(10):
        return (await client.post(issuer.server, json={})).status_code


async def failure(client: httpx2.AsyncClient, issuer: PersonsIssuer) -> str:
    with pytest.raises(CredentialError) as refused:
        await call(client, issuer)
    return str(refused.value).removeprefix(f"credential oauth_user for {issuer.server}: ")


async def test_the_person_signs_in_for_what_the_challenge_names(
    program: Client, issuer: PersonsIssuer, person: Person
) -> None:
    client = await program(browser=person)
    assert await call(client, issuer) == 200
    assert issuer.sent == [None, "Bearer token-1"]
    asked, redeemed = issuer.asked[0], issuer.redeemed[0]
    assert (asked["scope"], asked["code_challenge_method"]) == ("read", "S256")
    assert asked["resource"] == redeemed["resource"] == issuer.server
    assert (asked["client_id"], asked["redirect_uri"]) == (redeemed["client_id"], redeemed["redirect_uri"])
    assert "Back to your terminal" in person.read[0]


async def test_without_scopes_in_the_challenge_all_of_the_server_s_are_asked_for(
    program: Client, issuer: PersonsIssuer, person: Person
) -> None:
    issuer.challenge, issuer.needs = 'error="invalid_token"', "all"
    assert await call(await program(browser=person), issuer) == 200
    assert issuer.asked[0]["scope"] == "all"


async def test_many_calls_at_once_ask_the_person_once(
    program: Client, issuer: PersonsIssuer, person: Person
) -> None:
    client = await program(browser=person)
    assert await asyncio.gather(*(call(client, issuer) for _ in range(20))) == [200] * 20
    assert len(person.shown) == len(issuer.redeemed) == 1


async def test_the_next_program_needs_no_person(
    program: Client, issuer: PersonsIssuer, person: Person
) -> None:
    await call(await program(browser=person), issuer)
    assert await call(await program(), issuer) == 200
    assert issuer.sent[2:] == ["Bearer token-1"]


async def test_without_a_person_the_error_says_how_to_sign_in(program: Client, issuer: PersonsIssuer) -> None:
    told = await failure(await program(), issuer)
    assert told == f"nobody has signed in; run `ostiary login {issuer.server}`"
    assert issuer.sent == []


async def test_signing_in_elsewhere_mends_a_running_program(
    program: Client, issuer: PersonsIssuer, person: Person
) -> None:
    running = await program()
    await failure(running, issuer)
    await call(await program(browser=person), issuer)
    assert await call(running, issuer) == 200


async def test_a_token_is_refreshed_and_its_refresh_token_replaced(
    program: Client, issuer: PersonsIssuer, person: Person, clock: Clock
) -> None:
    client = await program(browser=person)
    await call(client, issuer)
    for number in (2, 3):
        clock.now += 4000
        assert await call(client, issuer) == 200
        assert issuer.redeemed[-1] == {
            "grant_type": "refresh_token",
            "refresh_token": f"refresh-{number - 1}",
            "scope": "read",
            "resource": issuer.server,
            "client_id": "client-1",
        }
    assert len(person.shown) == 1


@pytest.mark.parametrize("error", ["invalid_scope", "invalid_request"])
async def test_an_issuer_that_will_not_hear_scopes_again_is_asked_without(
    program: Client, issuer: PersonsIssuer, person: Person, clock: Clock, error: str
) -> None:
    await call(await program(browser=person), issuer)
    issuer.refuses_scopes = error
    clock.now += 4000
    assert await call(await program(), issuer) == 200
    assert [(form["refresh_token"], form.get("scope")) for form in issuer.redeemed[1:]] == [
        ("refresh-1", "read"),
        ("refresh-1", None),
    ]


async def test_a_refusal_for_another_reason_is_not_asked_for_twice(
    program: Client, issuer: PersonsIssuer, person: Person, clock: Clock
) -> None:
    await call(await program(browser=person), issuer)
    issuer.refuses = {"error": "invalid_grant"}
    clock.now += 4000
    await failure(await program(), issuer)
    assert len(issuer.redeemed) == 2


class FullDisk(FileVault):
    """Room for nothing new, while `is_full`."""

    is_full = False

    async def put(self, key: str, record: bytes) -> None:
        if self.is_full:
            raise VaultError(f"{self.place} cannot be written: No space left on device")
        await super().put(key, record)


async def test_a_full_disk_costs_nobody_the_sign_in(
    program: Client, issuer: PersonsIssuer, person: Person, clock: Clock, tmp_path: Path
) -> None:
    await call(await program(browser=person), issuer)
    vault = FullDisk(tmp_path)
    async with Runtime(clock=clock, vault=vault) as runtime:
        auth = CredentialAuth(OAuthUser(), server_url=issuer.server, runtime=runtime)
        async with httpx2.AsyncClient(auth=auth) as client:
            vault.is_full = True
            for _ in range(3):
                clock.now += 4000
                assert await call(client, issuer) == 200
            vault.is_full = False
            clock.now += 4000
            assert await call(client, issuer) == 200
    assert [form["refresh_token"] for form in issuer.redeemed[1:]] == [
        f"refresh-{number}" for number in range(1, 5)
    ]
    clock.now += 4000
    assert await call(await program(), issuer) == 200


async def test_who_signs_in_anew_meanwhile_is_not_overwritten(
    program: Client, issuer: PersonsIssuer, person: Person, clock: Clock, tmp_path: Path
) -> None:
    await call(await program(browser=person), issuer)
    vault = FullDisk(tmp_path)
    async with Runtime(clock=clock, vault=vault) as runtime:
        auth = CredentialAuth(OAuthUser(), server_url=issuer.server, runtime=runtime)
        async with httpx2.AsyncClient(auth=auth) as client:
            vault.is_full = True
            clock.now += 4000
            assert await call(client, issuer) == 200
            issuer.refresh_tokens.clear()
            clock.now += 4000
            assert await call(await program(browser=person), issuer) == 200
            vault.is_full = False
            clock.now += 4000
            assert await call(client, issuer) == 200
    assert len(person.shown) == 2


async def test_two_programs_refresh_once(
    program: Client, issuer: PersonsIssuer, person: Person, clock: Clock
) -> None:
    await call(await program(browser=person), issuer)
    clock.now += 4000
    issuer.pauses = 0.05
    clients = [await program(), await program()]
    assert await asyncio.gather(*(call(client, issuer) for client in clients)) == [200, 200]
    assert [form["grant_type"] for form in issuer.redeemed] == ["authorization_code", "refresh_token"]


async def test_a_token_that_the_server_takes_no_more_is_refreshed_at_once(
    program: Client, issuer: PersonsIssuer, person: Person
) -> None:
    client = await program(browser=person)
    await call(client, issuer)
    issuer.expire()
    assert await call(client, issuer) == 200
    assert [form["grant_type"] for form in issuer.redeemed] == ["authorization_code", "refresh_token"]


async def test_a_refresh_token_that_is_over_needs_the_person(
    program: Client, issuer: PersonsIssuer, person: Person, clock: Clock
) -> None:
    await call(await program(browser=person), issuer)
    issuer.refresh_tokens.clear()
    clock.now += 4000
    assert await failure(await program(), issuer) == (
        f"the sign-in has ended: token endpoint {issuer.url}/token: it refused with invalid_grant; "
        f"run `ostiary login {issuer.server}`"
    )
    assert await call(await program(browser=person), issuer) == 200
    assert len(person.shown) == 2


async def test_an_odd_answer_costs_nobody_the_sign_in(
    program: Client, issuer: PersonsIssuer, person: Person, clock: Clock
) -> None:
    issuer.status, issuer.tells = 201, {"expires_in": "2147483647", "token_type": None}
    await call(await program(browser=person), issuer)
    issuer.expire()
    assert await call(await program(), issuer) == 200
    assert [form["grant_type"] for form in issuer.redeemed] == ["authorization_code", "refresh_token"]


async def test_a_spent_refresh_token_is_not_shown_again_after_an_answer_of_no_use(
    program: Client, issuer: PersonsIssuer, person: Person, clock: Clock
) -> None:
    await call(await program(browser=person), issuer)
    clock.now += 4000
    issuer.tells = {"access_token": ["odd"]}
    assert "its access_token is not a string" in await failure(await program(), issuer)
    issuer.tells = {}
    assert await call(await program(), issuer) == 200
    assert [form["refresh_token"] for form in issuer.redeemed[1:]] == ["refresh-1", "refresh-2"]


async def test_a_refresh_token_that_was_replaced_by_none_needs_the_person(
    program: Client, issuer: PersonsIssuer, person: Person, clock: Clock
) -> None:
    await call(await program(browser=person), issuer)
    clock.now += 4000
    issuer.tells = {"access_token": ["odd"], "refresh_token": ["odd"]}
    await failure(await program(), issuer)
    assert await failure(await program(), issuer) == (
        f"the sign-in has ended; run `ostiary login {issuer.server}`"
    )
    assert len(issuer.redeemed) == 2


async def test_a_good_token_is_used_to_its_end_though_it_cannot_be_refreshed(
    program: Client, issuer: PersonsIssuer, person: Person, clock: Clock
) -> None:
    issuer.gives_refresh_tokens = False
    client = await program(browser=person)
    await call(client, issuer)
    clock.now += 3400
    assert await call(client, issuer) == 200
    assert len(person.shown) == 1


async def test_more_scopes_are_asked_for_beside_those_granted(
    program: Client, issuer: PersonsIssuer, person: Person
) -> None:
    client = await program(browser=person)
    await call(client, issuer)
    issuer.needs = "write"
    assert await call(client, issuer) == 200
    assert issuer.asked[1]["scope"] == "read write"


async def test_a_server_that_is_never_content_does_not_ask_the_person_for_ever(
    program: Client, issuer: PersonsIssuer, person: Person
) -> None:
    client = await program(browser=person)
    for number in range(9):
        issuer.needs = f"never-{number}"
        assert await call(client, issuer) in {200, 403}
    assert len(person.shown) <= 4


async def test_without_a_person_the_server_s_403_is_the_answer(
    program: Client, issuer: PersonsIssuer, person: Person
) -> None:
    await call(await program(browser=person), issuer)
    issuer.needs = "write"
    assert await call(await program(), issuer) == 403


async def test_refusing_more_scopes_leaves_what_was_granted(
    program: Client, issuer: PersonsIssuer, person: Person
) -> None:
    client = await program(browser=person)
    await call(client, issuer)
    issuer.needs, issuer.answer = "write", {"code": "", "error": "access_denied"}
    assert await failure(client, issuer) == "access_denied; sign in again, and allow what is asked for"
    issuer.needs = "read"
    assert await call(client, issuer) == 200


async def test_two_clients_of_one_program_use_one_sign_in(
    issuer: PersonsIssuer, person: Person, clock: Clock, tmp_path: Path
) -> None:
    async with Runtime(clock=clock, browser=person, vault=FileVault(tmp_path)) as runtime:
        for expected in (["authorization_code"], ["authorization_code", "refresh_token"]):
            auths = [CredentialAuth(OAuthUser(), server_url=issuer.server, runtime=runtime) for _ in range(2)]
            for auth in auths:
                async with httpx2.AsyncClient(auth=auth) as client:
                    assert await call(client, issuer) == 200
            assert [form["grant_type"] for form in issuer.redeemed] == expected
            clock.now += 4000


async def test_an_issuer_that_is_away_is_no_end_of_the_sign_in(
    program: Client, issuer: PersonsIssuer, person: Person, clock: Clock
) -> None:
    await call(await program(browser=person), issuer)
    issuer.refuses = {"error": "temporarily_unavailable"}
    clock.now += 4000
    client = await program()
    assert "it refused with temporarily_unavailable" in await failure(client, issuer)
    issuer.refuses = None
    clock.now += 5
    assert await call(client, issuer) == 200
    assert len(person.shown) == 1


# odd issuers


async def test_the_settings_that_google_and_entra_want(
    program: Client, issuer: PersonsIssuer, person: Person, clock: Clock
) -> None:
    issuer.metadata = {"code_challenge_methods_supported": None}
    user = OAuthUser(
        issuer=issuer.url,
        client_id="by-hand",
        scopes=("read",),
        resource=False,
        authorization_params={"access_type": "offline", "prompt": "consent"},
        code_challenge_methods_supported=("S256",),
    )
    client = await program(user, person)
    for _ in range(2):
        assert await call(client, issuer) == 200
        clock.now += 4000
    assert [form["grant_type"] for form in issuer.redeemed] == ["authorization_code", "refresh_token"]
    assert not any("resource" in said for said in (*issuer.asked, *issuer.redeemed))
    assert (issuer.asked[0]["access_type"], issuer.asked[0]["prompt"]) == ("offline", "consent")
    assert issuer.asked[0]["code_challenge_method"] == "S256"


@pytest.mark.parametrize("name", ["state", "redirect_uri", "code_challenge", "resource"])
def test_what_we_say_ourselves_cannot_be_configured(name: str) -> None:
    with pytest.raises(ValidationError, match="is set by Ostiary itself and cannot be configured here"):
        OAuthUser(authorization_params={name: "x"})


@pytest.mark.parametrize("slash", ["", "/"])
async def test_a_server_and_its_issuer_may_differ_by_a_slash(
    program: Client, issuer: PersonsIssuer, person: Person, clock: Clock, slash: str
) -> None:
    named, itself = issuer.url + slash, issuer.url + ("" if slash else "/")
    issuer.authorization_servers, issuer.metadata = [named], {"issuer": itself}
    issuer.answer = {"iss": itself}
    client = await program(browser=person)
    for _ in range(2):
        assert await call(client, issuer) == 200
        clock.now += 4000
    assert len(person.shown) == 1


async def test_at_a_server_of_2025_03_26_without_metadata_default_addresses_are_taken(
    program: Client, issuer: PersonsIssuer, person: Person, clock: Clock
) -> None:
    issuer.describes_itself = issuer.has_metadata = False
    issuer.answer = {"iss": ""}
    client = await program(browser=person)
    for _ in range(2):
        assert await call(client, issuer) == 200
        clock.now += 4000
    assert (len(person.shown), issuer.asked[0]["scope"]) == (1, "read")


# which client


async def test_a_registration_is_kept_with_its_port(
    program: Client, issuer: PersonsIssuer, person: Person, clock: Clock
) -> None:
    for _ in range(2):
        assert await call(await program(browser=person), issuer) == 200
        issuer.refresh_tokens.clear()
        clock.now += 4000
    assert len(person.shown) == 2
    assert [one["redirect_uris"] for one in issuer.registered] == [[issuer.asked[0]["redirect_uri"]]]
    assert issuer.asked[1]["redirect_uri"] == issuer.asked[0]["redirect_uri"]


async def test_when_the_port_is_taken_we_are_registered_with_another(
    program: Client, issuer: PersonsIssuer, person: Person, clock: Clock
) -> None:
    await call(await program(browser=person), issuer)
    issuer.refresh_tokens.clear()
    clock.now += 4000
    with socket.create_server(("127.0.0.1", redirect_port(issuer.asked[0]))):
        assert await call(await program(browser=person), issuer) == 200
    assert issuer.asked[1]["client_id"] == "client-2"


async def test_a_client_that_was_registered_by_hand_comes_first(
    program: Client, issuer: PersonsIssuer, person: Person
) -> None:
    user = OAuthUser(client_id="mine", client_secret=Secret("s3cret"), issuer=issuer.url)
    assert await call(await program(user, person), issuer) == 200
    assert (issuer.registered, issuer.asked[0]["client_id"]) == ([], "mine")


async def test_a_client_that_describes_itself_comes_before_a_registration(
    program: Client, issuer: PersonsIssuer, person: Person, clock: Clock
) -> None:
    document = "https://app.example.com/client.json"
    user = OAuthUser(client_id_metadata_document=document)
    issuer.metadata = {"client_id_metadata_document_supported": True}
    client = await program(user, person)
    assert await call(client, issuer) == 200
    clock.now += 4000
    assert await call(client, issuer) == 200
    assert issuer.registered == []
    assert [issuer.asked[0]["client_id"], issuer.redeemed[-1]["client_id"]] == [document, document]


async def test_without_any_way_to_be_a_client_the_error_says_so(
    program: Client, issuer: PersonsIssuer, person: Person
) -> None:
    issuer.metadata = {"registration_endpoint": None}
    assert await failure(await program(browser=person), issuer) == (
        f"authorization server {issuer.url} registers no clients by itself; "
        "register a client there by hand, and set client_id"
    )


async def test_a_registration_that_is_no_more_is_made_anew(
    program: Client, issuer: PersonsIssuer, person: Person
) -> None:
    issuer.refuses = {"error": "invalid_client"}
    assert "it refused with invalid_client" in await failure(await program(browser=person), issuer)
    issuer.refuses = None
    assert await call(await program(browser=person), issuer) == 200
    assert issuer.asked[1]["client_id"] == "client-2"


async def test_a_person_who_does_not_sign_in_is_not_waited_for_for_ever(
    program: Client, issuer: PersonsIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody(url: str) -> None:
        """A page that nobody looks at."""

    monkeypatch.setattr("ostiary.credentials.oauth_user.sign_in.PATIENCE", 0.01)
    assert await failure(await program(browser=nobody), issuer) == (
        "nobody has signed in within 0 minutes; sign in again, and finish in the browser"
    )
    assert await call(await program(browser=Person()), issuer) == 200
    assert issuer.asked[0]["client_id"] == "client-2"


# whom not to trust


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        (
            {"code_challenge_methods_supported": None},
            "its metadata does not list S256 in code_challenge_methods_supported",
        ),
        (
            {"authorization_endpoint": "javascript:alert(1)"},
            "the issuer's authorization_endpoint is refused",
        ),
    ],
)
async def test_a_server_that_is_not_safe_is_not_shown_to_the_person(
    program: Client, issuer: PersonsIssuer, person: Person, metadata: dict[str, str], why: str
) -> None:
    issuer.metadata = metadata
    assert (await failure(await program(browser=person), issuer)).startswith(why)
    assert person.shown == []


@pytest.mark.parametrize("iss", ["https://evil.example.com", ""])
async def test_an_answer_of_another_issuer_is_neither_used_nor_quoted(
    program: Client, issuer: PersonsIssuer, person: Person, iss: str
) -> None:
    issuer.answer = {"iss": iss, "error": "access_denied", "error_description": "pay here"}
    told = await failure(await program(browser=person), issuer)
    assert told.endswith("; do not sign in there; tell who runs the server")
    assert "pay here" not in told
    assert issuer.redeemed == []


async def test_a_code_that_is_refused_is_told_with_the_issuer_s_words(
    program: Client, issuer: PersonsIssuer, person: Person
) -> None:
    issuer.refuses = {"error": "invalid_grant", "error_description": "code is over"}
    told = await failure(await program(browser=person), issuer)
    assert told.startswith(f"token endpoint {issuer.url}/token: it refused with invalid_grant (code is over)")
