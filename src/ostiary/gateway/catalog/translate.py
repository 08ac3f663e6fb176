"""A server's answer → the caller's answer.

The id becomes the caller's own, resource URIs get the name they have here, and nothing else changes.
A server's refusal of our credential is never the caller's own 401.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from ostiary.credentials.none import NoCredential
from ostiary.gateway import record
from ostiary.gateway.call import Call
from ostiary.gateway.catalog.server_info import SERVER_INFO
from ostiary.gateway.errors import (
    BadAnswer,
    CredentialRefused,
    GatewayError,
    ListTooLong,
    ServerBusy,
    ServerLimited,
)
from ostiary.gateway.observation.outcome import OK as OK_ANSWER
from ostiary.gateway.observation.outcome import SERVER_ERROR, outcome_of
from ostiary.gateway.upstreams.large_answers import in_pieces
from ostiary.gateway.upstreams.server import Server
from ostiary.inline_coroutines import as_future, next_turn
from ostiary.mcp.change_notices import no_more
from ostiary.mcp.errors import McpError
from ostiary.mcp.events import KEEP_ALIVE, EventReader, EventTooLong, write_event
from ostiary.mcp.links import LinkSplice, may_have_links, rename_links
from ostiary.mcp.messages import is_about_task, read_answer, write_answer
from ostiary.mcp.raw_object import Raw, read_members, read_string
from ostiary.mcp.request_state import may_ask, read_state, with_state
from ostiary.mcp.server_message import ServerMessage, read_server_message
from ostiary.mcp.subscriptions import LISTEN
from ostiary.mcp.tasks import became_task, read_task_id, with_task_id
from ostiary.transport.content_coding import compression, refusal
from ostiary.transport.inline_http import Answer, StreamedAnswer
from ostiary.transport.moved import REDIRECTS, moved
from ostiary.transport.retry_after import retry_after
from ostiary.transport.upstream import LARGE, CallStep, Room, Stream, UpstreamAnswer, UpstreamFailed

Rename = Callable[[str], str]

STREAM_HEADERS = (
    b"content-type: text/event-stream\r\ncache-control: no-cache, no-transform\r\nx-accel-buffering: no\r\n"
)
COMMENT = b":\n\n"
"""What a caller gets for a comment of the server: it keeps connections alive, whatever its words."""
ERROR_STATUSES = frozenset({200, 400, 404})
"""With these a server may send a JSON-RPC error that is the caller's to read."""

BUSY = frozenset({429, 503})
OK, NOT_FOUND = 200, 404
NOTHING = NoCredential().type


def translate(
    server: Server, answer: UpstreamAnswer, message_id: bytes, call: Call, rename: Rename | None
) -> Answer | StreamedAnswer:
    """The caller's answer.

    message_id: the id that the server was given; call: what it answers; rename: its resource URI → the URI
    here.
    Raises GatewayError. For an answer that is not large; see `translate_large`.
    """
    if answer.stream is not None:
        _require_plain(server, answer)
        if call.message.method == LISTEN:
            answer.stream.may_be_silent()
            server.listening.add(answer.stream)
        events = _events(server, answer.stream, message_id, call, rename)
        return StreamedAnswer(200, events, STREAM_HEADERS, answer.stream.close)
    kind, value = _read_whole(server, answer, message_id)
    if server.troubles.open:
        server.troubles.answered_well()
    if kind == "result" and (may_ask(answer.body) or call.message.meta.knows_tasks):
        value = _sealed(server, call, value)
    if rename is not None and kind == "result" and may_have_links(answer.body):
        value = _renamed(server, value, rename)
    answered = Answer(answer.status, write_answer(call.id, kind, value))
    return answered if answer.status == OK else _with_time_to_wait(server, answer, answered)


async def translate_large(
    server: Server, answer: UpstreamAnswer, message_id: bytes, call: Call, rename: Rename | None
) -> Answer:
    """The same for a large answer that is no stream, when it is its turn. Raises GatewayError."""
    async with server.large_answers:
        kind, value = _read_whole(server, answer, message_id)
        answer.body = b""  # `value` has what is left of it
        await next_turn()
        if kind == "result" and (may_ask(value) or call.message.meta.knows_tasks):
            value = _sealed(server, call, value)
        if rename is not None and kind == "result":
            value = await _renamed_in_pieces(server, bytes(value), rename)
        answered = Answer(answer.status, write_answer(call.id, kind, value))
        return answered if answer.status == OK else _with_time_to_wait(server, answer, answered)


