"""`/oauth/authorize`: RFC 6749 section 4.1.1, OpenID Connect Core section 3.1.2, RFC 9700."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Connection, select, update
from tests.authserver.agreed import APP, CALLBACK, ON_THIS_MACHINE, WEB, events
from tests.authserver.conftest import RESOURCE, SECRET, Clock, Start
from tests.authserver.database_file import locked, rows
from tests.authserver.person import authorize_url, world

from ostiary.storage.schema import clients

EXACT = "https://web.example.com/callback"
NOT_REGISTERED = "The redirect_uri is none that this client has registered."


async def test_a_registered_client_gets_a_code_without_a_page(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        answer = await (await here.person()).sign_in()
    assert len(answer.pop("code")) == 43
    assert answer == {"state": "the-client-s-state", "iss": here.server.issuer}


async def test_the_code_gives_tokens(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        tokens = await (await here.person()).tokens()
    assert tokens["scope"] == "mcp"


async def test_a_posted_request_is_as_good(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        url, _, query = authorize_url(here.server).partition("?")
        posted = await person.http.post(
            url, content=query, headers={"content-type": "application/x-www-form-urlencoded"}
        )
        assert posted.status_code == 303
        assert "code" in (await person.open(posted.headers["location"])).answer


async def test_the_only_resource_need_not_be_named(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        assert "code" in await (await here.person()).sign_in(resource=None)


async def test_the_state_comes_back_as_it_went(start: Start, clock: Clock) -> None:
    state = "a b&c=d%20#?/+\"'<>~"
    async with world(start, clock) as here:
        assert (await (await here.person()).sign_in(state=state))["state"] == state


async def test_a_client_without_a_state_gets_none(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        assert set(await (await here.person()).sign_in(state=None)) == {"code", "iss"}


async def test_the_redirect_uri_keeps_its_own_query(start: Start, clock: Clock) -> None:
    uri = "https://web.example.com/callback?tenant=a%20b"
    async with world(start, clock, clients=[WEB | {"redirect_uris": [uri]}]) as here:
        seen = await (await here.person()).authorize(client_id="web", redirect_uri=uri)
    assert seen.url.startswith(f"{uri}&code=")


async def test_any_port_of_a_loopback_address(start: Start, clock: Clock) -> None:
    clients = [APP | {"redirect_uris": ["http://127.0.0.1/callback"]}]
    async with world(start, clock, clients=clients) as here:
        person = await here.person()
        seen = await person.go_through(await person.authorize(redirect_uri="http://127.0.0.1:61234/callback"))
    assert seen.url.startswith("http://127.0.0.1:61234/callback?code=")


async def test_a_redirect_uri_of_an_app(start: Start, clock: Clock) -> None:
    uri = "cursor://anysphere.cursor-retrieval/oauth/callback"
    async with world(start, clock, clients=[APP | {"redirect_uris": [uri]}]) as here:
        person = await here.person()
        seen = await person.go_through(await person.authorize(redirect_uri=uri))
    assert seen.url.startswith(f"{uri}?code=")


async def test_a_redirect_uri_that_was_registered_before_a_rule_is_judged_by_it(
    start: Start, clock: Clock
) -> None:
    uri = "ms-appinstaller:/x?source=https://evil.example/a.appx"
    async with world(start, clock) as here:
        client_id = await here.stranger()
        store = here.server.server.services.store

        def register(connection: Connection) -> None:
            that = clients.c.client_id == client_id
            row = connection.execute(select(clients).where(that)).one()._asdict()
            row["metadata"] = row["metadata"].replace(CALLBACK, uri)
            sealed = store.seal_row(clients, row)
            connection.execute(update(clients).where(that).values(row | {"sealed": sealed}))

        await store.transaction(register)
        person = await here.person()
        seen = await person.authorize(client_id=client_id, redirect_uri=uri)
    assert seen.status == 400
    assert "the scheme ms-appinstaller" in seen.text


@pytest.mark.parametrize("uri", [ON_THIS_MACHINE, "cursor://anysphere.cursor-retrieval/oauth/callback"])
async def test_a_program_that_borrows_a_registered_name_gets_nothing_unseen(
    start: Start, clock: Clock, uri: str
) -> None:
    """Any program on the person's machine can say that it is a public client there (RFC 8252 section 8.6)."""
    async with world(start, clock, clients=[APP | {"redirect_uris": [uri]}]) as here:
        person = await here.person()
        assert (await person.authorize(redirect_uri=uri)).heading == "app asks to act for you"
        assert here.corp.departures == []
        if uri == ON_THIS_MACHINE:
            silent = (await person.authorize(redirect_uri=uri, prompt="none")).answer
            assert silent["error"] == "consent_required"


