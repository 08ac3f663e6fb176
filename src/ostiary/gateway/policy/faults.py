"""What is wrong with a policy: where, what, and what was probably meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from ostiary.gateway.policy.access import UNSAID, Action, Kind
from ostiary.gateway.policy.expressions import every, operator, ways
from ostiary.gateway.policy.statements import Statement
from ostiary.operator_error import BAD_USAGE, OperatorError
from ostiary.suggestions import suggestion

ATTRIBUTES = {
    "principal": ("authenticated", "issuer", "subject", "client", "email", "scopes", "groups"),
    "resource": ("server", "name", *UNSAID.told()),
    "context": ("arguments",),
}
ENTITY_TYPES = ("Principal", "Group", "Action", *Kind)
_LACKING = re.compile(r"attribute `(\w+)` on entity type `(\w+)` not found")
_OPTIONAL = re.compile(r"access to optional attribute `([\w.]+)`")
_TAG = re.compile(r'access to tag `"([^"]*)"`')
_NO_ACTION = "unable to find an applicable action given the policy scope constraints"
_QUOTED = re.compile(r"`([^`]+)`")


class PolicyFault(NamedTuple):
    """Shown as one line: `policies/staff.cedar:12: ...`."""

    file: str
    line: int | None
    what: str

    def __str__(self) -> str:
        return f"{self.file}{'' if self.line is None else f':{self.line}'}: {self.what}"


class PoliciesUnusable(OperatorError):
    """Policies by which nothing can be decided: everything that is wrong with them."""

    exit_code = BAD_USAGE

    def __init__(self, faults: Iterable[PolicyFault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))


def unknown_names(file: str, statement: Statement, cedar: dict[str, Any]) -> Iterator[PolicyFault]:
    """Names that nothing has, with the nearest right one; also in `has`, where Cedar takes any."""
    for kind, known, names in (
        ("action", tuple(Action), _actions(cedar)),
        ("entity type", ENTITY_TYPES, _entity_types(cedar)),
    ):
        for name in dict.fromkeys(name for name in names if name not in known):
            yield _unknown(file, statement, f"there is no {kind} {name}", name, known)
    for variable, name in dict.fromkeys(_attributes(cedar)):
        known = ATTRIBUTES[variable]
        if name not in known:
            hint = f'; a claim of the token is principal.getTag("{name}")' if variable == "principal" else ""
            what = f"{variable} has no attribute {name}"
            yield _unknown(file, statement, what, name, known, hint)


def fault_of_parser(file: str, statement: Statement, said: str) -> PolicyFault:
    """Of a policy that Cedar cannot read."""
    if said == "unexpected end of input":
        what = "the policy ends too early: a bracket, or the semicolon, is missing"
        return PolicyFault(file, statement.last_line, what)
    quoted = [*_QUOTED.findall(said), said.rpartition(" ")[2]]
    line = next((line for word in quoted if (line := statement.line_of(word)) is not None), statement.line)
    return PolicyFault(file, line, f"this is no policy: {said}")


def fault_of_validator(file: str, statement: Statement, said: str) -> PolicyFault:
    """Of a policy that does not fit the schema."""
    said = re.sub(r"^for policy `[^`]*`, ", "", said)
    if said == _NO_ACTION:
        what = (
            "it is about nothing: call_tool is of a Tool, get_prompt of a Prompt, read_resource of a "
            "Resource, complete of a Prompt or Resource, list of any of them or of a Server"
        )
        return PolicyFault(file, statement.line, what)
    if found := _TAG.search(said):
        name = found[1]
        what = f'not every token has claim {name}: ask first, principal.hasTag("{name}") && ...'
        return PolicyFault(file, statement.line_of(name) or statement.line, what)
    if found := _OPTIONAL.search(said):
        owner, _, name = found[1].rpartition(".")
        variable = f"context.{owner}" if owner else "principal"
        what = f"{name} is not always there: ask first, {variable} has {name} && ..."
        return PolicyFault(file, statement.line_of(name) or statement.line, what)
    if found := _LACKING.search(said):
        name = found[1]
        what = f"only a Tool has {name}: say `resource is Tool` in the first line, or which action"
        return PolicyFault(file, statement.line_of(name) or statement.line, what)
    if "in context for" in said:
        what = "only call_tool and get_prompt have arguments: name one of them as the action"
        return PolicyFault(file, statement.line_of("context") or statement.line, what)
    words = (statement.line_of(word) for word in _QUOTED.findall(said))
    return PolicyFault(file, next((line for line in words if line), statement.line), said)


def _unknown(
    file: str, statement: Statement, what: str, name: str, known: Iterable[str], hint: str = ""
) -> PolicyFault:
    line = statement.line_of(name) or statement.line
    return PolicyFault(file, line, f"{what}; {suggestion(name, map(str, known))}{hint}")


def _actions(cedar: dict[str, Any]) -> Iterator[str]:
    scope = cedar["action"]
    for entity in [*scope.get("entities", ()), *([scope["entity"]] if "entity" in scope else [])]:
        if entity["type"] == "Action":
            yield entity["id"]


def _entity_types(cedar: dict[str, Any]) -> Iterator[str]:
    for part in ("principal", "action", "resource"):
        scope = cedar[part]
        if "entity_type" in scope:
            yield scope["entity_type"]
        for holder in (scope, scope.get("in", {})):
            if "entity" in holder:
                yield holder["entity"]["type"]
        yield from (entity["type"] for entity in scope.get("entities", ()))
    for condition in cedar["conditions"]:
        for one in every(condition["body"]):
            name, body = operator(one)
            if name == "is":
                yield body["entity_type"]
            elif name == "Value" and isinstance(body, dict) and "__entity" in body:
                yield body["__entity"]["type"]


def _attributes(cedar: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for condition in cedar["conditions"]:
        yield from ((way[0], way[1]) for way in ways(condition["body"]) if way[0] in ATTRIBUTES)
