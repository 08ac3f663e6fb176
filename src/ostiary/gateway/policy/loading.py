"""A folder of policies → one validated set, or every fault of it with its place."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import Any

import cedarpy

from ostiary.gateway.policy.arguments import ArgumentsUnclear, Types, learn_types, names_read, schema_of
from ostiary.gateway.policy.faults import (
    PoliciesUnusable,
    PolicyFault,
    fault_of_parser,
    fault_of_validator,
    unknown_names,
)
from ostiary.gateway.policy.policy_set import Policy, PolicySet, engine_set
from ostiary.gateway.policy.reading import ClaimUnclear, claims_read, hints_read, scopes_read
from ostiary.gateway.policy.statements import Statement, StatementTooLarge, read_statements

SUFFIX = ".cedar"
MOST_BYTES = 1024 * 1024
"""Of one file."""
MOST_POLICIES = 2000
_OPEN = "type Arguments = {};"
_EXAMPLE = 'permit(principal in Group::"staff", action, resource in Server::"NAME");'


@dataclass(frozen=True, slots=True)
class PolicyText:
    """One file, read. name: as people know it."""

    name: str
    text: str


def read_folder(folder: Path) -> list[PolicyText]:
    """Its files, in the order of their names. Raises PoliciesUnusable."""
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix == SUFFIX)
        texts = [PolicyText(str(path), _text(path)) for path in found]
    except OSError as error:
        what = f"it cannot be read: {error.strerror}"
        raise PoliciesUnusable([PolicyFault(str(folder), None, what)]) from None
    if not texts:
        what = f"no file in it ends with {SUFFIX}, so nothing would be allowed; begin with: {_EXAMPLE}"
        raise PoliciesUnusable([PolicyFault(str(folder), None, what)])
    return texts


def read_policies(texts: Sequence[PolicyText], generation: int = 0) -> PolicySet:
    """Raises PoliciesUnusable, with every fault."""
    reading = _Reading()
    for text in texts:
        reading.take(text)
    if not reading.policies and not reading.faults:
        what = f"there is no policy in it, so nothing would be allowed; begin with: {_EXAMPLE}"
        reading.faults.append(PolicyFault(texts[0].name, None, what))
    if len(reading.policies) > MOST_POLICIES:
        what = f"there are more than {MOST_POLICIES} policies"
        reading.faults.append(PolicyFault(texts[0].name, None, what))
    if reading.faults:
        raise PoliciesUnusable(reading.faults)
    schema = cedarpy.Schema.from_str(schema_text(reading.arguments))
    faults = [fault for policy in reading.policies for fault in _validated(policy, schema)]
    if faults:
        raise PoliciesUnusable(faults)
    return PolicySet(reading.policies, reading.arguments, schema, generation)


def schema_text(arguments: Types) -> str:
    """Cedar's schema with the arguments that policies read."""
    return _shipped().replace(_OPEN, f"type Arguments = {schema_of(arguments)};")


class _NotTaken(ValueError):
    """Cedar would take it, and we do not."""


class _Reading:
    """What was read so far, and what is wrong with it."""

    def __init__(self) -> None:
        self.policies: list[Policy] = []
        self.arguments: Types = {}
        self.faults: list[PolicyFault] = []
        self._places: dict[str, str] = {}

    def take(self, text: PolicyText) -> None:
        try:
            for statement in read_statements(text.text):
                self._take(text.name, statement)
        except StatementTooLarge as error:
            self.faults.append(PolicyFault(text.name, error.line, str(error)))

    def _take(self, file: str, statement: Statement) -> None:
        try:
            cedar = _parsed(statement)
            conditions = [one["body"] for one in cedar["conditions"]]
            learn_types(conditions, self.arguments)
            policy = Policy(
                id=self._new_id(file, statement, cedar),
                file=file,
                line=statement.line,
                text=statement.text,
                cedar=cedar,
                arguments=names_read(conditions),
                claims=claims_read(conditions),
                scopes=scopes_read(conditions),
                reads_hints=hints_read(conditions),
            )
        except ArgumentsUnclear as error:
            what = f"{error}: have one of them read it otherwise"
            self.faults.append(PolicyFault(file, statement.line_of(error.name) or statement.line, what))
        except ClaimUnclear as error:
            self.faults.append(PolicyFault(file, statement.line_of("Tag") or statement.line, str(error)))
        except _NotTaken as error:
            self.faults.append(PolicyFault(file, statement.line, str(error)))
        except ValueError as error:
            self.faults.append(fault_of_parser(file, statement, str(error)))
        else:
            self.policies.append(policy)

    def _new_id(self, file: str, statement: Statement, cedar: dict[str, Any]) -> str:
        place = f"{Path(file).name}:{statement.line}"
        said: str | None = cedar.get("annotations", {}).get("id")
        name = said or next(name for name in _numbered(place) if name not in self._places)
        if name in self._places:
            raise _NotTaken(f"the id {name} is that of a policy at {self._places[name]} already")
        self._places[name] = place
        return name


def _numbered(place: str) -> Iterator[str]:
    yield place
    yield from (f"{place} ({number})" for number in count(2))


def _parsed(statement: Statement) -> dict[str, Any]:
    """In Cedar's JSON. Raises ValueError."""
    try:
        whole = json.loads(cedarpy.policies_to_json_str(statement.text))
        policies: dict[str, dict[str, Any]] = whole["staticPolicies"]
        if whole["templates"]:
            raise _NotTaken("a policy with ?principal or ?resource is about nobody: write who, or what")
        (policy,) = policies.values()
        engine_set({"policy0": policy})
    except RecursionError:
        raise _NotTaken("it is too deep: make several policies of it") from None
    annotations = policy.get("annotations", {})
    if "scopes" in annotations or "scope" in annotations:
        raise _NotTaken(
            'an annotation asks for no scopes: write `when { principal.scopes.contains("...") }`, '
            "and who lacks it is told so"
        )
    return policy


def _validated(policy: Policy, schema: cedarpy.Schema) -> Iterator[PolicyFault]:
    statement = Statement(policy.text, policy.line)
    unknown = list(unknown_names(policy.file, statement, policy.cedar))
    if unknown:
        yield from unknown
        return
    said = cedarpy.validate_policies(policy.text, schema)
    yield from dict.fromkeys(fault_of_validator(policy.file, statement, error.error) for error in said.errors)


def _text(path: Path) -> str:
    with path.open("rb") as stream:
        content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise PoliciesUnusable([PolicyFault(str(path), None, f"it has more than {MOST_BYTES} bytes")])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise PoliciesUnusable([PolicyFault(str(path), line, "it is not UTF-8")]) from None


@cache
def _shipped() -> str:
    return (files("ostiary.gateway.policy") / "schema.cedarschema").read_text("utf-8")