@pytest.mark.parametrize(
    ("redirect_uri", "why"),
    [
        ("https://web.example.com/other", NOT_REGISTERED),
        ("https://evil.example.com/callback", NOT_REGISTERED),
        ("https://web.example.com.evil.example/callback", NOT_REGISTERED),
        ("https://web.example.com/callback?next=evil", NOT_REGISTERED),
        ("https://web.example.com/callback#fragment", NOT_REGISTERED),
        ("https://web.example.com/Callback", NOT_REGISTERED),
        ("https://WEB.example.com/callback", NOT_REGISTERED),
        ("https://web.example.com%2fcallback", NOT_REGISTERED),
        ("https://web.example.com/%2e%2e/callback", NOT_REGISTERED),
        ("https://web.example.com/callback/", NOT_REGISTERED),
        ("https://web.example.com/callback/../evil", NOT_REGISTERED),
        ("https://web.example.com:8443/callback", NOT_REGISTERED),
        ("https://web.example.com@evil.example.com/callback", NOT_REGISTERED),
        ("https://evil.example.com\\@web.example.com/callback", NOT_REGISTERED),
        ("http://web.example.com/callback", NOT_REGISTERED),
        ("http://localhost/callback", NOT_REGISTERED),
        ("http://127.0.0.1:70000/callback", NOT_REGISTERED),
        ("http://127.0.0.1.evil.example/callback", NOT_REGISTERED),
        ("http://127.0.0.1:80@evil.example.com/callback", NOT_REGISTERED),
        ("javascript:alert(1)", NOT_REGISTERED),
        ("com.example.app:/callback", NOT_REGISTERED),
        (None, "The parameter redirect_uri is missing, and this client has not just one."),
    ],
)
async def test_an_error_is_never_redirected_to_an_unproven_uri(
    redirect_uri: str | None, why: str, start: Start, clock: Clock
) -> None:
    both = APP | {"redirect_uris": [EXACT, "http://127.0.0.1/callback"]}
    async with world(start, clock, clients=[both]) as here:
        seen = await (await here.person()).authorize(redirect_uri=redirect_uri)
        assert (seen.status, seen.heading) == (400, "This request cannot be answered")
        assert why in seen.text
        assert here.corp.departures == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("client_id=nobody", "The client is unknown here."),
        ("client_id=", "The parameter client_id is missing."),
        ("client_id=app&client_id=web", "The parameter client_id stands more than once."),
        ("client_id=app&state=a&state=b", "The parameter state stands more than once."),
        ("client_id=app&redirect_uri=a&redirect_uri=b", "The parameter redirect_uri stands more than once."),
        ("client_id=app&state=%zz", "The request has a percent sign that encodes nothing."),
        ("client_id=app&state=%00", "The request has a NUL character."),
        ("client_id=app&state=%ff", "The request is not in UTF-8."),
        ("client_id=app" + "&a=b" * 100, "The request has more than 100 parameters."),
    ],
)
async def test_what_cannot_be_read_is_told_on_a_page(
    change: str, why: str, start: Start, clock: Clock
) -> None:
    async with world(start, clock) as here:
        seen = await (await here.person()).open(f"{here.server.issuer}/oauth/authorize?{change}")
        assert (seen.status, seen.heading) == (400, "This request cannot be answered")
        assert why in seen.text


