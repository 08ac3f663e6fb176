"""Sessions of legacy clients: whose they are, and what a forged, foreign or ended one gets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.gateway.conftest import Clock
from tests.gateway.sessions.conftest import LEGACY, RawClient

from ostiary.gateway.seals import Seals
from ostiary.gateway.sessions.live_sessions import LiveSessions
from ostiary.gateway.sessions.session_ids import (
    LONGEST_OPENED,
    MOST_OPENED,
    OPENED_SECONDS,
    SECONDS,
    SessionIds,
)
from ostiary.mcp.legacy_client.handshake import Introduction

if TYPE_CHECKING:
    from tests.gateway.conftest import Caller, StartGateway
    from tests.gateway.sessions.conftest import Workshop

UNKNOWN = "no session of yours has this Mcp-Session-Id, or it is over: initialize again"


def refusal(answered: Any) -> tuple[int, int, str]:
    problem = answered.json()["error"]
    return answered.status_code, problem["code"], problem["message"]


@pytest.mark.parametrize(
    ("asked", "spoken"), [*((version, version) for version in LEGACY), ("2023-01-01", "2025-11-25")]
)
async def test_a_version_is_agreed_on(raw: RawClient, asked: str, spoken: str) -> None:
    answered = await raw.initialize(asked)
    assert answered.status_code == 200
    result = answered.json()["result"]
    assert result["protocolVersion"] == spoken
    assert result["serverInfo"]["name"] == "ostiary"
    assert {"tools", "prompts", "resources"} <= result["capabilities"].keys()
    assert (await raw.post("notifications/initialized", message_id=None)).status_code == 202
    assert (await raw.post("ping")).json() == {"jsonrpc": "2.0", "id": 1, "result": {}}


async def test_nothing_of_the_modern_era_reaches_the_client(raw: RawClient) -> None:
    await raw.initialize()
    listed = (await raw.post("tools/list")).json()["result"]
    assert listed.keys() == {"tools"}
    called = await raw.post("tools/call", {"name": "w_add", "arguments": {"one": 1, "two": 2}})
    assert called.json()["result"].keys() <= {"content", "isError", "structuredContent"}


@pytest.mark.parametrize(
    "change",
    [
        lambda good: "1",
        lambda good: good[:-4],
        lambda good: good[:20] + ("A" if good[20] != "A" else "B") + good[21:],
        lambda good: good + "AAAA",
        lambda good: "A" * 20_000,
    ],
    ids=["short", "cut", "changed", "longer", "endless"],
)
async def test_a_forged_session_is_unknown(raw: RawClient, change: Any) -> None:
    await raw.initialize()
    raw.session = change(raw.session)
    for answered in (
        await raw.post("tools/list"),
        await raw.post("notifications/initialized", message_id=None),
        await raw.send({"jsonrpc": "2.0", "id": "x", "result": {}}),
        await raw.delete(),
        await raw.caller.http.get(raw.caller.origin + "/mcp", headers=dict(raw.headers)),
    ):
        assert refusal(answered) == (404, -32600, UNKNOWN)


async def test_a_session_is_of_the_endpoint_where_it_began(raw: RawClient) -> None:
    await raw.initialize()
    raw.path = "/servers/w/mcp"
    assert refusal(await raw.post("ping")) == (404, -32600, UNKNOWN)


async def test_an_ended_session_is_over(raw: RawClient) -> None:
    await raw.initialize()
    assert (await raw.delete()).status_code == 200
    assert refusal(await raw.post("ping")) == (404, -32600, UNKNOWN)
    assert (await raw.delete()).status_code == 404


async def test_a_session_is_over_after_a_day(start_gateway: StartGateway, workshop: Workshop) -> None:
    clock = Clock()
    raw = RawClient(await start_gateway(clock, servers={"w": {"url": workshop.url}}))
    await raw.initialize()
    clock.ahead = 23 * 3600
    assert (await raw.post("ping")).status_code == 200
    clock.ahead = 25 * 3600
    assert refusal(await raw.post("ping")) == (404, -32600, UNKNOWN)


class Somebody:
    """A caller, as far as a session looks."""

    def __init__(self, *identity: str | None) -> None:
        self.identity = identity


def test_a_session_opens_for_its_own_caller_alone() -> None:
    ids = SessionIds("/mcp", Seals())
    alice: Any = Somebody("https://a.example", "alice", "client")
    session, sealed = ids.begin(Introduction("2025-11-25", b"{}", b"{}"), alice)
    assert ids.open(sealed.encode(), Somebody("https://a.example", "alice", "client")) == session  # type: ignore[arg-type]
    for other in (
        None,
        Somebody("https://a.example", "bob", "client"),
        Somebody("https://b.example", "alice", "client"),
        Somebody("https://a.example", "alice", "another"),
        Somebody("https://a.example", "alice", None),
    ):
        with pytest.raises(Exception, match="no session of yours"):
            ids.open(sealed.encode(), other)  # type: ignore[arg-type]
    for nonsense in (b"", b"\xe9" * 40, b"\0", b"=" * 4):
        with pytest.raises(Exception, match="no session of yours"):
            ids.open(nonsense, alice)


def test_an_id_that_was_opened_a_minute_ago_is_over_after_its_day_all_the_same() -> None:
    clock = Clock()
    ids = SessionIds("/mcp", Seals(clock=clock))
    session, sealed = ids.begin(Introduction("2025-11-25", b"{}", b"{}"), None)
    clock.ahead += SECONDS - 30
    assert ids.open(sealed.encode(), None) == session
    clock.ahead += OPENED_SECONDS + 1
    with pytest.raises(Exception, match="no session of yours"):
        ids.open(sealed.encode(), None)


def test_no_more_ids_are_kept_open_than_may_be() -> None:
    ids = SessionIds("/mcp", Seals())
    for _ in range(MOST_OPENED + 1):
        _, sealed = ids.begin(Introduction("2025-11-25", b"{}", b"{}"), None)
        ids.open(sealed.encode(), None)
    _, long = ids.begin(Introduction("2025-11-25", b"{}", b'"%s"' % (b"x" * LONGEST_OPENED)), None)
    ids.open(long.encode(), None)
    assert len(ids) == MOST_OPENED


async def test_any_replica_with_the_key_goes_on_with_a_session(
    start_gateway: StartGateway, workshop: Workshop, tmp_path: Any
) -> None:
    from ostiary.storage.config import StorageSettings  # noqa: PLC0415

    storage = StorageSettings.model_validate(
        {"url": f"sqlite:///{tmp_path}/o.db", "encryption_key": {"file": f"{tmp_path}/o.key"}}
    )
    one, other = (SessionIds("/mcp", Seals(storage)) for _ in range(2))
    session, sealed = one.begin(Introduction("2025-11-25", b"{}", b"{}"), None)
    assert other.open(sealed.encode(), None) == session


async def test_what_needs_a_session_and_has_none_is_told_so(raw: RawClient) -> None:
    status, code, message = refusal(await raw.post("tools/list"))
    assert (status, code) == (400, -32602)
    assert "params._meta has no io.modelcontextprotocol/protocolVersion" in message
    for method in ("get", "delete"):
        answered = await raw.caller.http.request(method, raw.caller.origin + "/mcp")
        assert (answered.status_code, answered.headers["allow"]) == (405, "POST")


async def test_a_modern_request_may_say_any_session(gateway: Caller) -> None:
    answered = await gateway.ask("tools/list", headers=[("mcp-session-id", "forged")])
    assert answered.status_code == 200
    answered = await gateway.http.get(
        gateway.origin + "/mcp",
        headers={"mcp-session-id": "forged", "mcp-protocol-version": "2026-07-28"},
    )
    assert answered.status_code == 405


async def test_a_version_that_no_session_speaks_is_refused(raw: RawClient) -> None:
    await raw.initialize()
    refused = refusal(await raw.post("ping", mcp_protocol_version="1999-01-01"))
    assert refused[:2] == (400, -32600)
    assert (await raw.post("ping", mcp_protocol_version="2025-06-18")).status_code == 200


@pytest.mark.parametrize("headers", [{"mcp_method": "tools/list"}, {"mcp_method": "ping", "mcp_name": "x"}])
async def test_a_header_that_lies_is_refused_in_a_session_too(
    raw: RawClient, headers: dict[str, str]
) -> None:
    await raw.initialize()
    answered = await raw.post("tools/call", {"name": "w_add"}, **headers)
    assert refusal(answered)[:2] == (400, -32020)


async def test_a_handshake_under_a_lying_header_is_refused_before_any_version(raw: RawClient) -> None:
    answered = await raw.post("initialize", {"protocolVersion": "2025-11-25"}, mcp_method="tools/list")
    assert refusal(answered)[:2] == (400, -32020)


@pytest.mark.parametrize(
    "params",
    [
        {"protocolVersion": 7},
        {"capabilities": []},
        {"capabilities": {"sampling": {"x": "y" * 5000}}},
        {"clientInfo": {"name": "n" * 5000}},
        {"clientInfo": "me"},
    ],
)
async def test_a_handshake_that_makes_no_sense_is_an_error_that_clients_read(
    raw: RawClient, params: dict[str, Any]
) -> None:
    answered = await raw.initialize(**params)
    assert refusal(answered)[:2] == (200, -32602)
    assert "mcp-session-id" not in answered.headers


async def test_a_client_with_long_icons_gets_a_short_session(raw: RawClient) -> None:
    icons = [{"src": "data:image/png;base64," + "A" * 20_000}]
    answered = await raw.initialize(
        clientInfo={"name": "n", "version": "1", "icons": icons},
        capabilities={"experimental": {"x": {"y": "z" * 9000}}, "sampling": {}},
    )
    assert len(answered.headers["mcp-session-id"]) < 1000
    assert (await raw.post("ping")).status_code == 200


@pytest.mark.parametrize("method", ["server/discover", "subscriptions/listen"])
async def test_what_is_of_the_modern_era_is_not_asked_in_a_session(raw: RawClient, method: str) -> None:
    await raw.initialize()
    assert refusal(await raw.post(method))[:2] == (200, -32601)


async def test_ten_thousand_handshakes_leave_nothing_behind(raw: RawClient) -> None:
    sessions, ids = LiveSessions(most_streams=4), SessionIds("/mcp", Seals())
    for _ in range(10_000):
        session, _ = ids.begin(Introduction("2025-11-25", b"{}", b"{}"), None)
        with sessions.using(session.key, "somebody"):
            pass
    assert len(sessions) == 0


def test_what_idle_sessions_said_is_bounded_and_of_whoever_said_most_first() -> None:
    sessions = LiveSessions(most_streams=4)
    with sessions.using("careful", "alice") as live:
        live.level = "error"
    for number in range(20_000):
        with sessions.using(str(number), "mallory") as live:
            live.level = "debug"
    assert len(sessions) == 10_000
    with sessions.using("careful", "alice") as live:
        assert live.level == "error"
    with sessions.using("0", "mallory") as live:
        assert live.level == "info"


async def test_a_page_of_an_allowed_origin_may_keep_a_session(
    start_gateway: StartGateway, workshop: Workshop
) -> None:
    page = "https://page.example"
    caller = await start_gateway(servers={"w": {"url": workshop.url}}, allowed_origins=[page])
    raw = RawClient(caller)
    await raw.initialize()
    answered = await raw.post("ping", origin=page)
    assert answered.headers["access-control-expose-headers"] == "www-authenticate, mcp-session-id"
    deleted = await caller.http.delete(caller.origin + "/mcp", headers={**dict(raw.headers), "origin": page})
    assert deleted.headers["access-control-allow-origin"] == page
    asked = {"origin": page, "access-control-request-method": "DELETE"}
    preflight = await caller.http.options(caller.origin + "/mcp", headers=asked)
    assert "DELETE" in preflight.headers["access-control-allow-methods"]
    evil = await caller.http.delete(
        caller.origin + "/mcp", headers={**dict(raw.headers), "origin": "https://evil.example"}
    )
    assert evil.status_code == 403
