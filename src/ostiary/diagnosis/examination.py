"""Ask a server step by step, and collect what is seen."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Self

from ostiary.credentials import Chain, CredentialError, GoogleIdToken, NoCredential
from ostiary.credentials.adapters.secrets_sent import RememberingAuth
from ostiary.credentials.headers.headers import Headers, OutgoingRequest
from ostiary.credentials.issuer.addressee import AddressedClient
from ostiary.diagnosis import connect
from ostiary.diagnosis.connect import DeadEnd
from ostiary.diagnosis.evidence import Evidence, NoToken, Sent
from ostiary.diagnosis.http_probe import PATIENCE, Wire, spoken
from ostiary.diagnosis.resource import find_metadata
from ostiary.diagnosis.wanted_credential import WantedCredential, is_from_cloud_run, wanted
from ostiary.oauth.inspection.token_explanation import Explanation, explain
from ostiary.transport.road import RoadClient

if TYPE_CHECKING:
    from types import TracebackType

    from ostiary.credentials import Credential
    from ostiary.diagnosis.target import ServerTarget

FIXED = frozenset({"bearer", "header", "workload_jwt"})
"""Credentials whose token was made some time ago, by somebody else."""


class Outcome(StrEnum):
    """How a step ended."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step says in one line."""

    outcome: Outcome
    found: str


ExaminationStep = Callable[[], Awaitable[StepResult]]