async def read_result(
    server: Server, answer: UpstreamAnswer, message_id: bytes, most_bytes: int, method: str
) -> tuple[str, Raw]:
    """("result" or "error", its raw value), whole or out of a stream. Raises GatewayError.

    most_bytes: of the event that is the answer.
    """
    stream = answer.stream
    if stream is None:
        said = _read_whole(server, answer, message_id)
        server.troubles.answered_well()
        return said
    _require_plain(server, answer)
    reader = EventReader(most_bytes)
    give_up_at = asyncio.get_running_loop().time() + server.timeout_of(method)
    try:
        async for chunk in stream:
            if asyncio.get_running_loop().time() > give_up_at:  # it talks on and on, and says nothing
                raise _too_slow(server)
            for data in reader.feed(chunk):
                if data != KEEP_ALIVE and not (message := read_server_message(data)).has_method:
                    return message.answer_to(message_id)
    except UpstreamFailed as error:
        raise server.failure(error) from None
    except EventTooLong:
        raise ListTooLong(f"server {server.name}: its answer is longer than {most_bytes} bytes") from None
    except McpError:
        raise _bad(server, "its stream is not MCP") from None
    finally:
        stream.close()
    raise _bad(server, "its stream ended before its answer")


def _read_whole(server: Server, answer: UpstreamAnswer, message_id: bytes) -> tuple[str, Raw]:
    if answer.status in BUSY and answer.content_type == b"application/json":
        with suppress(McpError):
            said = read_answer(answer.body, message_id)
            if said[0] == "error":
                return said
    if answer.status not in ERROR_STATUSES or answer.content_type != b"application/json":
        raise _not_mcp(server, answer)
    try:
        return read_answer(answer.body, message_id)
    except McpError as error:
        _require_plain(server, answer)
        if answer.status != OK:
            raise _not_mcp(server, answer) from None
        raise _bad(server, error.message) from None


def _require_plain(server: Server, answer: UpstreamAnswer) -> None:
    coding = compression(answer.headers.get(b"content-encoding", b"").decode("latin-1"))
    if coding is not None:
        answer.close()
        raise _bad(server, refusal(coding))


async def _events(
    server: Server, stream: Stream, message_id: bytes, call: Call, rename: Rename | None
) -> AsyncIterator[bytes]:
    reader = EventReader(server.session.answer_bytes)
    room: Room | None = None
    try:
        async for chunk in stream:
            if room is None and reader.held > LARGE:
                room = await as_future(server.session.held.room(server.session.answer_bytes))
            for data in reader.feed(chunk):
                event, is_last = await _event(server, data, message_id, call, rename)
                if reader.held <= LARGE:
                    room = None  # what goes out is the caller's, who may take their time
                yield event
                if is_last:
                    return
        if not stream.is_given_up:
            raise _bad(server, "its stream ended before its answer")
        call.outcome = OK_ANSWER
        result = no_more(call.id, SERVER_INFO)
        yield write_event(write_answer(call.id, "result", result))
    except UpstreamFailed as error:
        yield _told(server.failure(error), call)
    except EventTooLong:
        yield _told(_bad(server, "an event of its stream is too long"), call)
    except GatewayError as error:
        yield _told(error, call)
    finally:
        stream.close()


async def _event(
    server: Server, data: bytes, message_id: bytes, call: Call, rename: Rename | None
) -> tuple[bytes, bool]:
    """One event for the caller, and whether it is the answer itself."""
    if data == KEEP_ALIVE:
        return COMMENT, False
    try:
        message = read_server_message(data)
        if message.has_method:
            return _notification(server, message, message_id, call.id), False
        kind, value = message.answer_to(message_id)
    except McpError as error:
        raise _bad(server, error.message) from None
    server.troubles.answered_well()
    call.outcome = OK_ANSWER if kind == "result" else SERVER_ERROR
    if kind == "result" and (may_ask(data) or call.message.meta.knows_tasks):
        value = _sealed(server, call, value)
    if rename is not None and kind == "result":
        if len(data) > LARGE:
            value = await as_future(_renamed_in_turn(server, bytes(value), rename))
        else:
            value = _renamed(server, value, rename)
    return write_event(write_answer(call.id, kind, value)), True


