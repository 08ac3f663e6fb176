"""One MCP server: the credential that it wants, a second try after a 401, and how it fares."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Hashable, Mapping
from itertools import count
from typing import NamedTuple
from weakref import WeakSet

from ostiary.credentials.credential import acts_for_callers
from ostiary.credentials.error import (
    CallerIsNoPerson,
    CredentialError,
    CredentialUnreachable,
    ReauthenticationRequired,
)
from ostiary.credentials.headers.headers import (
    MOST_TRIES,
    CredentialHeaders,
    Headers,
    OutgoingRequest,
    ServerRefusal,
)
from ostiary.gateway.call import Call
from ostiary.gateway.config import ServerSettings
from ostiary.gateway.errors import (
    BadAnswer,
    CircuitOpen,
    CredentialAway,
    CredentialFailed,
    ForPeopleAlone,
    GatewayError,
    NotConnected,
    ServerTimedOut,
    ServerUnavailable,
    TryLater,
)
from ostiary.gateway.seals import Seals
from ostiary.gateway.upstreams.health import Health
from ostiary.gateway.upstreams.held_lists import HeldLists
from ostiary.gateway.upstreams.large_answers import OneAtATime
from ostiary.gateway.upstreams.repetition import PAUSES, may_be_repeated
from ostiary.gateway.upstreams.request_states import RequestStates
from ostiary.gateway.upstreams.session import OutgoingMessage, UpstreamSession
from ostiary.gateway.upstreams.task_ids import TaskIds
from ostiary.gateway.upstreams.troubles import Troubles
from ostiary.inline_coroutines import hopping
from ostiary.mcp.headers import PARAMETER_HEADERS
from ostiary.mcp.merging import ListBudget
from ostiary.mcp.messages import Change
from ostiary.transport.upstream import CallerBusy, CallStep, Stream, UpstreamAnswer, UpstreamFailed

ERRORS = 400

ALWAYS_CARRIED = (b"traceparent", b"tracestate")
"""Headers that go on to every server: they identify a trace, not a person (W3C Trace Context)."""

NEVER_CARRIED = frozenset(
    b"host user-agent accept accept-encoding accept-language authorization connection content-length "
    b"content-type mcp-protocol-version mcp-session-id mcp-method mcp-name".split()
)
"""What most requests have and no server gets, unless it is configured to: when there is nothing else,
there is nothing to look for."""


def _is_unknown(_: Call) -> bool:
    return False


class Special(NamedTuple):
    """What is so of one tool, prompt or resource, and not of all of its server."""

    timeout: float | None = None
    changes_nothing: Callable[[Call], bool] = _is_unknown
    """Whether it may be called twice, as far as this caller was told."""


class Server:
    """Sends messages to one MCP server."""

    def __init__(
        self,
        name: str,
        session: UpstreamSession,
        credential: CredentialHeaders,
        *,
        settings: ServerSettings,
        health: Health,
        list_budget: ListBudget,
        seals: Seals,
    ) -> None:
        self.name = name
        self.session = session
        self.credential = credential
        self._get_headers = hopping(credential.get)
        self.credential_type = settings.credential.type
        self.doctor = f"ostiary doctor {name if name == str(settings.url) else f'--server {name}'}"
        """The command that finds out what is wrong with it."""
        self.is_per_caller = acts_for_callers(settings.credential)
        """Whether each caller has a credential of their own there."""
        self.health = health
        self.troubles = Troubles(name, health.clock)
        self.large_answers = OneAtATime()
        self.request_states = RequestStates(name, seals)
        self.task_ids = TaskIds(name, seals)
        self.lists = HeldLists(name, list_budget)
        self._carried = (*ALWAYS_CARRIED, *(header.encode() for header in settings.forward_headers))
        self._passed_over = NEVER_CARRIED.difference(self._carried)
        self._ids = count(1)
        self._timeouts = {
            method.encode(): timeout.total_seconds() for method, timeout in settings.timeouts.items()
        }
        self.listening: WeakSet[Stream] = WeakSet()
        """Its own streams of what it tells of changes, which go on to callers as they are."""

    def whose(self, call: Call) -> Hashable:
        """Whose is what it says to this caller: None for everybody's, as they are alike to it."""
        told = tuple(
            (name, value)
            for name, value in call.request.headers.items()
            if name in self._carried and name not in ALWAYS_CARRIED
        )
        if self.is_per_caller or told or call.session is not None:
            return call.account, call.session, told
        return None

    async def forward(
        self,
        call: Call,
        change: Change | None,
        name_line: bytes,
        most_bytes: int | None = None,
        special: Special | None = None,
    ) -> tuple[UpstreamAnswer, bytes]:
        """Send the caller's message on with this server's own credential: its answer, and the id it got.

        change: the parameter that is another there; name_line: the `Mcp-Name` header, if any, with its
        line break; most_bytes: of the answer, where that is less than for others; special: what is so of what
        is called, and not of all. Raises GatewayError.
        """
        if self.health.state is not None:
            self._require_closed_circuit()
        headers = call.request.headers
        message_id = b"%d" % next(self._ids)
        body = call.message.written(message_id, change)
        request = OutgoingRequest("POST", self.session.url, body, call.principal)
        if not headers.keys() <= self._passed_over:
            name_line += self._carry(headers)
        lines = b"mcp-method: %s\r\n%s" % (call.message.method, name_line)
        timeout = self._timeouts.get(call.message.method) if special is None else special.timeout
        outgoing = OutgoingMessage(lines, body, call.account, call.session, most_bytes, timeout)
        try:
            attached = self.credential.ready(request)
            if attached is None:
                attached = await self._get_headers(request)
            answer = await self.session.exchange(outgoing, attached)
            if answer.status >= ERRORS:
                if self.session.is_outdated(answer):
                    answer = await self.session.exchange(outgoing, attached)
                if ServerRefusal.is_one(answer.status):
                    answer = await self._again(request, outgoing, attached, answer)
        except UpstreamFailed as error:
            answer = await self._repeated(call, request, outgoing, special, error)
        except (CallerBusy, CredentialError, BadAnswer) as error:
            raise self._told(error) from None
        if self.troubles.open:
            self.health.succeeded()
            self.troubles.answered()
        return answer, message_id

    def own_timeout(self, method: bytes) -> float | None:
        """Seconds that an answer to this method may take, where that is not what all others have."""
        return self._timeouts.get(method)

    def timeout_of(self, method: str) -> float:
        """Seconds that an answer to this method may take."""
        return self._timeouts.get(method.encode(), self.session.timeout)

    def _require_closed_circuit(self) -> None:
        state = self.health.refuse()
        if state is None:
            return
        seconds = max(1, math.ceil(state.next_try - self.health.clock()))
        said = f"server {self.name}: it cannot be reached, and is tried again in {seconds} s"
        open_circuit = CircuitOpen(said, data=state.told())
        open_circuit.step = state.step
        open_circuit.headers = b"retry-after: %d\r\n" % seconds
        raise open_circuit

    async def _repeated(
        self,
        call: Call,
        request: OutgoingRequest,
        outgoing: OutgoingMessage,
        special: Special | None,
        error: UpstreamFailed,
    ) -> UpstreamAnswer:
        """The answer to a message that failed, and went out once more. Raises GatewayError."""
        changes_nothing = special is not None and special.changes_nothing(call)
        may_be = may_be_repeated(call.message.method, error.step, changes_nothing=changes_nothing)
        if self.health.state is not None or not may_be:  # who was not well until now is not asked twice
            raise self._told(error) from None
        if error.step is CallStep.CONNECT:
            await _pause(random.uniform(*PAUSES))  # noqa: S311 - so that not all come at once
        try:
            attached = self.credential.ready(request) or await self._get_headers(request)
            answer = await self.session.exchange(outgoing, attached)
            if ServerRefusal.is_one(answer.status):
                answer = await self._again(request, outgoing, attached, answer)
        except (UpstreamFailed, CallerBusy, CredentialError, BadAnswer) as failed:
            raise self._told(failed) from None
        return answer

    async def _again(
        self, request: OutgoingRequest, outgoing: OutgoingMessage, attached: Headers, answer: UpstreamAnswer
    ) -> UpstreamAnswer:
        """Send once more what was refused for its credential, with another one if that makes sense."""
        for _ in range(MOST_TRIES - 1):
            if not self.credential.refused(request, attached, _refusal(answer)):
                return answer
            attached = await self._get_headers(request)
            answer = await self.session.exchange(outgoing, attached)
            if not ServerRefusal.is_one(answer.status):
                if ServerRefusal.is_none(answer.status):
                    self.credential.accepted(request, attached)
                return answer
        self.credential.refused(request, attached, _refusal(answer))
        return answer

    def end_listening(self) -> None:
        """Whoever listens to it listens no more."""
        for stream in list(self.listening):
            stream.give_up()

    def close(self) -> None:
        """Drop all connections."""
        self.session.close()

    def _carry(self, headers: Mapping[bytes, bytes]) -> bytes:
        return b"".join(
            b"%s: %s\r\n" % (name, value)
            for name, value in headers.items()
            if name in self._carried or name.startswith(PARAMETER_HEADERS)
        )

    def failure(self, error: UpstreamFailed) -> GatewayError:
        """Note that it gave no answer: the error for the caller."""
        kind = ServerTimedOut if error.step is CallStep.TIMEOUT else ServerUnavailable
        told = kind(str(error))
        told.step = error.step
        return self._noted(told)

    def _told(self, error: UpstreamFailed | CallerBusy | CredentialError | BadAnswer) -> GatewayError:
        """The error for the caller, told in the log where the server has to do with it."""
        match error:
            case UpstreamFailed():
                return self.failure(error)
            case CallerBusy():
                return self._later(error)
            case CredentialError():
                lacking = self._without_credential(error)
                is_callers = isinstance(lacking, NotConnected | ForPeopleAlone)
                return lacking if is_callers else self._noted(lacking)
        self.troubles.tell(error)
        return error

    def _without_credential(self, error: CredentialError) -> GatewayError:
        if isinstance(error, ReauthenticationRequired):
            said = f"server {self.name}: {error.problem}; {error.fix}"
            return NotConnected(said, idp=error.idp, connect_url=error.connect_url)
        if isinstance(error, CredentialUnreachable) and error.retry_after is not None:
            away = CredentialAway(f"server {self.name}: {error}")
            away.headers = b"retry-after: %d\r\n" % max(1, math.ceil(error.retry_after))
            return away
        kind = ForPeopleAlone if isinstance(error, CallerIsNoPerson) else CredentialFailed
        return kind(f"server {self.name}: {error}")

    def _later(self, error: CallerBusy) -> GatewayError:
        """The caller's own doing, of which the server knows nothing."""
        later = TryLater(str(error))
        later.headers = b"retry-after: 1\r\n"
        self.troubles.tell(later)
        return later

    def _noted(self, error: GatewayError) -> GatewayError:
        self.health.failed(error.step)
        self.troubles.tell(error)
        return error


@hopping
async def _pause(seconds: float) -> None:
    await asyncio.sleep(seconds)


def _refusal(answer: UpstreamAnswer) -> ServerRefusal:
    challenge = answer.headers.get(b"www-authenticate", b"").decode("latin-1")
    nonce = answer.headers.get(b"dpop-nonce")
    return ServerRefusal(answer.status, challenge, None if nonce is None else nonce.decode("latin-1"))
