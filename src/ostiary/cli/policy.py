"""`ostiary policy`: try the gateway's policies, without a gateway."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostiary.cli import options
from ostiary.cli.failure import BadUsage, Failure

if TYPE_CHECKING:
    from ostiary.gateway.policy.access import Access
    from ostiary.gateway.policy.cases import PolicyCase, PolicyCases
    from ostiary.gateway.policy.explanation import Considered
    from ostiary.gateway.policy.policy_set import Decision, PolicySet
    from ostiary.identity.principal import Principal

app = typer.Typer(help="The gateway's policies: try them, and ask why.", no_args_is_help=True)

STDIN = "-"
MOST_READ = 128 * 1024
_JSON_TYPES = {"String": "string", "Long": "integer", "Bool": "boolean"}

Thing = Annotated[str | None, typer.Option(metavar="NAME", help="The thing, by the server's own name.")]


@app.callback()
def policy() -> None:
    """The gateway's policies: try them, and ask why."""


@app.command("test")
def run_cases(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The cases.")],
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Run a file of cases; exit 1 when any comes out otherwise than it says."""
    from ostiary.cli.console import print_json, print_table, print_text  # noqa: PLC0415
    from ostiary.config.load import read  # noqa: PLC0415
    from ostiary.gateway.policy.cases import PolicyCases  # noqa: PLC0415

    policies, cases = _policies(config), read(file, PolicyCases).settings
    rows = [_row(case, policies, cases) for case in cases.cases]
    failed = [row for row in rows if row["problem"]]
    if as_json:
        print_json(rows)
    else:
        print_table(rows)
        print_text(f"\n{len(rows) - len(failed)} of {len(rows)} cases came out as they should.")
    if failed:
        raise Failure(f"{file}: {len(failed)} of {len(rows)} cases came out otherwise")


@app.command()
def explain(  # noqa: PLR0913 - each is an option
    who: Annotated[
        str, typer.Argument(metavar="TOKEN|CLAIMS|-", help="A JWT, its claims as JSON, or - for stdin.")
    ],
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME=VALUE ...]", help="Arguments of the call.")
    ] = None,
    *,
    server: Annotated[str, typer.Option("--server", metavar="NAME", help="The server that it is about.")],
    tool: Thing = None,
    prompt: Thing = None,
    resource: Annotated[str | None, typer.Option(metavar="URI", help="Its URI at the server.")] = None,
    action: Annotated[
        str | None, typer.Option(metavar="NAME", help="complete or list, in place of the use of the thing.")
    ] = None,
    hint: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=true|false", help="What the server says of its tool; repeatable."),
    ] = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Say what comes of a request, by which policy, and why the others have no say."""
    from ostiary.cli.console import print_json, print_text  # noqa: PLC0415
    from ostiary.gateway.policy.cases import principal_of_claims  # noqa: PLC0415

    policies = _policies(config, server)
    things = {"tool": tool, "prompt": prompt, "resource": resource}
    case = _case(server, things, action, hint or [])
    arguments = _arguments(words or [], policies, case.access)
    principal = principal_of_claims(_claims(sys.stdin.read(MOST_READ) if who == STDIN else who))
    case = case.model_copy(update={"arguments": arguments})
    decision = case.decision(policies, principal)
    considered = _considered(case, policies, principal)
    if as_json:
        print_json(_as_data(case, decision, considered))
        return
    for line in _in_lines(case, principal, decision, considered):
        print_text(line)


def _policies(config: Path | None, server: str | None = None) -> PolicySet:
    """Those of the gateway of a file. server: one that it has to have."""
    from ostiary.config import OstiaryFile, read  # noqa: PLC0415
    from ostiary.gateway.policy.loading import read_folder, read_policies  # noqa: PLC0415
    from ostiary.suggestions import suggestion  # noqa: PLC0415

    file = config or Path(OstiaryFile.default_name)
    gateway = read(file, OstiaryFile).settings.gateway
    if gateway is None or gateway.policy is None:
        raise BadUsage(f"{file} has no gateway.policy: every caller may do all")
    if server is not None and server not in gateway.servers:
        raise BadUsage(f"{file} has no server {server}; {suggestion(server, gateway.servers)}")
    return read_policies(read_folder(gateway.policy.path))


def _row(case: PolicyCase, policies: PolicySet, cases: PolicyCases) -> dict[str, Any]:
    decision = case.decision(policies, cases.principal_of(case))
    return {
        "case": case.title,
        "principal": case.principal if isinstance(case.principal, str) else "",
        "expect": case.expect,
        "by": ", ".join(decision.policies),
        "problem": case.misses(decision) or "",
    }


def _case(server: str, things: dict[str, str | None], action: str | None, hints: list[str]) -> PolicyCase:
    from pydantic import ValidationError  # noqa: PLC0415

    from ostiary.gateway.policy.cases import PolicyCase  # noqa: PLC0415

    said = dict(hint.partition("=")[::2] for hint in hints)
    try:
        return PolicyCase.model_validate(
            {
                "server": server,
                **{name: value for name, value in things.items() if value is not None},
                "action": action,
                "hints": {name: json.loads(value) for name, value in said.items()},
                "expect": "allow",
            }
        )
    except ValidationError as invalid:
        told = invalid.errors(include_url=False)[0]
        said_of = ".".join(map(str, told["loc"]))
        what = told["msg"].removeprefix("Value error, ")
        raise BadUsage(f"--{said_of}: {what}" if said_of else what) from None
    except ValueError:
        raise BadUsage("write a hint as NAME=true or NAME=false") from None


def _arguments(words: list[str], policies: PolicySet, access: Access) -> dict[str, Any]:
    """Read as the policies read them."""
    from ostiary.cli.arguments import read_arguments  # noqa: PLC0415

    types = policies.arguments_of(access)
    schema = {
        name: {"type": _JSON_TYPES.get(kind, "array")}
        for name, kind in types.items()
        if isinstance(kind, str)
    }
    return read_arguments(words, {"properties": schema, "additionalProperties": True})


def _claims(text: str) -> dict[str, Any]:
    from ostiary.oauth.jwt_parts import NotAJwt, jwt_parts  # noqa: PLC0415

    text = text.strip()
    if not text.startswith("{"):
        try:
            return jwt_parts(text).claims
        except NotAJwt:
            raise BadUsage(
                "that is no JWT, so only its issuer can say more about it: give what it says as JSON, "
                'such as {"sub": "ada", "groups": ["staff"]}'
            ) from None
    try:
        claims: dict[str, Any] = json.loads(text)
    except (ValueError, RecursionError):
        raise BadUsage("the claims are no JSON object") from None
    return claims


def _considered(case: PolicyCase, policies: PolicySet, principal: Principal | None) -> list[Considered]:
    import msgspec  # noqa: PLC0415

    from ostiary.gateway.policy.access import Action  # noqa: PLC0415
    from ostiary.gateway.policy.arguments import ArgumentsRefused, read_values  # noqa: PLC0415
    from ostiary.gateway.policy.explanation import consider  # noqa: PLC0415

    access = case.access
    try:
        values = read_values(msgspec.json.encode(case.arguments), policies.arguments_of(access))
    except ArgumentsRefused:
        values = {}
    found = consider(policies, principal, access, values)
    if case.action == "list":
        found += consider(policies, principal, access._replace(action=Action.LIST), {})
    return list({one.policy.id: one for one in found}.values())


def _as_data(case: PolicyCase, decision: Decision, considered: list[Considered]) -> dict[str, Any]:
    return {
        "decision": "allow" if decision.is_allowed else "deny",
        "asked": case.title,
        "by": list(decision.policies),
        "scopes": list(decision.scopes),
        "fault": decision.fault,
        "policies": [
            {
                "id": one.policy.id,
                "file": one.policy.file,
                "line": one.policy.line,
                "effect": one.policy.cedar["effect"],
                "reason": one.policy.reason,
                "applies": one.failing is None,
                "failing": one.failing,
                "lacking": list(one.lacking),
            }
            for one in considered
        ],
    }


def _in_lines(
    case: PolicyCase, principal: Principal, decision: Decision, considered: list[Considered]
) -> list[str]:
    who = f"{principal.subject or 'nobody'} of {principal.issuer or 'no issuer'}"
    lines = [
        f"{'allow' if decision.is_allowed else 'deny':<11} {case.title}",
        f"{'who':<11} {who}",
    ]
    if decision.fault:
        lines.append(f"{'because':<11} {decision.fault}")
    if not (decision.is_allowed or decision.fault or decision.policies):
        lines.append(f"{'because':<11} no policy permits it")
    if decision.scopes:
        lines.append(f"{'scopes':<11} a token with {' '.join(decision.scopes)} is let through")
    if not considered:
        lines.append("No policy is about that.")
    for one in considered:
        lines.append("")
        lines.append(f"{one.policy.cedar['effect']} {one.policy.id} ({one.policy.file}:{one.policy.line})")
        lines.append("  applies" if one.failing is None else f"  does not apply: {one.failing} is not so")
        lines += [f"  {lacking}" for lacking in one.lacking]
        if one.failing is None and one.policy.reason:
            lines.append(f"  reason: {one.policy.reason}")
    return lines
