"""An HTTP client whose every failure is a JSON-RPC error that says what is wrong, where, and what to do.

What carries messages hands on a JSON-RPC error in an answer, with the id of its request; of anything else
that goes wrong it could tell the client little.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from http import HTTPStatus
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import httpx2

from ostiary.cli.bridging.events import ToldEvents
from ostiary.cli.bridging.sessions import SESSION, Sessions, is_message, is_question
from ostiary.cli.challenge import refusal
from ostiary.credentials import CredentialError, NoCredential
from ostiary.credentials.adapters.secrets_sent import RememberingAuth
from ostiary.mcp.events import EventReader, EventTooLong
from ostiary.mcp.lost_session import is_session_lost, read_message
from ostiary.oauth.client.echoed_secrets import without_echoes
from ostiary.telemetry.redaction import without_tokens
from ostiary.transport.moved import REDIRECTS, moved
from ostiary.transport.road import (
    MOST_BYTES,
    AnswerUnusable,
    RoadClient,
    is_event_stream,
    unreached_with_advice,
)

if TYPE_CHECKING:
    from ostiary.credentials.runtime import Runtime
    from ostiary.diagnosis.target import ServerTarget

UNREACHABLE, BAD_ANSWER, CREDENTIAL_FAILED, CREDENTIAL_REFUSED = -32010, -32012, -32013, -32014
"""The codes that the gateway has for the same."""
CONNECT_TIMEOUT = 30.0
"""Seconds. An answer may take as long as the client likes to wait for it."""
LONGEST_WORDS = 1000
"""Characters of what a server says that stand in a sentence of ours."""
FAREWELL = httpx2.Timeout(5.0)
PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds between tries to hear of a server that is away; the last one for ever."""


