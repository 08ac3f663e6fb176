"""The gateway gets the token of the account that its caller connected, and nobody else does."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.authserver.agreed import APP, WEB, events, refusal
from tests.authserver.conftest import RESOURCE, SECRET, Clock, Start
from tests.authserver.internal.conftest import (
    DOMAIN,
    EARLY,
    GATEWAY,
    LATE,
    RESOURCE_ENTRY,
    Inside,
    exchange_form,
    opened,
    token_hash,
)
from tests.authserver.person import Person
from tests.peers.workload_authority import Leaf, WorkloadAuthority, svid, uris

from ostiary.oauth.client.token_exchange import TOKEN_TYPES
from ostiary.oauth.jwt_parts import unverified_claims
from ostiary.storage.store import digest

ONE_TEXT = refusal(
    "the subject_token opens no such account for this workload: its session ended, or belongs to another "
    "workload, or the resource's entry does not let it have this provider's tokens"
)

REFUSED = {(400, "invalid_request"), (400, "invalid_grant")}


def named(authority: WorkloadAuthority, *names: str, **options: Any) -> Leaf:
    """A certificate with these URIs."""
    return authority.sign(svid("", names=(uris(*names), False), **options), begins=EARLY, ends=LATE)


async def signed_in(inside: Inside) -> tuple[Person, str]:
    """Alice, and her client's access token."""
    person = await inside.world.person()
    return person, (await person.tokens())["access_token"]


async def test_a_workload_gets_the_token_of_its_callers_account(inside: Inside) -> None:
    _, token = await signed_in(inside)
    answered = await inside.exchange(token)
    assert answered.status_code == 200, answered.text
    body = answered.json()
    assert body.pop("access_token").startswith("access-")
    assert body == {
        "issued_token_type": TOKEN_TYPES["access_token"],
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "openid repo",
    }
    [given] = events(inside.world.server, "upstream_token_given")
    said = {name: given[name] for name in ("workload", "owner", "server", "idp", "resource", "client")}
    assert said == {
        "workload": "default/gateway",
        "owner": "default/gateway",
        "server": "github",
        "idp": "hub",
        "resource": RESOURCE,
        "client": "app",
    }


async def test_the_one_provider_of_a_server_needs_no_name(inside: Inside) -> None:
    _, token = await signed_in(inside)
    named = await inside.exchange(token)
    unnamed = await inside.exchange(token, audience=None)
    assert unnamed.json()["access_token"] == named.json()["access_token"]
    several = await inside.exchange(token, audience=None, resource="both")
    said = refusal("name the identity provider whose token is wanted, as `audience`", "invalid_request")
    assert (several.status_code, several.json()) == (400, said)


async def test_an_id_token_is_given_where_it_is_asked_for(inside: Inside) -> None:
    _, token = await signed_in(inside)
    answered = await inside.exchange(token, requested_token_type=TOKEN_TYPES["id_token"])
    body = answered.json()
    assert (body["token_type"], body["issued_token_type"]) == ("N_A", TOKEN_TYPES["id_token"])
    assert body["access_token"].count(".") == 2
    assert body["expires_in"] > 0


async def test_exchange_never_gives_a_refresh_token(inside: Inside) -> None:
    _, token = await signed_in(inside)
    assert "refresh" not in (await inside.exchange(token)).text


async def test_the_accounts_are_each_persons_own(inside: Inside) -> None:
    """Two people, two providers: each gets their own, whoever asks first."""
    world = inside.world
    _, alices = await signed_in(inside)
    world.corp.person = {**world.corp.person, "sub": "bob-at-corp", "email": "bob@example.com"}
    world.hub.person = {**world.hub.person, "sub": "bob-at-hub"}
    _, bobs = await signed_in(inside)
    got = [(await inside.exchange(token)).json()["access_token"] for token in (alices, bobs, alices, bobs)]
    assert got[0] == got[2] != got[1] == got[3]


