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
    from ostiary.diagnosis.diagnosis import Diagnosis
    from ostiary.diagnosis.evidence import Evidence
    from ostiary.diagnosis.examination import StepResult
    from ostiary.diagnosis.target import ServerTarget


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
    from ostiary.cli.target import TargetOptions, choose  # noqa: PLC0415
    from ostiary.diagnosis.causes import diagnose  # noqa: PLC0415
    from ostiary.transport.event_loop import run  # noqa: PLC0415

    target = choose(TargetOptions(url, server, config, credential, no_credential, unnamed_issuers=True))
    logging.getLogger("ostiary").setLevel(logging.CRITICAL)  # what goes wrong is told by the step
    examined = run(_examine(target, may_choose=not no_credential, live=not as_json))
    if examined is None:
        raise KeyboardInterrupt
    evidence, steps = examined
    diagnosis = diagnose(evidence)
    if as_json:
        _print_json(target, evidence, steps, diagnosis)
    else:
        _print(evidence, diagnosis)
    return JOB_FAILED if diagnosis is not None else 0


async def _examine(
    target: ServerTarget, *, may_choose: bool, live: bool
) -> tuple[Evidence, list[tuple[str, StepResult]]]:
    from ostiary.diagnosis.examination import Examination  # noqa: PLC0415

    if live:
        _say(f"{target.url}, with credential {target.credential.type} ({target.found})\n")
    steps = []
    async with Examination(target, may_choose=may_choose) as examination:
        for name, step in examination.steps:
            with _under_way(name, live=live):
                told = await examination.take(step)
            steps.append((name, told))
            if live:
                _say(f"  {told.outcome:<8} {name:<8} {told.found}")
        return examination.evidence, steps


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


def _print(evidence: Evidence, diagnosis: Diagnosis | None) -> None:
    if diagnosis is None:
        _say(f"\nThe call works: {evidence.url} lets credential {evidence.credential} in.")
    else:
        _say(f"\nCause: {diagnosis.sentence}\nFix:   {diagnosis.fix}")


def _print_json(
    target: ServerTarget, evidence: Evidence, steps: list[tuple[str, StepResult]], diagnosis: Diagnosis | None
) -> None:
    from ostiary.cli.console import print_json  # noqa: PLC0415
    from ostiary.cli.explain import as_data  # noqa: PLC0415
    from ostiary.telemetry.redaction import without_tokens  # noqa: PLC0415

    sent = evidence.sent
    named: dict[str, Any] | None = None
    if diagnosis is not None:
        told = {"sentence": diagnosis.sentence, "fix": diagnosis.fix}
        named = {"cause": diagnosis.cause.value} | {key: without_tokens(text) for key, text in told.items()}
    print_json(
        {
            "url": str(evidence.url),
            "credential": {"type": evidence.credential, "found": target.found},
            "proxy": evidence.proxy,
            "wants": evidence.wanted.value,
            "steps": [
                {"step": name, "outcome": told.outcome.value, "found": without_tokens(told.found)}
                for name, told in steps
            ],
            "token": as_data(sent.token, sent.at) if sent and sent.token else None,
            "works": diagnosis is None,
            "diagnosis": named,
        }
    )
