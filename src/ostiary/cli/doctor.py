"""`ostiary doctor`: find out step by step why a call is refused, and say the fix."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostiary.cli import options
from ostiary.operator_error import JOB_FAILED

if TYPE_CHECKING:
    from ostiary.cli.program_examination import ProgramExamination
    from ostiary.cli.target import ChosenServer
    from ostiary.diagnosis.diagnosis import Diagnosis
    from ostiary.diagnosis.evidence import Evidence
    from ostiary.diagnosis.examination import Examination, StepResult
    from ostiary.diagnosis.target import ServerTarget

    Steps = list[tuple[str, StepResult]]


def doctor(
    url: Annotated[
        str | None, typer.Argument(metavar="[URL]", help="The server (not with --server).")
    ] = None,
    config: options.Config = None,
    server: options.Server = None,
    credential: options.CredentialText = None,
    no_credential: options.NoCredential = False,
    as_json: options.AsJson = False,
) -> int:
    """Find out step by step why a call is refused, and say the fix."""
    from ostiary.cli.target import TargetOptions, choose_server  # noqa: PLC0415
    from ostiary.transport.event_loop import run  # noqa: PLC0415

    wish = TargetOptions(url, server, config, credential, no_credential, unnamed_issuers=True)
    chosen = choose_server(wish)
    logging.getLogger("ostiary").setLevel(logging.CRITICAL)  # what goes wrong is told by the step
    live = not as_json
    if chosen.url is None:
        said = run(_examine_program(chosen, live=live))
    else:
        said = run(_examine_server(chosen, may_choose=not no_credential, live=live))
    if said is None:
        raise KeyboardInterrupt
    diagnosis, data = said
    if as_json:
        from ostiary.cli.console import print_json  # noqa: PLC0415

        print_json(data | _as_data(diagnosis))
    elif diagnosis is not None:
        _say(f"\nCause: {diagnosis.sentence}\nFix:   {diagnosis.fix}")
    return JOB_FAILED if diagnosis is not None else 0


async def _examine_server(
    chosen: ChosenServer, *, may_choose: bool, live: bool
) -> tuple[Diagnosis | None, dict[str, Any]]:
    """What is wrong with it, and what was seen."""
    from ostiary.diagnosis.causes import diagnose  # noqa: PLC0415
    from ostiary.diagnosis.examination import Examination  # noqa: PLC0415

    target = chosen.target
    async with Examination(target, may_choose=may_choose) as examination:
        steps = await _take_steps(examination, chosen, live=live)
        evidence = examination.evidence
    diagnosis = diagnose(evidence)
    if live and diagnosis is None:
        _say(f"\nThe call works: {evidence.url} lets credential {evidence.credential} in.")
    return diagnosis, _seen(target, evidence, steps)


async def _examine_program(chosen: ChosenServer, *, live: bool) -> tuple[Diagnosis | None, dict[str, Any]]:
    """The same."""
    from ostiary.cli.program_examination import ProgramExamination  # noqa: PLC0415

    async with ProgramExamination(chosen) as examination:
        steps = await _take_steps(examination, chosen, live=live)
    if live and examination.diagnosis is None:
        _say(f"\nThe call works: the {chosen.place} answers.")
    credential = {"type": chosen.credential.type, "found": chosen.found}
    seen = {"url": None, "place": chosen.place, "credential": credential, "steps": _steps_as_data(steps)}
    return examination.diagnosis, seen


async def _take_steps(
    examination: Examination | ProgramExamination, chosen: ChosenServer, *, live: bool
) -> Steps:
    if live:
        _say(f"{chosen.place}, with credential {chosen.credential.type} ({chosen.found})\n")
    steps = []
    for name, step in examination.steps:
        with _under_way(name, live=live):
            told = await examination.take(step)
        steps.append((name, told))
        if live:
            _say(f"  {told.outcome:<8} {name:<8} {told.found}")
    return steps


@contextlib.contextmanager
def _under_way(name: str, *, live: bool) -> Iterator[None]:
    """On a terminal, show what is being done."""
    if not live or not sys.stdout.isatty():
        yield
        return
    from rich.console import Console  # noqa: PLC0415

    with Console().status(f"{name} ...", spinner="line"):
        yield


def _say(text: str) -> None:
    from ostiary.cli.console import print_text  # noqa: PLC0415
    from ostiary.telemetry.redaction import without_tokens  # noqa: PLC0415

    print_text(without_tokens(text))
    sys.stdout.flush()


def _seen(target: ServerTarget, evidence: Evidence, steps: Steps) -> dict[str, Any]:
    from ostiary.cli.explain import as_data  # noqa: PLC0415

    sent = evidence.sent
    return {
        "url": str(evidence.url),
        "place": str(evidence.url),
        "credential": {"type": evidence.credential, "found": target.found},
        "proxy": evidence.proxy,
        "wants": evidence.wanted.value,
        "steps": _steps_as_data(steps),
        "token": as_data(sent.token, sent.at) if sent and sent.token else None,
    }


def _steps_as_data(steps: Steps) -> list[dict[str, str]]:
    from ostiary.telemetry.redaction import without_tokens  # noqa: PLC0415

    return [
        {"step": name, "outcome": told.outcome.value, "found": without_tokens(told.found)}
        for name, told in steps
    ]


def _as_data(diagnosis: Diagnosis | None) -> dict[str, Any]:
    from ostiary.telemetry.redaction import without_tokens  # noqa: PLC0415

    named: dict[str, Any] | None = None
    if diagnosis is not None:
        told = {"sentence": diagnosis.sentence, "fix": diagnosis.fix}
        named = {"cause": diagnosis.cause.value} | {key: without_tokens(text) for key, text in told.items()}
    return {"works": diagnosis is None, "diagnosis": named}
