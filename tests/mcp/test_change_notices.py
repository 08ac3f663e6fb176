"""How one who listens is told that something changed."""

from __future__ import annotations

import json

import pytest

from ostiary.mcp.change_notices import MOST_PARTS, Change, no_more, read_change, whole_and_parts
from ostiary.mcp.errors import InvalidRequest
from ostiary.mcp.server_message import read_server_message

KEY = "io.modelcontextprotocol/subscriptionId"


def notice(method: str, params: object = None) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": params or {}}).encode()


@pytest.mark.parametrize(
    "change",
    [
        Change("toolsListChanged"),
        Change("promptsListChanged"),
        Change("resourcesListChanged"),
        Change(uri='a:"1"'),
    ],
)
def test_a_notice_is_read_as_it_was_written_and_names_its_subscription(change: Change) -> None:
    written = change.notice(b'"mine"')
    assert read_change(read_server_message(written)) == change
    assert json.loads(written)["params"]["_meta"] == {KEY: "mine"}


def test_any_other_notification_is_no_notice() -> None:
    assert read_change(read_server_message(notice("notifications/message"))) is None


@pytest.mark.parametrize("params", [{}, {"uri": 7}, {"uri": None}, [1]])
def test_an_update_of_nothing_is_refused(params: object) -> None:
    with pytest.raises(InvalidRequest):
        read_change(read_server_message(notice("notifications/resources/updated", params)))


@pytest.mark.parametrize(
    ("uri", "subscribed", "is_told"),
    [
        ("a://b/c", "a://b/c", True),
        ("a://b/c/d", "a://b/c", True),
        ("a://b/c/d", "a://b/c/", True),
        ("a://b?x=1", "a://b", True),
        ("a://b#x", "a://b", True),
        ("a://bc", "a://b", False),
        ("a://b", "a://b/c", False),
        ("", "a://b", False),
    ],
)
def test_who_named_a_resource_hears_of_its_parts(uri: str, subscribed: str, *, is_told: bool) -> None:
    assert (subscribed in whole_and_parts(uri)) is is_told


def test_a_uri_of_very_many_parts_costs_no_more_than_some() -> None:
    assert len(whole_and_parts("/" * 60_000)) <= 2 * MOST_PARTS + 1


def test_a_subscription_ends_with_its_own_id() -> None:
    ended = json.loads(no_more(b"7", {"name": "ostiary", "version": "1"}))
    assert (ended["resultType"], ended["_meta"][KEY]) == ("complete", 7)