async def test_every_combination_of_certificate_token_session_server_and_provider(
    inside: Inside, clock: Clock, authority: WorkloadAuthority
) -> None:
    """Three of 288 ways to ask give a token; the rest are told what the table says."""
    _, token = await signed_in(inside)
    _, ended_token = await signed_in(inside)
    await inside.world.server.post("/oauth/revoke", {"token": ended_token, "client_id": "app"})
    tokens = {
        "good": token,
        "of an ended session": ended_token,
        "changed": token[:-6] + ("AAAAAA" if token[-6:] != "AAAAAA" else "BBBBBB"),
        "no token at all": "nonsense",
    }
    certificates = {
        "gateway": inside.gateway,
        "another server": named(authority, GATEWAY.replace("gateway", "other")),
        "another namespace": named(authority, GATEWAY.replace("default", "evil")),
        "two names": named(authority, GATEWAY, "https://gateway.example.com/"),
        "no name": authority.sign(svid(GATEWAY, names=None), subject="gateway", begins=EARLY, ends=LATE),
        "another domain": named(authority, GATEWAY.replace(DOMAIN, "example.org")),
    }
    outcomes: dict[tuple[str, ...], tuple[int, str]] = {}
    for certificate, leaf in certificates.items():
        async with inside.workload(leaf) as http:
            ways = itertools.product(tokens, ("github", "both", "zoo", "weather"), ("hub", "corp", "gitlab"))
            for which, server, idp in ways:
                form = exchange_form(tokens[which], resource=server, audience=idp)
                answered = await http.post("/internal/token-exchange", data=form)
                key = (certificate, which, server, idp)
                outcomes[key] = answered.status_code, answered.json().get("error", "given")
    assert outcomes == {key: expected(*key) for key in outcomes}
    assert sum(outcome == (200, "given") for outcome in outcomes.values()) == 3


def expected(certificate: str, token: str, server: str, idp: str) -> tuple[int, str]:
    """What the page says, in its order."""
    if token in {"changed", "no token at all"}:
        return 400, "invalid_request"
    if certificate in {"two names", "no name", "another domain"}:
        return 401, "invalid_client"
    if certificate != "gateway" or token != "good":
        return 400, "invalid_grant"
    if server == "weather":
        return 400, "invalid_target"
    given = (server, idp) in {("github", "hub"), ("both", "hub"), ("both", "corp")}
    return (200, "given") if given else (400, "invalid_grant")


async def test_a_session_pointed_at_another_person_s_account_gets_no_token_of_it(
    inside: Inside, tmp_path: Path
) -> None:
    """By who writes in the database: neither by the pointer alone, nor with the account's person changed."""
    world = inside.world
    await signed_in(inside)
    world.corp.person = {**world.corp.person, "sub": "bob-at-corp", "email": "bob@example.com"}
    world.hub.person = {**world.hub.person, "sub": "bob-at-hub"}
    bobs = (await (await world.person()).tokens())["access_token"]
    bob = claims(bobs)
    assert (await inside.exchange(bobs)).status_code == 200

    def by_hand(statement: str, *values: str) -> None:
        with contextlib.closing(sqlite3.connect(tmp_path / "ostiary.db")) as connection, connection:
            connection.execute(statement, values)

    by_hand("DELETE FROM session_grants WHERE tsid_hash = ?", digest(bob["tsid"]))
    by_hand("UPDATE session_grants SET tsid_hash = ?", digest(bob["tsid"]))
    pointed = await inside.exchange(bobs)
    by_hand("UPDATE upstream_grants SET user_id = ? WHERE user_id != ?", bob["sub"], bob["sub"])
    given = await inside.exchange(bobs)
    assert (pointed.status_code, pointed.json()["error"]) == (400, "reauthentication_required")
    assert (given.status_code, given.json()["error"]) == (503, "temporarily_unavailable")


async def test_errors_do_not_tell(inside: Inside, authority: WorkloadAuthority) -> None:
    """Session, owner and provider: one text, whatever it was."""
    _, token = await signed_in(inside)
    other = named(authority, GATEWAY.replace("gateway", "other"))
    said = [
        await inside.exchange(token, other),
        await inside.exchange(token, audience="gitlab"),
        await inside.exchange(token, resource="zoo"),
    ]
    await inside.world.server.post("/oauth/revoke", {"token": token, "client_id": "app"})
    said.append(await inside.exchange(token))
    said.append(await inside.exchange(token, other))
    assert [one.json() for one in said] == [ONE_TEXT] * 5
    assert {len(one.content) for one in said} == {len(said[0].content)}
    told = [line["reason"] for line in events(inside.world.server, "upstream_token_refused")]
    assert told == ["other_owner", "idp_not_allowed", "idp_not_allowed", "no_session", "other_owner"]


async def test_a_stranger_is_not_told_of_a_session_s_damaged_row(
    inside: Inside, authority: WorkloadAuthority, tmp_path: Path
) -> None:
    """The owner hears that its store is not believed; to everybody else nothing is there, as before."""
    _, token = await signed_in(inside)
    with contextlib.closing(sqlite3.connect(tmp_path / "ostiary.db")) as connection, connection:
        connection.execute("UPDATE token_sessions SET client_id = 'web'")
    other = named(authority, GATEWAY.replace("gateway", "other"))
    assert (await inside.exchange(token)).status_code == 503
    assert (await inside.exchange(token, other)).json() == ONE_TEXT


