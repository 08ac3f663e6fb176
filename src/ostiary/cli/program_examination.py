"""Is there anything wrong with a server that is a program? It is run, as the gateway runs it, and asked."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Self

from ostiary.cli.failure import Failure
from ostiary.cli.gateway_session import ServerFailed, connected_by_gateway
from ostiary.cli.listing import every
from ostiary.diagnosis.diagnosis import Cause, Diagnosis
from ostiary.diagnosis.examination import Outcome, StepResult
from ostiary.gateway.errors import ServerTimedOut, ServerUnavailable
from ostiary.mcp.eras import MODERN
from ostiary.transport.child_process.command import ChildNotStarted

if TYPE_CHECKING:
    from types import TracebackType

    from ostiary.cli.mcp_client.client import McpClient
    from ostiary.cli.target import ChosenServer
    from ostiary.diagnosis.examination import ExaminationStep

_KINDS = ("tools", "prompts", "resources")
_MEND = {
    ServerUnavailable.code: (
        Cause.PROGRAM_ENDS,
        (
            "Run its command by hand, and mend what it complains of. It has PATH, HOME, LANG and the like, "
            "and what env names: nothing else of the shell's environment."
        ),
    ),
    ServerTimedOut.code: (
        Cause.NO_ANSWER,
        (
            "See that it speaks MCP on its standard input and output, for which many want an argument such "
            "as stdio; one that is only slow needs a longer timeout."
        ),
    ),
}


class ProgramExamination:
    """One program under examination. Use as an async context manager, inside of which it runs."""

    def __init__(self, chosen: ChosenServer) -> None:
        self.diagnosis: Diagnosis | None = None
        """What is wrong; None while nothing is."""
        self._chosen = chosen
        self._running = AsyncExitStack()
        self._client: McpClient | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._running.aclose()

    @property
    def steps(self) -> tuple[tuple[str, ExaminationStep], ...]:
        """Name and step, in order."""
        return ("find", self._find), ("speak", self._speak), ("list", self._list)

    async def take(self, step: ExaminationStep) -> StepResult:
        """Take one step."""
        if self.diagnosis is not None:
            return StepResult(Outcome.SKIPPED, "the way ends before")
        try:
            return await step()
        except Failure as error:
            self.diagnosis = self._diagnosed(error)
            return StepResult(Outcome.FAILED, str(error))

    async def _find(self) -> StepResult:
        settings = self._chosen.settings
        assert settings.program is not None  # noqa: S101 - said by who examines it
        try:
            return StepResult(Outcome.OK, settings.program.prepare().arguments[0])
        except ChildNotStarted as error:
            self.diagnosis = Diagnosis(
                Cause.PROGRAM_CANNOT_START,
                f"The {self._chosen.place} cannot be started: {error}.",
                (
                    "Install it, or mend command, env or cwd of the server: a program is found by its whole "
                    "path, or on the PATH of who starts the gateway."
                ),
            )
            return StepResult(Outcome.FAILED, str(error))

    async def _speak(self) -> StepResult:
        connecting = connected_by_gateway(self._chosen, patience=None)
        self._client = client = await self._running.enter_async_context(connecting)
        era = "modern" if client.server_version == MODERN else "legacy"
        return StepResult(Outcome.OK, f"MCP {client.server_version} ({era})")

    async def _list(self) -> StepResult:
        client = self._client
        assert client is not None  # noqa: S101 - it speaks
        offered = [kind for kind in _KINDS if client.capabilities.get(kind) is not None]
        counts = [f"{len((await every(client, kind)).entries)} {kind}" for kind in offered]
        return StepResult(Outcome.OK, ", ".join(counts) or "nothing")

    def _diagnosed(self, error: Failure) -> Diagnosis:
        if not isinstance(error, ServerFailed) or error.code not in _MEND:
            fix = "The cause is in the program: see what it writes when it is run."
            return Diagnosis(Cause.SERVER_BROKEN, f"{error}.", fix)
        cause, fix = _MEND[error.code]
        wrote = "".join(f"\n  {line}" for line in error.wrote)
        return Diagnosis(cause, f"{error.reason}." + (f" It wrote:{wrote}" if wrote else ""), fix)
