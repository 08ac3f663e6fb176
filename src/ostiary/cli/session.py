"""A conversation with one MCP server, and what a refusal says.

Servers of streamable HTTP, which most are, are spoken to straight, and what that takes is loaded quickly. All
others are spoken to as the gateway does: see `gateway_session`.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from ostiary.cli.challenge import refusal
from ostiary.cli.failure import Failure
from ostiary.cli.server_words import not_valid, shown
from ostiary.credentials import NoCredential
from ostiary.oauth.client.echoed_secrets import without_echoes
from ostiary.transport.moved import REDIRECTS, moved

if TYPE_CHECKING:
    import httpx2

    from ostiary.cli.mcp_client.client import McpClient, ServerError
    from ostiary.cli.target import ChosenServer
    from ostiary.diagnosis.target import ServerTarget

TIMEOUT = 60.0
"""Seconds that a server may stay silent."""


NO_SUCH_DOOR = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})
"""With these a server refuses a handshake that speaks another transport, or none."""
_NO_MESSAGE = "Failed to parse "


class CallRefused(Failure):
    """The server let us not in."""


class OtherTransport(Failure):
    """The server does not do what it was asked; perhaps it speaks HTTP+SSE."""


@contextlib.asynccontextmanager
async def connected(chosen: ChosenServer) -> AsyncIterator[McpClient]:
    """A client, connected to the server. Whatever goes wrong inside becomes a Failure."""
    async with contextlib.AsyncExitStack() as running:
        yield await _connect(chosen, running)


async def _connect(chosen: ChosenServer, running: contextlib.AsyncExitStack) -> McpClient:
    if chosen.url is not None and chosen.transport != "sse":
        try:
            return await running.enter_async_context(_straight(chosen.target))
        except OtherTransport:
            if chosen.transport != "auto":
                raise
            from ostiary.cli.gateway_session import NotThere, connected_by_gateway  # noqa: PLC0415

            with contextlib.suppress(NotThere):
                return await running.enter_async_context(connected_by_gateway(chosen, transport="sse"))
            raise
    from ostiary.cli.gateway_session import connected_by_gateway  # noqa: PLC0415 - a gateway is in it

    return await running.enter_async_context(connected_by_gateway(chosen))


@contextlib.asynccontextmanager
async def _straight(target: ServerTarget) -> AsyncIterator[McpClient]:
    from ostiary.cli.mcp_client.client import McpClient  # noqa: PLC0415
    from ostiary.cli.mcp_client.streamable_http import StreamableHttp  # noqa: PLC0415
    from ostiary.credentials.adapters.secrets_sent import RememberingAuth  # noqa: PLC0415
    from ostiary.transport.road import RoadClient  # noqa: PLC0415

    answers = _Answers()
    runtime = target.runtime()
    auth = RememberingAuth(target.credential, server_url=target.url, runtime=runtime)
    http = RoadClient(
        target.url,
        reach=target.reach,
        proxies=target.proxies,
        auth=auth,
        event_hooks={"response": [answers.see]},
        timeout=TIMEOUT,
        follow_redirects=False,
    )
    try:
        async with runtime, http, McpClient(StreamableHttp(http, str(target.url))) as client:
            yield client
    except Exception as error:
        cause = _cause(error, target, answers.no, auth.sent)
        if isinstance(cause, CallRefused) and not isinstance(target.credential, NoCredential):
            cause = CallRefused(f"{cause}{await _what_to_mend(target)}")
        raise cause from error


async def _what_to_mend(target: ServerTarget) -> str:
    """What is wrong with the token that was sent, and the fix, where that can be told; else nothing."""
    from ostiary.diagnosis.causes import diagnose  # noqa: PLC0415
    from ostiary.diagnosis.diagnosis import IN_THE_TOKEN  # noqa: PLC0415
    from ostiary.diagnosis.examination import Examination  # noqa: PLC0415

    async with Examination(target, may_choose=False) as examination:
        async for _ in examination.run():
            pass
    found = diagnose(examination.evidence)
    return f" {found.sentence} {found.fix}" if found is not None and found.cause in IN_THE_TOKEN else ""


@dataclass(frozen=True, slots=True)
class _No:
    """An answer that was an error, with its status and its challenge."""

    status: int
    challenge: str
    message: str
    """The JSON-RPC error's own words, "" when there was none."""
    location: str
    """Where it sends callers, "" when it does not."""

    @property
    def phrase(self) -> str:
        """What the status is called; "" where nobody but the server's front end knows (520)."""
        try:
            return HTTPStatus(self.status).phrase
        except ValueError:
            return ""


class _Answers:
    """The first error since the last success: what follows it is only an older handshake being tried."""

    def __init__(self) -> None:
        self.no: _No | None = None

    async def see(self, response: httpx2.Response) -> None:
        if response.status_code < HTTPStatus.MULTIPLE_CHOICES:
            self.no = None
        elif self.no is None:
            challenge = response.headers.get("www-authenticate", "")
            message = _rpc_message(await response.aread())
            location = response.headers.get("location", "")
            self.no = _No(response.status_code, challenge, message, location)


def _rpc_message(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, RecursionError, KeyError, TypeError):
        return ""


def _cause(error: Exception, target: ServerTarget, no: _No | None, sent: Sequence[str]) -> Exception:
    """The error that a person can act on.

    sent: secrets, which the server may repeat.
    """
    import httpx2  # noqa: PLC0415

    from ostiary.cli.mcp_client.client import InvalidAnswer, ServerError  # noqa: PLC0415
    from ostiary.transport.road import AnswerUnusable  # noqa: PLC0415

    match error:
        case httpx2.TimeoutException():
            return Failure(f"{target.url} did not answer within {TIMEOUT:.0f} seconds")
        case httpx2.TransportError():
            return Failure(f"{target.url} cannot be reached: {_why(error, target)}")
        case ServerError():
            return _answered(error, target, no, sent)
        case AnswerUnusable() | InvalidAnswer() | RecursionError():
            said = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
            return not_valid(str(target.url), shown(said, sent).partition("\n")[0])
        case Failure():  # it may name what the server offers instead
            return type(error)(shown(str(error), sent))
    return error


def _answered(error: ServerError, target: ServerTarget, no: _No | None, sent: Sequence[str]) -> Failure:
    said = shown((no and no.message) or error.message, sent)
    if no is None and error.message.startswith(_NO_MESSAGE):
        return not_valid(str(target.url), "it is no JSON-RPC message")
    if no is None:
        return Failure(f"{target.url} answered: {said} (JSON-RPC error {error.code})")
    if no.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return CallRefused(_refusal(target, no, sent))
    if no.status in REDIRECTS:
        return Failure(f"{target.url} {moved(target.url, no.status, without_echoes(no.location, sent))}")
    status = f"{no.status} {no.phrase}".rstrip()
    if no.status == HTTPStatus.NOT_FOUND and not no.message:
        said = "no MCP server is at that path"
    kind = OtherTransport if no.status in NO_SUCH_DOOR else Failure
    return kind(f"{target.url} answered {status}: {said}")


def _refusal(target: ServerTarget, no: _No, secrets: Sequence[str]) -> str:
    sent = None if isinstance(target.credential, NoCredential) else target.credential.type
    return refusal(str(target.url), no.status, no.phrase, no.challenge, sent=sent, secrets=secrets)


def _why(error: httpx2.TransportError, target: ServerTarget) -> str:
    from ostiary.transport.road import unreached_with_advice  # noqa: PLC0415

    return unreached_with_advice(error, target.proxies.to(target.url))
