"""A route says what it leads to: what policy, audit and limits read."""

from __future__ import annotations

import time
from typing import Any, cast

import msgspec
import pytest

from ostiary.gateway.catalog.gathering import Memory
from ostiary.gateway.catalog.last_answers import LastAnswers
from ostiary.gateway.catalog.listen_route import ChangeFeeds
from ostiary.gateway.catalog.merged_lists import ListSize, Shown
from ostiary.gateway.catalog.routes import Federation, SingleServer
from ostiary.gateway.catalog.target import RouteTarget, TargetKind
from ostiary.gateway.upstreams.server import Server
from ostiary.mcp.messages import read_message
from ostiary.mcp.names import Names


class NamedServer:
    """As much of a server as a route looks at."""

    def __init__(self, name: str) -> None:
        self.name = name

    def own_timeout(self, method: bytes) -> None:
        """None of its own."""


def server(name: str) -> Server:
    return cast("Server", NamedServer(name))


def message(method: str, **params: Any) -> Any:
    return read_message(msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))


LAST = LastAnswers(kept_for=1, most_bytes=1, clock=time.time)
FEDERATION = Federation(
    [server("zoo"), server("notes")],
    Names({"zoo": "zoo_", "notes": "notes_"}),
    Memory(LAST, 1),
    ChangeFeeds(LAST, most_of_server=1, most_of_caller=1),
    Shown(ListSize(1000, 1000)),
)


@pytest.mark.parametrize(
    ("asked", "target"),
    [
        (message("tools/call", name="zoo_get_animal"), RouteTarget("zoo", TargetKind.TOOL, "get_animal")),
        (message("prompts/get", name="notes_greet"), RouteTarget("notes", TargetKind.PROMPT, "greet")),
        (
            message("resources/read", uri="zoo+note://one"),
            RouteTarget("zoo", TargetKind.RESOURCE, "note://one"),
        ),
        (
            message("completion/complete", ref={"type": "ref/prompt", "name": "zoo_greet"}),
            RouteTarget("zoo", TargetKind.COMPLETION, "greet"),
        ),
        (message("tools/list"), RouteTarget(None, TargetKind.LIST)),
        (message("server/discover"), RouteTarget(None, TargetKind.DISCOVERY)),
    ],
)
def test_a_route_of_the_federation_says_what_it_leads_to(asked: Any, target: RouteTarget) -> None:
    assert FEDERATION.route(asked).target(asked) == target


@pytest.mark.parametrize(
    ("asked", "target"),
    [
        (message("tools/call", name="zoo_get_animal"), RouteTarget("zoo", TargetKind.TOOL, "zoo_get_animal")),
        (message("resources/read", uri="note://one"), RouteTarget("zoo", TargetKind.RESOURCE, "note://one")),
        (message("tools/list"), RouteTarget("zoo", TargetKind.LIST)),
        (message("tasks/get", taskId="t"), RouteTarget("zoo", TargetKind.TASK)),
    ],
)
def test_a_route_to_a_single_server_leaves_names_as_they_are(asked: Any, target: RouteTarget) -> None:
    assert SingleServer(server("zoo")).route(asked).target(asked) == target
