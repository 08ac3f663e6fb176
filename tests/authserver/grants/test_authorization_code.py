"""Code and verifier become tokens, once: RFC 6749 section 4.1.3, RFC 7636 section 4.6."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select
from tests.authserver.agreed import (
    APP,
    CALLBACK,
    VERIFIER,
    agreed,
    claims_of,
    corp,
    events,
    give_code,
    redemption,
    refresh,
    refusal,
    settings,
    sign_in,
)
from tests.authserver.conftest import RESOURCE, SECRET, Clock, Server, Start

from ostiary.authserver.sessions.session import find
from ostiary.authserver.upstream_account import Identity, UpstreamAccount, UpstreamTokens
from ostiary.oauth.client.id_token import half_hash
from ostiary.oauth.client.pkce import s256
from ostiary.storage.schema import (
    codes,
    refresh_tokens,
    session_grants,
    token_sessions,
    upstream_grants,
    users,
)
from ostiary.storage.store import digest

UNKNOWN = "the code is unknown, or not this client's"
USED = "the code was used; what it gave is revoked"
EVERYTHING = (users, upstream_grants, token_sessions, session_grants, refresh_tokens)


async def counts(server: Server) -> dict[str, int]:
    """Rows in the tables that a redemption writes."""
    return await server.server.services.store.read(
        lambda connection: {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in EVERYTHING
        }
    )


async def test_a_code_becomes_a_token_for_its_resource(start: Start) -> None:
    async with start(settings()) as server:
        answered = await server.token(redemption(await give_code(server)))
        body = answered.json()
        claims = await claims_of(server, body.pop("access_token"))
    assert answered.status_code == 200
    assert answered.headers["cache-control"] == "no-store"
    assert len(body.pop("refresh_token")) == 43
    assert body == {"token_type": "Bearer", "expires_in": 900, "scope": "mcp"}
    assert len(claims.pop("sub")) == 36
    assert len(claims.pop("tsid")) == 43
    assert len(claims.pop("jti")) == 22
    assert claims == {
        "iss": server.issuer,
        "aud": RESOURCE,
        "client_id": "app",
        "scope": "mcp",
        "iat": 1_800_000_000,
        "exp": 1_800_000_900,
        "auth_time": 1_799_999_990,
    }


async def test_a_person_is_the_same_at_each_sign_in_and_their_grant_is_kept_once(start: Start) -> None:
    async with start(settings()) as server:
        first, second = await sign_in(server), await sign_in(server)
        subjects = {(await claims_of(server, tokens["access_token"]))["sub"] for tokens in (first, second)}
        rows = await counts(server)
    assert len(subjects) == 1
    assert rows == {
        "users": 1,
        "upstream_grants": 1,
        "token_sessions": 2,
        "session_grants": 2,
        "refresh_tokens": 2,
    }


async def test_the_same_address_at_two_issuers_is_two_people(start: Start) -> None:
    other = Identity("https://other.example.com", "248289761001", email="alice@example.com")
    async with start(settings()) as server:
        alice = await sign_in(server)
        namesake = await sign_in(server, identity=other, accounts=())
        subjects = {(await claims_of(server, tokens["access_token"]))["sub"] for tokens in (alice, namesake)}
    assert len(subjects) == 2


async def test_a_client_without_the_grant_gets_no_refresh_token(start: Start) -> None:
    once = APP | {"grant_types": ["authorization_code"]}
    async with start(settings(clients=[once])) as server:
        tokens = await sign_in(server)
    assert "refresh_token" not in tokens


async def test_claims_that_the_resource_asks_for_are_in_the_token(start: Start) -> None:
    values = settings()
    values["resources"][0]["token_claims"] = ["groups", "email", "absent"]
    async with start(values) as server:
        claims = await claims_of(server, (await sign_in(server))["access_token"])
    assert claims["groups"] == ["staff", "keepers"]
    assert claims["email"] == "alice@example.com"
    assert "absent" not in claims
    assert "name" not in claims


async def test_openid_brings_an_id_token(start: Start) -> None:
    async with start(settings()) as server:
        tokens = await sign_in(server, scopes=("openid", "email"), nonce="n-0S6_WzA2Mj")
        claims = await claims_of(server, tokens["id_token"])
        subject = (await claims_of(server, tokens["access_token"]))["sub"]
    assert claims == {
        "iss": server.issuer,
        "sub": subject,
        "aud": "app",
        "iat": 1_800_000_000,
        "exp": 1_800_000_900,
        "auth_time": 1_799_999_990,
        "nonce": "n-0S6_WzA2Mj",
        "at_hash": half_hash(tokens["access_token"], "ES256"),
        "email": "alice@example.com",
        "email_verified": True,
    }


async def test_without_openid_there_is_no_id_token(start: Start) -> None:
    async with start(settings()) as server:
        assert "id_token" not in await sign_in(server)


@pytest.mark.parametrize(
    ("changes", "error", "description"),
    [
        ({"code_verifier": "w" * 43}, "invalid_grant", "code_verifier does not match"),
        ({"code_verifier": None}, "invalid_grant", "code_verifier is missing"),
        (
            {"code_verifier": "short"},
            "invalid_grant",
            "code_verifier is not 43 to 128 letters, digits, or any of - . _ ~",
        ),
        (
            {"code_verifier": "w" * 129},
            "invalid_grant",
            "code_verifier is not 43 to 128 letters, digits, or any of - . _ ~",
        ),
        (
            {"redirect_uri": "http://127.0.0.1:7778/callback"},
            "invalid_grant",
            "redirect_uri is not the one of the authorization request",
        ),
        (
            {"resource": "https://mcp.example.com/other"},
            "invalid_target",
            "the resource is not the one that was authorized",
        ),
    ],
)
async def test_a_refused_redemption_spends_nothing(
    start: Start, changes: dict[str, str | None], error: str, description: str
) -> None:
    async with start(settings()) as server:
        code = await give_code(server)
        refused = await server.token(redemption(code, **changes))
        assert refused.status_code == 400
        assert refused.json() == refusal(description, error)
        assert set((await counts(server)).values()) == {0}
        assert [event["error"] for event in events(server, "token_refused")] == [error]
        good = await server.token(redemption(code))
    assert good.status_code == 200


async def test_a_code_that_nobody_gave_is_refused(start: Start) -> None:
    async with start(settings()) as server:
        refused = await server.token(redemption("not-a-code-of-ours"))
    assert refused.json() == refusal(UNKNOWN)


async def test_another_client_cannot_redeem_a_code(start: Start) -> None:
    other = APP | {"client_id": "other"}
    async with start(settings(clients=[APP, other])) as server:
        code = await give_code(server)
        refused = await server.token(redemption(code, client_id="other"))
        assert refused.json() == refusal(UNKNOWN)
        assert events(server, "token_refused")[0]["reason"] == "the code is another client's"
        assert (await server.token(redemption(code))).status_code == 200


async def test_a_redirect_uri_may_be_left_out_where_pkce_protects(start: Start) -> None:
    """OAuth 2.1 section 4.1.3; the verifier binds the code to who asked for it."""
    async with start(settings()) as server:
        answered = await server.token(redemption(await give_code(server), redirect_uri=None))
    assert answered.status_code == 200


async def test_the_authorized_resource_may_be_named_in_any_spelling_of_it(start: Start) -> None:
    async with start(settings()) as server:
        form = redemption(await give_code(server), resource="HTTPS://MCP.example.com:443/mcp")
        assert (await server.token(form)).status_code == 200


async def test_a_code_is_good_for_a_minute(start: Start, clock: Clock) -> None:
    async with start(settings()) as server:
        late, in_time = await give_code(server), await give_code(server)
        clock.advance(59)
        assert (await server.token(redemption(in_time))).status_code == 200
        clock.advance(1)
        assert (await server.token(redemption(late))).json() == refusal("the code has expired")


async def test_code_replay_revokes_what_it_gave(start: Start) -> None:
    async with start(settings()) as server:
        code = await give_code(server)
        tokens = (await server.token(redemption(code))).json()
        replayed = await server.token(redemption(code))
        assert replayed.json() == refusal(USED)
        refused = await refresh(server, tokens["refresh_token"])
        assert refused.json() == refusal("the refresh token was revoked")
        (reused,) = events(server, "code_reused")
        (ended,) = events(server, "session_ended")
        (started,) = events(server, "session_started")
    assert reused["session"] == ended["session"] == started["session"]
    assert ended["reason"] == "code_reused"


async def test_a_replay_revokes_for_a_day_after_the_code_has_expired(start: Start, clock: Clock) -> None:
    async with start(settings()) as server:
        code = await give_code(server)
        tokens = (await server.token(redemption(code))).json()
        clock.advance(20 * 3600)
        assert (await server.token(redemption(code))).json() == refusal(USED)
        assert (await refresh(server, tokens["refresh_token"])).status_code == 400


async def test_who_has_a_spent_code_without_its_verifier_revokes_nothing(start: Start) -> None:
    async with start(settings()) as server:
        code = await give_code(server)
        tokens = (await server.token(redemption(code))).json()
        seen_in_a_log = await server.token(redemption(code, code_verifier="w" * 43))
        assert seen_in_a_log.json() == refusal("code_verifier does not match")
        assert (await refresh(server, tokens["refresh_token"])).status_code == 200
        assert events(server, "code_reused") == []


async def test_resource_cannot_change_after_consent(start: Start) -> None:
    other = "https://mcp.example.com/other"
    values = settings()
    values["resources"].append(values["resources"][0] | {"resource": other})
    async with start(values) as server:
        code = await give_code(server)
        at_token = await server.token(redemption(code, resource=other))
        tokens = (await server.token(redemption(code, resource=RESOURCE))).json()
        at_refresh = await refresh(server, tokens["refresh_token"], resource=other)
        twice = await server.http.post(
            f"{server.issuer}/oauth/token",
            content=f"grant_type=refresh_token&refresh_token={tokens['refresh_token']}&client_id=app"
            f"&resource={RESOURCE}&resource={other}",
            headers={"content-type": "application/x-www-form-urlencoded"},
        )
        again = await refresh(server, tokens["refresh_token"], resource=RESOURCE)
        claims = await claims_of(server, again.json()["access_token"])
    not_authorized = refusal("the resource is not the one that was authorized", "invalid_target")
    assert at_token.json() == at_refresh.json() == not_authorized
    assert twice.json() == refusal("name exactly one resource", "invalid_target")
    assert claims["aud"] == RESOURCE


async def test_a_code_for_a_resource_that_has_another_owner_now_is_refused(start: Start) -> None:
    async with start(settings()) as server:
        code = await give_code(server, owner="default/somebody-else")
        refused = await server.token(redemption(code))
    assert refused.json() == refusal(
        "the code is for a resource that is not here any more, or has another owner now"
    )


async def test_a_code_that_is_bound_to_a_key_needs_its_proof(start: Start) -> None:
    async with start(settings()) as server:
        code = await give_code(server, dpop_jkt="a" * 43)
        refused = await server.token(redemption(code))
    assert refused.json() == refusal("the code is bound to a key that the request does not prove (dpop_jkt)")


async def test_a_redeemed_code_holds_no_upstream_token_any_more(start: Start) -> None:
    async with start(settings()) as server:
        code = await give_code(server)
        await server.token(redemption(code))
        services = server.server.services
        row = await services.store.read(lambda connection: connection.execute(select(codes)).one())
        left = services.store.open(row.sealed, type(agreed()), table=codes, row=row)
    assert left == agreed(accounts=())


async def test_a_session_may_use_what_was_connected_for_its_owner_before(start: Start) -> None:
    hub = UpstreamAccount("hub", "http://127.0.0.1:9/hub", "4711", "ostiary", UpstreamTokens("hub-token"))
    values = settings()
    values["upstream_idps"].append({"name": "hub", "issuer": "http://127.0.0.1:9/hub", "client_id": "o"})
    values["resources"][0]["idps"] = ["corp", {"name": "hub", "use": "optional"}]
    async with start(values) as server:
        await sign_in(server, accounts=(corp(), hub))
        later = await sign_in(server)
        tsid = (await claims_of(server, later["access_token"]))["tsid"]
        pointed = await server.server.services.store.read(
            lambda connection: (
                connection.execute(
                    select(upstream_grants.c.idp)
                    .join(session_grants, session_grants.c.grant_id == upstream_grants.c.id)
                    .where(session_grants.c.tsid_hash == digest(tsid))
                )
                .scalars()
                .all()
            )
        )
    assert sorted(pointed) == ["corp", "hub"]


async def test_an_account_takes_the_place_of_another_when_its_person_agreed(start: Start) -> None:
    def hub(account: str) -> UpstreamAccount:
        return UpstreamAccount(
            "hub", "http://127.0.0.1:9/hub", account, "ostiary", UpstreamTokens("hub-token")
        )

    values = settings()
    values["upstream_idps"].append(
        {"name": "hub", "type": "oauth2", "authorization_endpoint": "http://127.0.0.1:9/a"}
        | {"token_endpoint": "http://127.0.0.1:9/t", "client_id": "o"}
    )
    values["resources"][0]["idps"] = ["corp", {"name": "hub", "use": "optional"}]
    async with start(values) as server:
        before = await sign_in(server, accounts=(corp(), hub("4711")))
        await sign_in(server, accounts=(corp(), hub("4712")), replaced=("hub",))
        tsid = (await claims_of(server, before["access_token"]))["tsid"]
        pointed = await server.server.services.store.read(
            lambda connection: (
                connection.execute(
                    select(upstream_grants.c.account)
                    .join(session_grants, session_grants.c.grant_id == upstream_grants.c.id)
                    .where(session_grants.c.tsid_hash == digest(tsid))
                )
                .scalars()
                .all()
            )
        )
        await server.server.services.background.finish()
        (replaced,) = events(server, "account_replaced")
        (disconnected,) = events(server, "account_disconnected")
    assert sorted(pointed) == ["248289761001", "4712"]
    assert (replaced["idp"], replaced["account"], replaced["before"]) == ("hub", "4712", "4711")
    assert disconnected["account"] == "4711"


async def test_a_confidential_client_authenticates_to_redeem(start: Start) -> None:
    redirect_uri = "https://web.example.com/callback"
    async with start(settings()) as server:
        code = await give_code(server, client_id="web", redirect_uri=redirect_uri)
        form = redemption(code, client_id=None, redirect_uri=redirect_uri)
        without = await server.token(form | {"client_id": "web"})
        with_it = await server.token(form, auth=("web", SECRET))
    assert without.json() == {
        "error": "invalid_client",
        "error_description": "the client is unknown or did not prove who it is",
    }
    assert with_it.status_code == 200


async def test_the_audit_says_who_signed_in_for_whom(start: Start) -> None:
    async with start(settings()) as server:
        tokens = await sign_in(server)
        claims = await claims_of(server, tokens["access_token"])
        session = digest(claims["tsid"])
        (started,) = events(server, "session_started")
        (connected,) = events(server, "account_connected")
        (issued,) = events(server, "token_issued")
    known = {
        "time": "2027-01-15T08:00:00.000+00:00",
        "subject": claims["sub"],
        "client": "app",
        "resource": RESOURCE,
        "session": session,
        "address": "127.0.0.1",
    }
    owner = {"owner": "default/gateway"}
    assert started == known | owner | {"event": "session_started"}
    assert connected == known | owner | {
        "event": "account_connected",
        "idp": "corp",
        "account": "248289761001",
    }
    assert issued == known | {
        "event": "token_issued",
        "grant": "authorization_code",
        "scopes": ["mcp"],
        "jti": claims["jti"],
    }


async def test_no_tsid_in_logs(start: Start, capfd: pytest.CaptureFixture[str]) -> None:
    """Nor in the audit, nor as it is in the store; and the same for codes and refresh tokens."""
    async with start(settings()) as server:
        code = await give_code(server)
        first = (await server.token(redemption(code))).json()
        second = (await refresh(server, first["refresh_token"])).json()
        await refresh(server, "no-" + first["refresh_token"])
        tsid = (await claims_of(server, first["access_token"]))["tsid"]
        session = await server.server.services.store.read(
            lambda connection: find(connection, server.server.services.store, digest(tsid))
        )
        assert session is not None
        assert session.secret.tsid == tsid
        await server.token(redemption(code))
        files = [path for path in server.audit_file.parent.iterdir() if path.is_file()]
        kept = b"".join(path.read_bytes() for path in files)
    said = capfd.readouterr()
    outputs = kept + said.out.encode() + said.err.encode() + repr(session).encode()
    secrets = {
        "the tsid": tsid,
        "the code": code,
        "the verifier": VERIFIER,
        "a refresh token": first["refresh_token"],
        "its successor": second["refresh_token"],
        "an access token": first["access_token"],
        "an upstream token": "upstream-access-token",
        "an upstream refresh token": "upstream-refresh-token",
    }
    assert [name for name, secret in secrets.items() if secret.encode() in outputs] == []
    assert digest(tsid).encode() in kept  # it is there, by its hash: the search would find something


async def test_verifier_and_redirect_uri_are_those_of_the_request(start: Start) -> None:
    """A code of another sign-in cannot be injected: RFC 9700 section 4.5."""
    async with start(settings()) as server:
        stolen = await give_code(server, code_challenge=s256("another-verifier-of-another-persons-sign-in"))
        refused = await server.token(redemption(stolen, redirect_uri=CALLBACK))
    assert refused.json() == refusal("code_verifier does not match")