REFUSED: list[tuple[dict[str, str | None], str, str]] = [
    ({"response_type": None}, "invalid_request", "the parameter response_type is missing"),
    (
        {"response_type": "token"},
        "unsupported_response_type",
        "response_type is not code, the only one that is answered here",
    ),
    (
        {"response_mode": "fragment"},
        "invalid_request",
        "response_mode is not query, the only way that is answered here",
    ),
    ({"code_challenge": None}, "invalid_request", "code_challenge is missing: PKCE with S256 is needed here"),
    (
        {"code_challenge_method": None},
        "invalid_request",
        "code_challenge_method is missing, which means plain: only S256 is taken here",
    ),
    (
        {"code_challenge_method": "plain"},
        "invalid_request",
        "code_challenge_method is not S256, the only one that is taken here",
    ),
    (
        {"code_challenge": "short"},
        "invalid_request",
        "code_challenge is not a SHA-256 digest in base64url: 43 characters, no padding",
    ),
    (
        {"code_challenge": "a" * 129},
        "invalid_request",
        "code_challenge is not a SHA-256 digest in base64url: 43 characters, no padding",
    ),
    (
        {"resource": "https://other.example.com/mcp"},
        "invalid_target",
        "the resource https://other.example.com/mcp is unknown here, or not for this client",
    ),
    (
        {"resource": f"{RESOURCE}-evil"},
        "invalid_target",
        f"the resource {RESOURCE}-evil is unknown here, or not for this client",
    ),
    (
        {"resource": f"{RESOURCE}#part"},
        "invalid_target",
        "the resource is refused: it has a fragment",
    ),
    (
        {"resource": "/mcp"},
        "invalid_target",
        "the resource is refused: it is not an absolute http or https URL with a plain host name",
    ),
    ({"scope": "mcp root"}, "invalid_scope", "the scope root is unknown here, or not for this client"),
    (
        {"request": "eyJhbGciOiJub25lIn0.e30."},
        "request_not_supported",
        "request objects are not read here: send the parameters themselves",
    ),
    (
        {"request_uri": "https://app.example.com/request.jwt"},
        "request_uri_not_supported",
        "request objects are not fetched: push the request to this server first",
    ),
    (
        {"prompt": "create"},
        "invalid_request",
        "prompt has another value than consent, login, none, select_account",
    ),
    (
        {"prompt": "none login"},
        "invalid_request",
        "prompt has none and another value: they exclude each other",
    ),
    ({"max_age": "-1"}, "invalid_request", "max_age is not a number of seconds"),
]


@pytest.mark.parametrize(("changes", "error", "why"), REFUSED)
async def test_what_is_wrong_is_told_to_a_proven_client(
    changes: dict[str, str | None], error: str, why: str, start: Start, clock: Clock
) -> None:
    async with world(start, clock) as here:
        seen = await (await here.person()).authorize(**changes)
        assert seen.url.startswith(f"{CALLBACK}?")
        assert seen.answer == {
            "error": error,
            "error_description": why,
            "state": "the-client-s-state",
            "iss": here.server.issuer,
        }
        assert here.corp.departures == []