class TellingClient(RoadClient):
    """Answers in the server's place when the server can't."""

    def __init__(self, target: ServerTarget, runtime: Runtime) -> None:
        sending = RememberingAuth(target.credential, server_url=target.url, runtime=runtime)
        super().__init__(
            target.url,
            reach=target.reach,
            proxies=target.proxies,
            auth=sending,
            timeout=httpx2.Timeout(CONNECT_TIMEOUT, read=None),
        )
        self._sending = sending
        self._target = target
        self._sessions = Sessions()
        self._beginning = asyncio.Lock()

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Send, and tell in JSON-RPC what went wrong."""
        if request.method == "DELETE":  # the end of a session, which nobody waits for
            request.extensions = {**request.extensions, "timeout": FAREWELL.as_dict()}
        try:
            response = await self._sent(request, options)
            if request.method != "POST" or not _is_short(response):
                return response
            await response.aread()
        except CredentialError as error:
            return _answer(request, 502, CREDENTIAL_FAILED, str(error))
        except httpx2.TransportError as error:
            if request.method == "GET" and not self._sessions.resumes_an_answer(request):
                return await self._heard_later(request, options)
            said = f"{self._target.url} cannot be reached: {unreached_with_advice(error, self.by_proxy)}"
            return _answer(request, 502, UNREACHABLE, said)
        except AnswerUnusable as error:
            return _answer(request, 502, BAD_ANSWER, f"{self._target.url}: {self._shown(str(error))}")
        return self._told(request, response)

    async def _sent(self, request: httpx2.Request, options: dict[str, Any]) -> httpx2.Response:
        """The answer, under a session that the server knows."""
        session = self._sessions.put_on(request)
        response = await super().send(request, **options)
        if session is not None and await self._is_gone(request, response):
            why = await self._begin_anew(session)
            if why and request.method == "POST":
                said = f"{self._target.url} was restarted, and the session cannot go on: it {why}"
                return _answer(request, 404, BAD_ANSWER, f"{said}; start this client again")
            if not why:
                again = self._again(request)
                self._sessions.put_on(again)
                response = await super().send(again, **options)
        self._note(request, response)
        return response

    async def _is_gone(self, request: httpx2.Request, response: httpx2.Response) -> bool:
        """Whether the session is. Servers that nobody may listen to answer a GET with 404, too."""
        if response.status_code not in {HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST}:
            return False
        if self._sessions.resumes_an_answer(request):
            return False
        if request.method == "GET" and not self._sessions.listened:
            return False
        asked = read_message(request.content) if request.method == "POST" else None
        return is_session_lost(response.status_code, await response.aread(), asked)

    def _note(self, request: httpx2.Request, response: httpx2.Response) -> None:
        if response.is_success:
            self._sessions.taken(request, response)
        if is_event_stream(response):
            of_answer = request.method == "POST" or self._sessions.resumes_an_answer(request)
            self._sessions.listened |= not of_answer
            told = self._sessions.part_of_an_answer if of_answer else self._sessions.heard
            response.stream = ToldEvents(response, told)

    async def _begin_anew(self, session: str) -> str:
        """Shake hands as the client did, once for all who were told that the session is gone.

        What the server does instead, where that is not possible.
        """
        async with self._beginning:
            if self._sessions.current != session:
                return ""
            handshake = self._sessions.handshake
            if handshake is None or handshake.initialized is None:
                return "forgot it before it was agreed on"
            first = await super().send(self._message(handshake.initialize), stream=True)
            try:
                answer = await _answer_of(first) if first.is_success else None
            finally:
                await first.aclose()
            if not first.is_success:
                return f"answers a new handshake with {first.status_code}"
            if disagreement := self._sessions.disagreement(answer):
                return disagreement
            self._sessions.begun_anew(first.headers.get(SESSION))
            last = self._message(handshake.initialized)
            if handshake.version is not None:
                last.headers["mcp-protocol-version"] = handshake.version
            if self._sessions.current is not None:
                last.headers[SESSION] = self._sessions.current
            begun = await super().send(last)
            return "" if begun.is_success else f"answers the end of a new handshake with {begun.status_code}"

    async def _heard_later(self, request: httpx2.Request, options: dict[str, Any]) -> httpx2.Response:
        """What the server says of itself, when it is there again: who asks would soon ask no more."""
        for pause in chain(PAUSES, repeat(PAUSES[-1])):
            await asyncio.sleep(pause)
            with contextlib.suppress(httpx2.TransportError, CredentialError):
                return await self._sent(self._again(request), options)
        raise AssertionError  # pauses do not end

    def _message(self, body: bytes) -> httpx2.Request:
        headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
        url, timeout = str(self._target.url), httpx2.Timeout(CONNECT_TIMEOUT)
        return self.build_request("POST", url, content=body, headers=headers, timeout=timeout)

    def _again(self, request: httpx2.Request) -> httpx2.Request:
        """The same, not yet sent."""
        body = request.content or None
        return self.build_request(request.method, request.url, content=body, headers=request.headers)

    def _told(self, request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        if response.status_code in REDIRECTS:
            if _is_within_origin(response):
                return response  # the message goes there, and the credential with it
            location = self._shown(response.headers.get("location", ""))
            said = moved(self._target.url, response.status_code, location)
            return _answer(request, 502, BAD_ANSWER, f"{self._target.url} {said}")
        if response.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return _answer(request, response.status_code, CREDENTIAL_REFUSED, self._refusal(response))
        if response.is_success and is_question(request) and not is_message(response.content):
            said = f"{self._target.url} answered with JSON that is no JSON-RPC message"
            return _answer(request, 502, BAD_ANSWER, said)
        if response.is_success or _is_rpc_error(response):
            return response
        status = f"{response.status_code} {self._shown(response.reason_phrase)}"
        hint = ": no MCP server is at that path" if response.status_code == HTTPStatus.NOT_FOUND else ""
        return _answer(
            request, response.status_code, BAD_ANSWER, f"{self._target.url} answered {status}{hint}"
        )

    def _refusal(self, response: httpx2.Response) -> str:
        url, credential = str(self._target.url), self._target.credential
        sent = None if isinstance(credential, NoCredential) else credential.type
        challenge = response.headers.get("www-authenticate", "")
        phrase, secrets = self._shown(response.reason_phrase), self._sending.sent
        said = refusal(url, response.status_code, phrase, challenge, sent=sent, secrets=secrets)
        return said if sent is None else f"{said} `ostiary doctor {url}` finds out why."

    def _shown(self, said: str) -> str:
        """A server's words in a sentence of ours, without what it was sent."""
        return without_echoes(said, self._sending.sent)[:LONGEST_WORDS]


def _is_short(response: httpx2.Response) -> bool:
    """Whether it is read here: an error, or one JSON document; a stream is left to come."""
    return response.status_code >= HTTPStatus.MULTIPLE_CHOICES or _is_json(response)


def _is_within_origin(response: httpx2.Response) -> bool:
    """Whether the same message may be sent to another path of the same server."""
    onward, sent = response.next_request, response.request
    if onward is None or onward.method != sent.method:
        return False
    return (onward.url.scheme, onward.url.netloc) == (sent.url.scheme, sent.url.netloc)


async def _answer_of(response: httpx2.Response) -> Any:
    """The message that answers a request; None without one."""
    if _is_json(response):
        return read_message(await response.aread())
    reader = EventReader(MOST_BYTES)
    with contextlib.suppress(EventTooLong):
        async for chunk in response.aiter_bytes():
            for data in reader.feed(chunk):
                message = read_message(data)
                if message and "method" not in message:
                    return message
    return None


def _is_rpc_error(response: httpx2.Response) -> bool:
    """Whether it can be handed on; JSON alone may be a web framework's, with words of its own."""
    error = read_message(response.content).get("error") if _is_json(response) else None
    return isinstance(error, dict) and isinstance(error.get("code"), int)


def _is_json(response: httpx2.Response) -> bool:
    return str(response.headers.get("content-type", "")).lower().startswith("application/json")


def _answer(request: httpx2.Request, status: int, code: int, message: str) -> httpx2.Response:
    error = {"code": code, "message": without_tokens(message)}
    body = json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode()
    return httpx2.Response(
        status, headers={"content-type": "application/json"}, content=body, request=request
    )