async def test_unauthorized_exchange_never_calls_the_idp(
    inside: Inside, clock: Clock, authority: WorkloadAuthority
) -> None:
    """Not even when the account's token is over: who may not have it makes the provider hear nothing."""
    _, token = await signed_in(inside)
    clock.advance(290)
    before = len(inside.world.hub.renewed)
    for leaf in (
        named(authority, GATEWAY.replace("gateway", "other")),
        named(authority, GATEWAY.replace("default", "evil")),
        named(authority, GATEWAY, GATEWAY.replace("gateway", "b")),
    ):
        assert (await inside.exchange(token, leaf)).status_code in {400, 401}
    assert (await inside.exchange(token, resource="zoo")).status_code == 400
    assert len(inside.world.hub.renewed) == before
    assert (await inside.exchange(token)).status_code == 200
    assert len(inside.world.hub.renewed) == before + 1


async def test_tsid_alone_is_no_credential(inside: Inside) -> None:
    """Neither it, nor its hash, nor a token that somebody else signed around it."""
    _, token = await signed_in(inside)
    tsid = claims(token)["tsid"]
    for guess in (tsid, digest(tsid)):
        answered = await inside.exchange(guess)
        assert (answered.status_code, answered.json()["error"]) == (400, "invalid_request")


async def test_no_tsid_in_logs(inside: Inside, capsys: pytest.CaptureFixture[str]) -> None:
    _, token = await signed_in(inside)
    await inside.exchange(token)
    await inside.exchange(token, resource="zoo")
    tsid = claims(token)["tsid"]
    told = capsys.readouterr()
    written = told.out + told.err + inside.world.server.audit_file.read_text()
    assert tsid not in written
    assert token not in written
    assert digest(tsid) in written


async def test_a_rejected_token_is_renewed_once(inside: Inside) -> None:
    """`rejected_token_hash` of the token that is stored; of an older one, the stored one is given."""
    _, token = await signed_in(inside)
    first = (await inside.exchange(token)).json()["access_token"]
    second = (await inside.exchange(token, rejected_token_hash=token_hash(first))).json()["access_token"]
    again = (await inside.exchange(token, rejected_token_hash=token_hash(first))).json()["access_token"]
    assert first != second == again
    assert len(inside.world.hub.renewed) == 1


async def test_a_workload_that_refuses_every_token_does_not_ask_the_idp_without_end(
    inside: Inside, clock: Clock
) -> None:
    """Each refused, whatever is given: our client at the provider is everybody's."""
    _, token = await signed_in(inside)
    given = await inside.exchange(token)
    async with inside.workload() as http:
        for _ in range(40):
            rejected = token_hash(given.json()["access_token"])
            form = exchange_form(token, rejected_token_hash=rejected)
            given = answered if (answered := await post(http, form)).status_code == 200 else given
        assert (answered.status_code, len(inside.world.hub.renewed)) == (429, 30)
        assert int(answered.headers["retry-after"]) > 0
        assert (await post(http, exchange_form(token))).status_code == 200
        clock.advance(2)
        assert (await post(http, form)).status_code == 200
    assert len(inside.world.hub.renewed) == 31


async def post(http: httpx2.AsyncClient, form: dict[str, str]) -> httpx2.Response:
    return await http.post("/internal/token-exchange", data=form)


async def test_a_token_that_was_refused_before_the_last_renewal_is_asked_of_as_often_as_anybody_likes(
    inside: Inside,
) -> None:
    """Many callers had the same one, and what is stored is another by now: nobody asks the provider."""
    _, token = await signed_in(inside)
    first = (await inside.exchange(token)).json()["access_token"]
    stored = (await inside.exchange(token, rejected_token_hash=token_hash(first))).json()["access_token"]
    for _ in range(40):
        answered = await inside.exchange(token, rejected_token_hash=token_hash(first))
        assert (answered.status_code, answered.json()["access_token"]) == (200, stored)


@pytest.mark.parametrize("value", ["", "short", "=" * 43, "a" * 42 + "\n", "a" * 64])
async def test_a_rejected_hash_that_is_none_is_refused(inside: Inside, value: str) -> None:
    _, token = await signed_in(inside)
    answered = await inside.exchange(token, rejected_token_hash=value)
    assert answered.status_code == (200 if not value else 400)


