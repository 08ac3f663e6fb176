"""The caller's token for that of their account: what is asked, and what each answer means."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web
from tests.credentials.signed import Signer
from tests.credentials.upstream_token.conftest import Callers, refused, sent
from tests.credentials.upstream_token.little_port import LittlePort, refusing, token
from tests.peers.workload_api import Agent
from tests.peers.workload_authority import Leaf, WorkloadAuthority

from ostiary.certificates.settings import AgentSocket, FileCertificates, SpiffeCertificates
from ostiary.credentials.error import (
    CallerIsNoPerson,
    CallerNotEntitled,
    CredentialError,
    CredentialMisconfigured,
    CredentialUnreachable,
    ReauthenticationRequired,
)
from ostiary.identity.spiffe import SpiffeId
from ostiary.oauth.client.token_exchange import GRANT_TYPE, TOKEN_TYPES
from ostiary.oauth.client.upstream_exchange import token_hash

CONNECT = "https://auth.example.com/connect/hub?resource=https%3A%2F%2Fmcp.example.com%2Fmcp"


async def test_the_callers_token_is_exchanged_for_that_of_their_account(
    callers: Callers, port: LittlePort
) -> None:
    github = callers.attach(scopes=("repo", "gist"))
    call = callers.request()
    assert await sent(github, call) == await sent(github, call) == "upstream-1"
    assert call.principal is not None
    assert port.forms == [
        {
            "grant_type": GRANT_TYPE,
            "subject_token": call.principal.token.reveal(),
            "subject_token_type": TOKEN_TYPES["access_token"],
            "requested_token_type": TOKEN_TYPES["access_token"],
            "audience": "hub",
            "resource": "github",
            "scope": "repo gist",
        }
    ]


async def test_what_is_left_out_is_not_said(callers: Callers, port: LittlePort) -> None:
    await sent(callers.attach(provider=None, server=None), callers.request())
    assert {"audience", "resource", "scope"} & port.forms[0].keys() == set()


async def test_an_id_token_is_sent_where_the_server_wants_one(callers: Callers, port: LittlePort) -> None:
    kind = TOKEN_TYPES["id_token"]
    port.reply = lambda form: web.json_response(
        token("an.id.token", issued_token_type=kind, token_type="N_A")
    )
    assert await sent(callers.attach(requested_token="id_token"), callers.request()) == "an.id.token"
    assert port.forms[0]["requested_token_type"] == kind


async def test_forged_token_misses_the_cache(callers: Callers, port: LittlePort) -> None:
    """Whoever knows a session's id and signs with another key comes with another principal, if with any."""
    github = callers.attach()
    assert await sent(github, callers.request("session-1")) == "upstream-1"
    elsewhere = Signer("https://other.example.com")
    for forged in (
        callers.request("session-1", issuer=elsewhere),
        callers.request("session-1", subject="eve"),
        callers.request("session-1", client_id="another"),
        callers.request("session-1", aud="https://other.example.com/mcp"),
        callers.request("session-1", act={"sub": "program"}),
        callers.request("session-2"),
    ):
        assert github.ready(forged) is None
    assert len(port.forms) == 1


async def test_the_same_session_with_a_renewed_token_is_the_same_caller(
    callers: Callers, port: LittlePort
) -> None:
    github = callers.attach()
    first, renewed = callers.request(jti="1"), callers.request(jti="2")
    assert await sent(github, first) == await sent(github, renewed) == "upstream-1"


async def test_two_servers_never_share_a_token(callers: Callers, port: LittlePort) -> None:
    call = callers.request()
    assert await sent(callers.attach(), call) == "upstream-1"
    assert await sent(callers.attach(server="gists"), call) == "upstream-2"
    assert await sent(callers.attach(provider="corp"), call) == "upstream-3"
    assert [(form["resource"], form["audience"]) for form in port.forms] == [
        ("github", "hub"),
        ("gists", "hub"),
        ("github", "corp"),
    ]


async def test_a_refused_token_is_named_so_that_it_does_not_come_again(
    callers: Callers, port: LittlePort
) -> None:
    github, call = callers.attach(), callers.request()
    assert await sent(github, call) == "upstream-1"
    assert refused(github, call)
    assert await sent(github, call) == "upstream-2"
    assert "rejected_token_hash" not in port.forms[0]
    assert port.forms[1]["rejected_token_hash"] == token_hash("upstream-1")
    assert "upstream-1" not in str(port.forms)


async def test_a_program_by_itself_is_told_so_and_nobody_is_asked(callers: Callers, port: LittlePort) -> None:
    github, call = callers.attach(), callers.request(None)
    for _ in range(2):
        with pytest.raises(CallerIsNoPerson) as told:
            await sent(github, call)
    assert str(told.value) == (
        "credential upstream_token for https://github-mcp.example.com: it is about a person's account, and "
        "the caller is a program by itself; call with the token of somebody who signed in"
    )
    assert port.forms == []