async def test_two_resources_are_one_too_many(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        url = authorize_url(here.server) + "&resource=https%3A%2F%2Fother.example.com%2Fmcp"
        answer = (await (await here.person()).open(url)).answer
    assert (answer["error"], answer["error_description"]) == ("invalid_target", "name exactly one resource")


async def test_no_resource_of_several_names_the_choices(start: Start, clock: Clock) -> None:
    resources = [
        {"resource": url, "owner": "default/gateway", "scopes": ["mcp"], "idps": ["corp"]}
        for url in (RESOURCE, "https://zoo.example.com/mcp")
    ]
    async with world(start, clock, resources=resources) as here:
        answer = await (await here.person()).sign_in(resource=None)
    assert answer["error"] == "invalid_target"
    assert answer["error_description"] == (
        "name one resource: https://mcp.example.com/mcp, https://zoo.example.com/mcp"
    )


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("a\r\nset-cookie: a=b", "state has a character that is not printable ASCII"),
        ("a\nb", "state has a character that is not printable ASCII"),
        ("ü", "state has a character that is not printable ASCII"),
        ("a" * 4097, "state has more than 4096 characters"),
    ],
)
async def test_header_injection_through_state(state: str, why: str, start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        answer = (await person.authorize(state=state)).answer
        assert answer == {"error": "invalid_request", "error_description": why, "iss": here.server.issuer}
        assert person.responses[-1].headers.get_list("set-cookie")[0].startswith("ostiary-")
        assert len(person.responses[-1].headers.get_list("set-cookie")) == 1


async def test_a_client_that_may_not_is_told(start: Start, clock: Clock) -> None:
    only_devices = APP | {"grant_types": ["device_code"]}
    async with world(start, clock, clients=[only_devices]) as here:
        answer = await (await here.person()).sign_in()
    assert answer["error"] == "unauthorized_client"
    assert answer["error_description"] == "this client may not use the grant authorization_code"


async def test_a_client_that_has_to_push_is_told(start: Start, clock: Clock) -> None:
    async with world(start, clock, clients=[APP | {"require_pushed_authorization_requests": True}]) as here:
        answer = await (await here.person()).sign_in()
    assert answer["error"] == "invalid_request"
    assert answer["error_description"] == "this client has to push its requests (RFC 9126)"


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH"])
async def test_other_methods_are_refused(method: str, start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        refused = await here.server.http.request(method, authorize_url(here.server))
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, POST")
        assert here.corp.departures == []


async def test_pages_are_neither_framed_nor_read_by_other_sites(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        await person.authorize(client_id=await here.stranger())
        from_elsewhere = await person.http.get(person.passed[-1], headers={"origin": "https://evil.example"})
        for response in [*person.responses, from_elsewhere]:
            assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
            assert response.headers["referrer-policy"] == "no-referrer"
            assert response.headers["cache-control"] == "no-store"
            assert "access-control-allow-origin" not in response.headers
            assert "access-control-allow-credentials" not in response.headers


async def test_what_the_client_wishes_of_the_sign_in_goes_on_to_the_identity(
    start: Start, clock: Clock
) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        await person.sign_in(prompt="login consent", max_age="60", login_hint="alice@example.com")
        departure = here.corp.departures[0]
    assert departure["prompt"] == "login"
    assert departure["max_age"] == "60"
    assert departure["login_hint"] == "alice@example.com"


async def test_such_wishes_are_not_for_other_providers(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="required") as here:
        await (await here.person()).sign_in(prompt="login", max_age="60", login_hint="alice@example.com")
        assert not {"prompt", "max_age", "login_hint"} & set(here.hub.departures[0])


async def test_nothing_else_of_the_client_reaches_the_identity(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        await (await here.person()).sign_in(nonce="the-client-s-nonce", acr_values="high", audience="evil")
        departure = here.corp.departures[0]
    assert set(departure) == {
        *("response_type", "client_id", "redirect_uri", "scope", "state", "nonce"),
        *("code_challenge", "code_challenge_method"),
    }
    assert departure["state"] != "the-client-s-state"
    assert departure["nonce"] != "the-client-s-nonce"
    assert departure["redirect_uri"] == f"{here.server.issuer}/oauth/callback/corp"


async def test_without_a_prompt_a_person_who_is_signed_in_there_is_not_asked(
    start: Start, clock: Clock
) -> None:
    async with world(start, clock) as here:
        seen = await (await here.person()).authorize(prompt="none")
        assert "code" in seen.answer
        assert here.corp.departures[0]["prompt"] == "none"


@pytest.mark.parametrize(
    ("said", "error", "why"),
    [
        ("login_required", "login_required", "nobody is signed in at Corp"),
        ("interaction_required", "interaction_required", "Corp has to ask the person something"),
        ("consent_required", "interaction_required", "Corp has to ask the person something"),
        ("account_selection_required", "interaction_required", "Corp has to ask the person something"),
        ("access_denied", "access_denied", "the sign-in at Corp was refused"),
    ],
)
async def test_without_a_prompt_the_client_hears_what_would_have_been_asked(
    said: str, error: str, why: str, start: Start, clock: Clock
) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        person.provider_says = {"error": said, "code": ""}
        answer = (await person.authorize(prompt="none")).answer
    assert answer == {
        "error": error,
        "error_description": why,
        "state": "the-client-s-state",
        "iss": here.server.issuer,
    }


async def test_without_a_prompt_a_client_that_needs_consent_is_told(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        stranger = await here.stranger(redirect_uris=[ON_THIS_MACHINE])
        asked = {"client_id": stranger, "redirect_uri": ON_THIS_MACHINE, "prompt": "none"}
        answer = (await (await here.person()).authorize(**asked)).answer
        assert answer["error"] == "consent_required"
        assert answer["error_description"] == "the person has to agree, and prompt is none"
        assert here.corp.departures == []


async def test_without_a_prompt_nobody_can_connect_what_is_required(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="required") as here:
        answer = (await (await here.person()).authorize(prompt="none")).answer
    assert answer["error"] == "interaction_required"
    assert answer["error_description"] == "the person has to be asked something, and prompt is none"


async def test_without_a_prompt_an_optional_account_is_passed_over_and_asked_for_next_time(
    start: Start, clock: Clock
) -> None:
    async with world(start, clock, hub="optional") as here:
        person = await here.person()
        assert "code" in (await person.authorize(prompt="none")).answer
        assert (await person.authorize()).heading == "Connect Hub"


async def test_who_asks_too_often_is_told_when_to_come_back(start: Start, clock: Clock) -> None:
    async with world(start, clock, limits={"authorize": "3/m"}) as here:
        person = await here.person()
        for _ in range(3):
            assert "code" in (await person.authorize()).answer
        seen = await person.authorize()
        assert (seen.status, seen.heading) == (429, "We cannot do this right now")
        assert person.responses[-1].headers["retry-after"] == "21"
        clock.advance(21)
        assert "code" in (await person.authorize()).answer
        assert [event["endpoint"] for event in events(here.server, "rate_limited")] == ["/oauth/authorize"]


async def test_a_store_that_is_away_is_told_to_a_proven_client_and_nothing_is_half_written(
    start: Start, clock: Clock, tmp_path: Path
) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        with locked(tmp_path):
            answer = (await person.authorize()).answer
        assert answer["error"] == "temporarily_unavailable"
        assert answer["error_description"] == "the server cannot reach its store"
        assert answer["state"] == "the-client-s-state"
        assert rows(tmp_path, "walks") == rows(tmp_path, "upstream_states") == 0
        assert "code" in (await person.authorize()).answer


async def test_the_audit_says_who_was_refused_and_why(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        await person.authorize(client_id="nobody")
        await person.authorize(scope="root")
        refused = events(here.server, "sign_in_refused")
    assert [(event["client"], event["error"], event["reason"]) for event in refused] == [
        ("nobody", "invalid_request", "the client is unknown here"),
        ("app", "invalid_scope", "the scope root is unknown here, or not for this client"),
    ]
    assert {event["address"] for event in refused} == {"127.0.0.1"}


async def test_the_audit_says_who_signed_in(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        await (await here.person()).sign_in()
        (event,) = events(here.server, "signed_in")
    assert len(event.pop("walk")) == 16
    assert event == {
        "time": "2027-01-15T08:00:00.000+00:00",
        "event": "signed_in",
        "client": "app",
        "resource": RESOURCE,
        "owner": "default/gateway",
        "idp": "corp",
        "account": "248289761001",
        "address": "127.0.0.1",
    }


async def test_a_confidential_client_signs_people_in_alike(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        seen = await (await here.person()).authorize(client_id="web", redirect_uri=EXACT)
        assert seen.url.startswith(f"{EXACT}?code=")
        assert SECRET not in seen.url


@pytest.mark.parametrize("client_id", ["c" * 2001, "c\u00e9"])
async def test_a_name_that_no_client_has_fills_neither_memory_nor_audit(
    start: Start, clock: Clock, client_id: str
) -> None:
    """Rates are kept by client and address, and strangers choose the name."""
    async with world(start, clock) as here:
        seen = await (await here.person()).authorize(client_id=client_id)
        assert seen.status == 400
        assert "Client_id is empty, too long, or has a character that none has." in seen.text
        assert events(here.server, "sign_in_refused") == []