async def test_a_dead_account_says_where_to_connect_it_again(inside: Inside, clock: Clock) -> None:
    _, token = await signed_in(inside)
    inside.world.hub.refuses = {"error": "invalid_grant"}
    clock.advance(290)
    answered = await inside.exchange(token)
    assert (answered.status_code, answered.json()) == (
        400,
        {
            "error": "reauthentication_required",
            "error_description": "the account at identity provider hub has to be connected again",
            "idp": "hub",
            "connect_url": f"{inside.world.server.issuer}/connect/hub?resource="
            "https%3A%2F%2Fmcp.example.com%2Fmcp",
        },
    )


async def test_an_account_that_was_never_connected_can_be(
    start: Start, clock: Clock, authority: WorkloadAuthority, tmp_path: Path
) -> None:
    entry = {"idps": ["corp", {"name": "hub", "use": "on_demand"}]}
    async with opened(start, clock, authority, tmp_path, entry=entry) as inside:
        _, token = await signed_in(inside)
        answered = await inside.exchange(token)
    body = answered.json()
    assert (answered.status_code, body["error"], body["idp"]) == (400, "reauthentication_required", "hub")
    assert body["connect_url"].startswith(f"{inside.world.server.issuer}/connect/hub?")


async def test_a_provider_that_is_away_is_503(inside: Inside, clock: Clock) -> None:
    _, token = await signed_in(inside)
    inside.world.hub.status = 503
    clock.advance(290)
    answered = await inside.exchange(token)
    assert (answered.status_code, answered.json()["error"]) == (503, "temporarily_unavailable")
    assert int(answered.headers["retry-after"]) >= 1


async def test_revoked_session_gives_nothing_more(inside: Inside) -> None:
    _, token = await signed_in(inside)
    assert (await inside.exchange(token)).status_code == 200
    await inside.world.server.post("/oauth/revoke", {"token": token, "client_id": "app"})
    assert (await inside.exchange(token)).json() == ONE_TEXT


async def test_only_our_access_tokens_are_exchanged(inside: Inside, clock: Clock) -> None:
    """Not ID tokens, refresh tokens, the provider's own tokens, nor one that is over."""
    person = await inside.world.person()
    tokens = await person.tokens(scope="mcp openid")
    for wrong in (tokens["id_token"], tokens["refresh_token"], "access-1", ""):
        answered = await inside.exchange(wrong)
        assert (answered.status_code, answered.json()["error"]) == (400, "invalid_request")
    wrong_type = await inside.exchange(tokens["access_token"], subject_token_type=TOKEN_TYPES["id_token"])
    assert wrong_type.json()["error"] == "invalid_request"
    clock.advance(16 * 60)
    assert (await inside.exchange(tokens["access_token"])).json()["error"] == "invalid_request"


async def test_exchange_refuses_token_without_audience(inside: Inside) -> None:
    """Signed by our key, and all else as it has to be: nor one whose audience is several, or no text."""
    _, token = await signed_in(inside)
    signing = inside.world.server.server.services.signing
    wrong: list[object] = [None, [RESOURCE], [RESOURCE, "https://other.example.com/mcp"], [], "", 1, {}]
    for audience in wrong:
        said = claims(token) | {"aud": audience}
        if audience is None:
            del said["aud"]
        answered = await inside.exchange(signing.sign(said, typ="at+jwt"))
        assert (answered.status_code, answered.json()["error"]) in REFUSED, audience
    assert (await inside.exchange(signing.sign(claims(token), typ="at+jwt"))).status_code == 200


@pytest.mark.parametrize(
    ("changes", "typ"),
    [
        ({}, "JWT"),
        ({}, "logout+jwt"),
        ({"exp": None}, "at+jwt"),
        ({"exp": "2100-01-01"}, "at+jwt"),
        ({"exp": True}, "at+jwt"),
        ({"iss": "https://evil.example.com"}, "at+jwt"),
        ({"iss": None}, "at+jwt"),
        ({"sub": None}, "at+jwt"),
        ({"sub": 1}, "at+jwt"),
        ({"client_id": None}, "at+jwt"),
        ({"tsid": None}, "at+jwt"),
        ({"tsid": ""}, "at+jwt"),
        ({"tsid": 1}, "at+jwt"),
        ({"tsid": ["a"]}, "at+jwt"),
        ({"tsid": "a" * 43}, "at+jwt"),
        ({"client_id": "web"}, "at+jwt"),
        ({"sub": "somebody-else"}, "at+jwt"),
        ({"jti": None}, "at+jwt"),
        ({"act": {"sub": "web"}, "tsid": None}, "at+jwt"),
    ],
    ids=str,
)
async def test_a_token_of_our_key_that_we_never_issued_opens_nothing(
    inside: Inside, changes: dict[str, Any], typ: str
) -> None:
    """Whatever a fault of ours would have signed: what is wrong with it is refused, and nothing breaks."""
    _, token = await signed_in(inside)
    said = {name: value for name, value in (claims(token) | changes).items() if value is not None}
    forged = inside.world.server.server.services.signing.sign(said, typ=typ)
    answered = await inside.exchange(forged)
    assert (answered.status_code, answered.json()["error"]) in REFUSED