async def test_a_program_that_acts_for_a_person_is_exchanged(callers: Callers, port: LittlePort) -> None:
    assert await sent(callers.attach(), callers.request(None, act={"sub": "nightly"})) == "upstream-1"


async def test_no_fallback_credential(callers: Callers, port: LittlePort) -> None:
    """Whatever goes wrong, the server gets nothing: never the caller's own token, nor anybody else's."""
    github, ada, bob = callers.attach(), callers.request("of-ada"), callers.request("of-bob", subject="bob")
    assert await sent(github, ada) == "upstream-1"
    for number, reply in enumerate(
        (
            refusing("invalid_grant"),
            refusing("server_error", 500),
            refusing("temporarily_unavailable", 503),
            lambda form: web.Response(text="<html>", content_type="text/html"),
            lambda form: web.json_response(token("upstream-x", token_type="DPoP")),
            lambda form: web.json_response(token("a\nb")),
        )
    ):
        port.reply = reply
        call = callers.request("of-bob", subject="bob", number=number)
        with pytest.raises(CredentialError):
            await sent(github, call)
        assert github.ready(call) is None
    await port.stop()
    with pytest.raises(CredentialUnreachable):
        await sent(github, bob)
    assert await sent(github, ada) == "upstream-1"


async def test_an_account_that_is_not_connected_says_where_it_is(callers: Callers, port: LittlePort) -> None:
    port.reply = refusing("reauthentication_required", idp="hub", connect_url=CONNECT)
    with pytest.raises(ReauthenticationRequired) as wanted:
        await sent(callers.attach(), callers.request())
    assert (wanted.value.idp, wanted.value.connect_url) == ("hub", CONNECT)
    assert str(wanted.value) == (
        "credential upstream_token for https://github-mcp.example.com: the account at hub is not connected, "
        f"or no longer; connect it at {CONNECT}"
    )


async def test_whoever_connected_the_account_is_served_at_once(callers: Callers, port: LittlePort) -> None:
    github, call = callers.attach(), callers.request()
    port.reply = refusing("reauthentication_required", idp="hub", connect_url=CONNECT)
    for _ in range(8):
        with pytest.raises(ReauthenticationRequired):
            await sent(github, call)
        callers.clock.advance(0.3)
    port.reply = port.numbered
    assert (await sent(github, call)).startswith("upstream-")


async def test_many_calls_at_once_ask_one_time_for_an_account_that_is_not_connected(
    callers: Callers, port: LittlePort
) -> None:
    github, call = callers.attach(), callers.request()
    port.reply = refusing("reauthentication_required", idp="hub", connect_url=CONNECT)
    for _ in range(20):
        with pytest.raises(ReauthenticationRequired):
            await sent(github, call)
    assert len(port.forms) == 1


@pytest.mark.parametrize(
    "connect_url",
    ["javascript:alert(1)", "http://auth.example.com/connect/hub", "https://a@b.example/", "", "x" * 3000],
)
async def test_a_page_that_nobody_should_open_is_not_passed_on(
    callers: Callers, port: LittlePort, connect_url: str
) -> None:
    port.reply = refusing("reauthentication_required", idp="hub", connect_url=connect_url)
    with pytest.raises(CredentialUnreachable) as odd:
        await sent(callers.attach(), callers.request())
    assert connect_url == "" or connect_url not in str(odd.value)


REFUSALS = {
    "invalid_grant": (
        CallerNotEntitled,
        "sign in again; the authorization server's audit says more (upstream_token_refused)",
    ),
    "invalid_request": (
        CallerNotEntitled,
        "sign in again; the authorization server's audit says more (upstream_token_refused)",
    ),
    "invalid_client": (
        CredentialMisconfigured,
        "see what the authorization server's audit says of this certificate (workload_refused)",
    ),
    "invalid_target": (
        CredentialMisconfigured,
        "name the server as the authorization server's resources[].servers does",
    ),
    "invalid_scope": (CredentialMisconfigured, "set scopes to what the account is connected with"),
}


@pytest.mark.parametrize("error", REFUSALS)
async def test_each_refusal_says_what_to_do(callers: Callers, port: LittlePort, error: str) -> None:
    kind, what_to_do = REFUSALS[error]
    port.reply = refusing(error, error_description="it is not so")
    with pytest.raises(kind) as refusal:
        await sent(callers.attach(), callers.request())
    assert str(refusal.value) == (
        "credential upstream_token for https://github-mcp.example.com: the authorization server refused with "
        f"{error} (it is not so); {what_to_do}"
    )


async def test_a_server_that_is_away_says_when_to_come_back(callers: Callers, port: LittlePort) -> None:
    port.reply = refusing("temporarily_unavailable", 503, headers={"retry-after": "7"})
    github, call = callers.attach(), callers.request()
    with pytest.raises(CredentialUnreachable) as away:
        await sent(github, call)
    assert away.value.retry_after == 7
    callers.clock.advance(6)
    with pytest.raises(CredentialUnreachable):
        await sent(github, call)
    assert len(port.forms) == 1
    callers.clock.advance(1)
    port.reply = port.numbered
    assert await sent(github, call) == "upstream-2"