def _told(error: GatewayError, call: Call) -> bytes:
    """The end of a stream that comes to an error."""
    call.outcome = outcome_of(error)
    return write_event(error.to_json(call.id))


def _notification(server: Server, message: ServerMessage, message_id: bytes, caller_id: bytes) -> bytes:
    method = read_string(message.method, "method")
    if message.is_request:
        record.request_dropped(server.name, method)
        return b""
    return write_event(message.notification(message_id, caller_id))


def _sealed(server: Server, call: Call, value: Raw) -> Raw:
    """The result with what the server wants to hear again, or calls a task, sealed for this caller."""
    try:
        members = read_members(value)
        state = read_state(members)
        task = read_task_id(members) if became_task(members) or is_about_task(call.message) else None
    except McpError as error:
        raise _bad(server, error.message) from None
    if state is not None:
        return with_state(value, server.request_states.seal(call, state))
    return value if task is None else with_task_id(value, server.task_ids.here(call, task))


def _renamed(server: Server, value: Raw, rename: Rename) -> Raw:
    try:
        return rename_links(value, rename)
    except McpError as error:
        raise _bad(server, error.message) from None


async def _renamed_in_turn(server: Server, value: bytes, rename: Rename) -> Raw:
    async with server.large_answers:
        return await _renamed_in_pieces(server, value, rename)


async def _renamed_in_pieces(server: Server, value: bytes, rename: Rename) -> Raw:
    if not may_have_links(value):
        return value
    try:
        return await in_pieces(LinkSplice(value, rename))
    except McpError as error:
        raise _bad(server, error.message) from None


def _not_mcp(server: Server, answer: UpstreamAnswer) -> GatewayError:
    if answer.status in {401, 403}:
        error: GatewayError = CredentialRefused(f"server {server.name}: {_refusal(server, answer.status)}")
        server.troubles.tell(error)
        return error
    if answer.status in REDIRECTS:
        location = answer.headers.get(b"location", b"").decode("latin-1")
        return _bad(server, f"it {moved(server.session.url, answer.status, location)}")
    if answer.status in BUSY:
        seconds = _seconds_to_wait(server, answer)
        when = "" if seconds is None else f", and wants to be asked in {seconds} s"
        said = f"server {server.name}: it takes no more calls for now ({answer.status}){when}"
        kind = ServerBusy if answer.status == ServerBusy.status else ServerLimited
        error = kind(said, seconds)
        server.troubles.tell(error)
        return error
    media = answer.content_type.decode("latin-1") or "no content type"
    hint = "; no MCP server is at that path" if answer.status == NOT_FOUND else ""
    return _bad(server, f"it answered {answer.status} with {media} where a JSON-RPC answer is due{hint}")


def _seconds_to_wait(server: Server, answer: UpstreamAnswer) -> int | None:
    said = answer.headers.get(b"retry-after")
    seconds = None if said is None else retry_after(said.decode("latin-1"), now=server.health.clock())
    return None if seconds is None else math.ceil(seconds)


def _with_time_to_wait(server: Server, answer: UpstreamAnswer, answered: Answer) -> Answer:
    """With when to come again, if its server says so."""
    if answer.status in BUSY and (seconds := _seconds_to_wait(server, answer)) is not None:
        answered.headers += b"retry-after: %d\r\n" % seconds
    return answered


def _refusal(server: Server, status: int) -> str:
    url, doctor = server.session.url, f"`{server.doctor}`"
    who = "it" if server.name == str(url) else str(url)
    if server.credential_type == NOTHING:
        return f"{who} wants a credential ({status}), and none was sent; {doctor} finds out which"
    return f"{who} refused credential {server.credential_type} with {status}; {doctor} finds out why"


def _bad(server: Server, reason: str) -> GatewayError:
    error = BadAnswer(f"server {server.name}: {reason}")
    server.troubles.tell(error)
    return error


def _too_slow(server: Server) -> UpstreamFailed:
    return UpstreamFailed(server.name, CallStep.TIMEOUT, "no answer in its stream within its timeout")