class Examination:
    """One server and one credential under examination. Use as an async context manager.

    may_choose: whether, with no credential named, the one that the server seems to want is tried.
    """

    def __init__(
        self, target: ServerTarget, *, may_choose: bool = True, clock: Callable[[], float] = time.time
    ) -> None:
        self._proxy = target.proxies.to(target.url)
        by = None if self._proxy is None else f"{self._proxy}, named by {self._proxy.said_by}"
        self.evidence = Evidence(target.url, target.credential.type, WantedCredential.UNTOLD, proxy=by)
        self._credential: Credential = target.credential
        self._clock = clock
        self._may_choose = may_choose and isinstance(target.credential, NoCredential)
        self._target = target
        self._runtime = target.runtime(clock=clock)
        self._running = AsyncExitStack()
        self._inner_token: Explanation | None = None

    async def __aenter__(self) -> Self:
        await self._running.enter_async_context(self._runtime)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._running.aclose()

    @property
    def steps(self) -> tuple[tuple[str, ExaminationStep], ...]:
        """Name and step, in order."""
        return (
            ("resolve", self._resolve),
            ("connect", self._connect),
            ("TLS", self._shake_hands),
            ("ask", self._ask_without_a_token),
            ("wants", self._read_what_it_wants),
            ("token", self._get_token),
            ("decode", self._decode),
            ("call", self._call),
        )

    async def run(self) -> AsyncIterator[tuple[str, StepResult]]:
        """Take every step; once the way has ended, the rest is skipped."""
        for name, step in self.steps:
            yield name, await self.take(step)

    async def take(self, step: ExaminationStep) -> StepResult:
        """Take one step."""
        if self.evidence.dead is not None:
            return StepResult(Outcome.SKIPPED, "the way ends before")
        try:
            return await step()
        except DeadEnd as ended:
            self._saw(dead=ended.dead)
            return StepResult(Outcome.FAILED, f"{ended.dead.end}: {ended.dead.detail}")

    async def _resolve(self) -> StepResult:
        if self._proxy:
            return StepResult(Outcome.SKIPPED, f"the proxy does it ({self.evidence.proxy})")
        return StepResult(Outcome.OK, ", ".join(await connect.resolve(self.evidence.url)))

    async def _connect(self) -> StepResult:
        if self._proxy:
            return StepResult(Outcome.SKIPPED, f"by the proxy {self.evidence.proxy}")
        return StepResult(
            Outcome.OK, f"{await connect.connect(self.evidence.url)} port {self.evidence.url.port}"
        )

    async def _shake_hands(self) -> StepResult:
        if self.evidence.url.scheme == "http":
            return StepResult(Outcome.SKIPPED, "plain http")
        if self._proxy:
            return StepResult(Outcome.SKIPPED, f"by the proxy {self.evidence.proxy}")
        version = await connect.shake_hands(self.evidence.url, self._target.reach.trust)
        return StepResult(Outcome.OK, f"{version}, certificate trusted")

    async def _ask_without_a_token(self) -> StepResult:
        wire = await self._wire(None)
        probe = await wire.ask(self.evidence.url)
        self._saw(probe=probe)
        if probe.works:
            return StepResult(Outcome.OK, f"let in: {spoken(probe)}")
        said = f": {probe.said}" if probe.said else ""
        return StepResult(Outcome.OK if probe.is_refusal else Outcome.FAILED, f"{probe.status_line}{said}")

    async def _read_what_it_wants(self) -> StepResult:
        probe = self.evidence.probe
        if probe is not None and probe.is_refusal:
            self._saw(metadata=await find_metadata(self._target, probe, self._runtime.fetcher))
        metadata = self.evidence.metadata
        self._saw(wanted=wanted(probe, metadata))
        if self._may_choose and self.evidence.wanted is WantedCredential.GOOGLE_ID_TOKEN:
            # It is for this one origin alone: whoever gets it can use it nowhere else.
            self._credential = GoogleIdToken()
            self._saw(credential="google_id_token", chosen_by_us=True)
        found = str(self.evidence.wanted)
        if metadata is not None and metadata.issuers:
            found += f" of {', '.join(metadata.issuers)}"
        if metadata is not None and metadata.scopes:
            found += f" with scopes {' '.join(metadata.scopes)}"
        return StepResult(
            Outcome.FAILED if self.evidence.wanted is WantedCredential.UNTOLD else Outcome.OK, found
        )

    async def _get_token(self) -> StepResult:
        if isinstance(self._credential, NoCredential):
            return StepResult(Outcome.SKIPPED, "no credential is named for this server")
        url = self.evidence.url
        try:
            await self._require_addressees()
            headers = await self._credential.attach(url, runtime=self._runtime).get(
                OutgoingRequest("POST", url)
            )
        except CredentialError as error:
            self._saw(no_token=NoToken(error.problem, error.fix, error.endpoint))
            return StepResult(Outcome.FAILED, f"credential {error.credential}: {error.problem}")
        names = tuple(name.lower() for name, _ in headers)
        self._inner_token = self._explained(headers, "authorization")
        fetched = not FIXED.issuperset(self._credential.type.split(" + "))
        self._saw(sent=Sent(names, fetched, self._clock(), self._outer_token(headers)))
        chosen = ", chosen as the server seems to want it" if self.evidence.chosen_by_us else ""
        return StepResult(
            Outcome.OK, f"credential {self._credential.type}{chosen}, sent as {', '.join(names)}"
        )

    async def _require_addressees(self) -> None:
        """The issuer that is missing comes before whatever else is: a caller, a person."""
        chosen = self._credential
        for one in chosen.root if isinstance(chosen, Chain) else (chosen,):
            if isinstance(one, AddressedClient):
                await one.require_addressee(self.evidence.url, self._runtime, one.type)

    async def _decode(self) -> StepResult:
        sent = self.evidence.sent
        if sent is None or sent.token is None:
            return StepResult(Outcome.SKIPPED, "there is no token to read")
        jwt = sent.token.jwt
        audience = f" for {', '.join(jwt.audiences)}" if jwt and jwt.audiences else ""
        whose = (jwt.text("email") or jwt.text("sub")) if jwt else None
        found = f"{sent.token.kind}{audience}" + (f", of {whose}" if whose else "")
        if sent.token.oddities:
            return StepResult(Outcome.FAILED, f"{found}. {sent.token.oddities[0]}")
        return StepResult(Outcome.OK, found)

    async def _call(self) -> StepResult:
        if self.evidence.no_token is not None:
            return StepResult(Outcome.SKIPPED, "there is no token to call with")
        if self.evidence.sent is None:
            self._saw(call=self.evidence.probe)
            wire = await self._wire(None)
        else:
            auth = RememberingAuth(self._credential, server_url=self.evidence.url, runtime=self._runtime)
            wire = await self._wire(auth)
            try:
                self._saw(call=await wire.ask(self.evidence.url))
            except CredentialError as error:
                self._saw(no_token=NoToken(error.problem, error.fix, error.endpoint))
                return StepResult(Outcome.FAILED, f"credential {error.credential}: {error.problem}")
        await self._look_behind_the_front_end()
        await self._look_elsewhere(wire)
        await self._look_at_the_list(wire)
        return self._tell_call()

    async def _look_behind_the_front_end(self) -> None:
        """Once Cloud Run lets us through, the service may want a token of its own, in the other header."""
        probe, call, sent = self.evidence.probe, self.evidence.call, self.evidence.sent
        if probe is None or call is None or sent is None or not call.is_refusal:
            return
        if not is_from_cloud_run(probe) or is_from_cloud_run(call):
            return
        metadata = await find_metadata(self._target, call, self._runtime.fetcher)
        self._saw(
            metadata=metadata, wanted=wanted(call, metadata), sent=replace(sent, token=self._inner_token)
        )

    async def _look_elsewhere(self, wire: Wire) -> None:
        """Most servers that are not at the URL are at /mcp."""
        call, usual = self.evidence.call, replace(self.evidence.url, path="/mcp", query=None)
        if call is None or call.works or call.is_refusal:
            return
        if usual == self.evidence.url:
            return
        busy = call.status == HTTPStatus.TOO_MANY_REQUESTS
        if call.status < HTTPStatus.INTERNAL_SERVER_ERROR and call.message is None and not busy:
            there = await wire.ask(usual)
            if there.works or (there.is_refusal and there.scheme == "bearer"):
                self._saw(mcp_is_at=usual)

    async def _look_at_the_list(self, wire: Wire) -> None:
        """A gateway works, and may lack servers, which its lists name."""
        call = self.evidence.call
        if call is not None and call.is_of_a_gateway:
            listed = await wire.ask_for_tools(self.evidence.url)
            self._saw(missing=listed.missing or call.missing)

    def _tell_call(self) -> StepResult:
        call = self.evidence.call
        if call is None:
            return StepResult(Outcome.SKIPPED, "nothing to call with")
        if call.works:
            return StepResult(Outcome.OK, spoken(call))
        said = f": {call.said}" if call.said else ""
        return StepResult(Outcome.FAILED, f"{call.status_line}{said}")

    def _outer_token(self, headers: Headers) -> Explanation | None:
        """The token that is looked at first: Cloud Run prefers its own header."""
        outer = self._explained(headers, "x-serverless-authorization")
        return self._inner_token if outer is None else outer

    def _explained(self, headers: Headers, name: str) -> Explanation | None:
        value = next((value for header, value in headers if header.lower() == name), "")
        scheme, _, token = value.partition(" ")
        return explain(token.strip(), now=self._clock()) if scheme.lower() in {"bearer", "dpop"} else None

    async def _wire(self, auth: RememberingAuth | None) -> Wire:
        http = RoadClient(
            self._target.url,
            reach=self._target.reach,
            proxies=self._target.proxies,
            auth=auth,
            timeout=PATIENCE,
            follow_redirects=False,
        )
        return Wire(await self._running.enter_async_context(http), self._clock, auth)

    def _saw(self, **seen: object) -> None:
        self.evidence = replace(self.evidence, **seen)  # type: ignore[arg-type]  # names are the fields' own