async def test_what_the_server_repeats_of_the_callers_token_is_not_shown(
    callers: Callers, port: LittlePort
) -> None:
    port.reply = lambda form: refusing("invalid_grant", error_description=form["subject_token"])(form)
    call = callers.request()
    with pytest.raises(CallerNotEntitled) as told:
        await sent(callers.attach(), call)
    assert call.principal is not None
    assert call.principal.token.reveal() not in str(told.value)


@pytest.mark.parametrize("expires_in", [None, 0, -5, "soon"])
async def test_a_token_without_an_end_is_not_taken(
    callers: Callers, port: LittlePort, expires_in: object
) -> None:
    port.lifetime = expires_in
    with pytest.raises(CredentialUnreachable) as odd:
        await sent(callers.attach(), callers.request())
    assert "it does not say when the token ends" in str(odd.value)


async def test_cache_never_outlives_the_token(callers: Callers, port: LittlePort) -> None:
    port.lifetime = 40
    github, call = callers.attach(), callers.request()
    assert await sent(github, call) == "upstream-1"
    await port.stop()
    callers.clock.advance(39)
    assert await sent(github, call) == "upstream-1"
    callers.clock.advance(1)
    with pytest.raises(CredentialUnreachable):
        await sent(github, call)


async def test_a_token_ends_as_early_as_it_can_have_been_meant(callers: Callers, port: LittlePort) -> None:
    """Its life began when it was asked for, however long the answer took."""

    def late(form: dict[str, str]) -> web.Response:
        callers.clock.advance(30)
        return web.json_response(token("upstream-1", expires_in=40))

    port.reply = late
    github, call = callers.attach(), callers.request()
    assert await sent(github, call) == "upstream-1"
    callers.clock.advance(10)
    assert github.ready(call) is None


AUTHSERVER = SpiffeId.parse("spiffe://ostiary.local/ns/default/mcpserver/authserver")


async def test_a_server_whose_certificate_is_for_another_host_gets_no_token(
    callers: Callers, port: LittlePort
) -> None:
    """Another workload of the same authority, at the authorization server's address."""
    await port.stop()
    port.names = ["auth.internal"]
    await port.start()
    with pytest.raises(CredentialUnreachable) as told:
        await sent(callers.attach(), callers.request())
    assert "its certificate is for another name" in str(told.value)
    assert port.forms == []


async def test_a_server_without_a_host_name_is_known_by_its_spiffe_id(
    callers: Callers, port: LittlePort
) -> None:
    await port.stop()
    port.names = []
    await port.start()
    github = callers.attach(authserver_spiffe_id=AUTHSERVER)
    assert await sent(github, callers.request()) == "upstream-1"


async def test_another_workload_in_the_place_of_the_server_gets_no_token(
    callers: Callers, port: LittlePort
) -> None:
    another = SpiffeId.parse("spiffe://ostiary.local/ns/default/mcpserver/another")
    github = callers.attach(authserver_spiffe_id=another)
    for number in range(2):
        with pytest.raises(CredentialUnreachable) as told:
            await sent(github, callers.request(f"session-{number}"))
        assert "its certificate is for another name" in str(told.value)
    assert (port.forms, port.asked_after) == ([], [])


async def test_the_authority_of_another_trust_domain_gets_no_token(
    callers: Callers, port: LittlePort, tmp_path: Path
) -> None:
    """Two domains are federated, and each speaks for its own workloads alone: ours not for theirs either."""
    now = callers.clock()
    ours, theirs = (WorkloadAuthority(name, now) for name in ("ostiary.local", "example.org"))
    server, gateway = (
        "spiffe://example.org/ns/zoo/sa/authserver",
        str(AUTHSERVER).replace("authserver", "gateway"),
    )
    await port.stop()
    with Agent() as agent:
        agent.give((gateway, ours.issue(gateway), ours), federated={"example.org": theirs})
        for authority in (ours, theirs):
            port.shown = files_of(authority.issue(server), ours, tmp_path)
            await port.start()
            github = callers.attach(
                certificates=SpiffeCertificates(source="spiffe", socket=AgentSocket.parse(agent.socket)),
                authserver_spiffe_id=SpiffeId.parse(server),
            )
            if authority is theirs:
                callers.clock.advance(60)
                assert await sent(github, callers.request()) == "upstream-1"
            else:
                with pytest.raises(CredentialUnreachable) as told:
                    await sent(github, callers.request())
                assert "from an authority that is not trusted here" in str(told.value)
                assert port.forms == []
                await port.stop()


def files_of(leaf: Leaf, believed: WorkloadAuthority, directory: Path) -> FileCertificates:
    certificate, private_key = directory / "leaf.pem", directory / "leaf.key"
    certificate.write_text(leaf.pem)
    private_key.write_text(leaf.key_pem)
    bundle = believed.write(directory / "bundle.pem")
    return FileCertificates(certificate=certificate, private_key=private_key, trust_bundle=bundle)
