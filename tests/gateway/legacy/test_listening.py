"""Modern callers listen to what an old server says unasked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.gateway.legacy.conftest import Modern, OldServer, text_of

ID = "io.modelcontextprotocol/subscriptionId"
BOTH = {"notifications": {"toolsListChanged": True, "resourceSubscriptions": ["notes://one"]}}


async def test_who_listens_is_told_so_first_and_hears_what_they_asked_for(
    modern: Modern, old: OldServer
) -> None:
    async with modern.streaming("subscriptions/listen", BOTH, "mine") as said:
        first = await anext(said)
        assert first == {
            "jsonrpc": "2.0",
            "method": "notifications/subscriptions/acknowledged",
            "params": {"notifications": BOTH["notifications"], "_meta": {ID: "mine"}},
        }
        await modern.call("touch")
        assert await anext(said) == {
            "jsonrpc": "2.0",
            "method": "notifications/resources/updated",
            "params": {"uri": "notes://one", "_meta": {ID: "mine"}},
        }
        changed = await anext(said)
        assert (changed["method"], changed["params"]) == (
            "notifications/tools/list_changed", {"_meta": {ID: "mine"}},
        )  # fmt: skip
    await old.unsubscribed.wait()
    assert old.subscribed == ["+notes://one", "-notes://one"]


async def test_two_who_listen_share_a_subscription(modern: Modern, old: OldServer) -> None:
    wanted = {"notifications": {"resourceSubscriptions": ["notes://one"]}}
    async with modern.streaming("subscriptions/listen", wanted, 1) as first:
        await anext(first)
        async with modern.streaming("subscriptions/listen", wanted, 2) as second:
            await anext(second)
            await modern.call("touch")
            assert (await anext(second))["params"]["_meta"] == {ID: 2}
        await modern.call("touch")
        assert [(await anext(first))["params"]["_meta"] for _ in range(2)] == [{ID: 1}, {ID: 1}]
    await old.unsubscribed.wait()
    assert old.subscribed == ["+notes://one", "-notes://one"]


async def test_what_the_server_refuses_is_not_promised(modern: Modern) -> None:
    wanted = {"notifications": {"resourceSubscriptions": ["notes://secret", "notes://one"]}}
    async with modern.streaming("subscriptions/listen", wanted) as said:
        promised = (await anext(said))["params"]["notifications"]
        assert promised == {"resourceSubscriptions": ["notes://one"]}


async def test_what_nobody_asked_for_is_not_told(modern: Modern) -> None:
    async with modern.streaming(
        "subscriptions/listen", {"notifications": {"toolsListChanged": True}}
    ) as said:
        await anext(said)
        await modern.call("touch", uri="notes://other")
        assert (await anext(said))["method"] == "notifications/tools/list_changed"


@pytest.mark.parametrize(
    "params", [{}, {"notifications": 1}, {"notifications": {"resourceSubscriptions": 1}}]
)
async def test_a_subscription_that_says_nothing_is_refused(modern: Modern, params: Any) -> None:
    refused = await modern.ask("subscriptions/listen", params)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, -32602)


async def test_one_session_has_so_many_listeners(modern: Modern) -> None:
    async def listens(number: int) -> None:
        async with modern.streaming("subscriptions/listen", {"notifications": {}}, number) as said:
            await anext(said)
            listening.release()
            await asyncio.sleep(60)

    listening = asyncio.Semaphore(0)
    tasks = [asyncio.create_task(listens(number)) for number in range(16)]
    for _ in tasks:
        await listening.acquire()
    refused = await modern.ask("subscriptions/listen", {"notifications": {}})
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, -32015)
    for task in tasks:
        task.cancel()


async def test_who_listens_does_not_notice_that_the_server_was_restarted(
    modern: Modern, old: OldServer
) -> None:
    async with modern.streaming("subscriptions/listen", BOTH, 1) as said:
        await anext(said)
        await old.restart()
        assert text_of(await modern.call("add", a=1, b=1)) == "2"
        told = [(await anext(said))["method"] for _ in range(2)]
        assert sorted(told) == ["notifications/resources/updated", "notifications/tools/list_changed"]
        await modern.call("touch")
        assert (await anext(said))["params"]["uri"] == "notes://one"
    assert old.subscribed == ["+notes://one", "+notes://one"]


async def test_a_server_that_lets_nobody_listen_is_listened_to_in_vain(
    modern: Modern, old: OldServer
) -> None:
    old.stateless = True
    await old.restart()
    async with modern.streaming(
        "subscriptions/listen", {"notifications": {"toolsListChanged": True}}
    ) as said:
        assert (await anext(said))["method"] == "notifications/subscriptions/acknowledged"