async def test_exchange_needs_audience_and_owner(
    start: Start, clock: Clock, authority: WorkloadAuthority, tmp_path: Path
) -> None:
    """Of the same person and client, at two resources: each owner gets by its own tokens, and by no other."""
    elsewhere = "https://mcp.example.com/other"
    entries = [RESOURCE_ENTRY, RESOURCE_ENTRY | {"resource": elsewhere, "owner": "default/other"}]
    async with opened(start, clock, authority, tmp_path, resources=entries) as inside:
        person = await inside.world.person()
        ours = (await person.tokens())["access_token"]
        theirs = (await person.tokens(resource=elsewhere))["access_token"]
        other = named(authority, GATEWAY.replace("gateway", "other"))
        assert (await inside.exchange(ours)).status_code == 200
        assert (await inside.exchange(theirs, other)).status_code == 200
        assert (await inside.exchange(theirs)).json() == ONE_TEXT
        assert (await inside.exchange(ours, other)).json() == ONE_TEXT
        # by a fault of ours: the audience of one, and the session of the other
        signing = inside.world.server.server.services.signing
        mixed = signing.sign(claims(ours) | {"aud": elsewhere}, typ="at+jwt")
        assert (await inside.exchange(mixed)).json() == ONE_TEXT
        assert (await inside.exchange(mixed, other)).json() == ONE_TEXT


async def test_a_client_by_itself_has_no_accounts(
    start: Start, clock: Clock, authority: WorkloadAuthority, tmp_path: Path
) -> None:
    robot = {"client_id": "robot", "client_secret": SECRET, "grant_types": ["client_credentials"]}
    async with opened(start, clock, authority, tmp_path, clients=[APP, WEB, robot]) as inside:
        form = {"grant_type": "client_credentials"}
        given = await inside.world.server.token(form, auth=("robot", SECRET))
        assert given.status_code == 200, given.text
        answered = await inside.exchange(given.json()["access_token"])
    said = "the subject_token speaks for no person: a client by itself has no accounts"
    assert answered.json() == refusal(said, "invalid_request")


@pytest.mark.parametrize(
    ("before", "after", "asks"),
    [
        ({"owner_uid": "uid-1"}, {"owner_uid": "uid-2"}, "gateway"),
        ({}, {"owner_uid": "uid-1"}, "gateway"),
        ({"owner_uid": "uid-1"}, {}, "gateway"),
    ],
)
async def test_recreated_server_inherits_nothing(
    start: Start,
    clock: Clock,
    authority: WorkloadAuthority,
    tmp_path: Path,
    before: dict[str, str],
    after: dict[str, str],
    asks: str,
) -> None:
    """Deleted, and made again by somebody else under the same name: its uid is another."""
    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(opened(start, clock, authority, tmp_path, entry=before))
        _, token = await signed_in(first)
        assert (await first.exchange(token)).status_code == 200
        # the same store, another configuration: a replica that is newer
        async with opened(start, clock, authority, tmp_path, at=first.world, entry=after) as second:
            leaf = named(authority, GATEWAY.replace("gateway", asks))
            assert (await second.exchange(token, leaf)).json() == ONE_TEXT


async def test_remapped_resource_ends_sessions(
    start: Start, clock: Clock, authority: WorkloadAuthority, tmp_path: Path
) -> None:
    """They never change hands: neither owner gets anything."""
    async with opened(start, clock, authority, tmp_path) as first:
        _, token = await signed_in(first)
        entry = {"owner": "default/other"}
        async with opened(start, clock, authority, tmp_path, at=first.world, entry=entry) as second:
            other = named(authority, GATEWAY.replace("gateway", "other"))
            assert (await second.exchange(token, other)).json() == ONE_TEXT
            assert (await second.exchange(token)).json() == ONE_TEXT
            ended = [line["reason"] for line in events(second.world.server, "session_ended")]
    assert ended == ["owner_changed"]


def claims(token: str) -> dict[str, Any]:
    """What anybody reads in it."""
    return dict(unverified_claims(token))
