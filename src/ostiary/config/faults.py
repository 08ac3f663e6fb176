"""Pydantic's errors as a person wants them: file, line, place, what is wrong, and what was probably meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ostiary.config.patterns import IN_WORDS
from ostiary.config.schema_walk import Shape
from ostiary.operator_error import BAD_USAGE, OperatorError
from ostiary.settings import Faults, Place
from ostiary.suggestions import suggestion

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from ostiary.config.document import YamlDocument


@dataclass(frozen=True, slots=True)
class FileFault:
    """One thing that is wrong in a file. Shown as one line: `ostiary.yaml:12: gateway.url is missing`."""

    file: Path
    line: int | None
    what: str

    def __str__(self) -> str:
        return f"{self.file}{'' if self.line is None else f':{self.line}'}: {self.what}"


class ConfigurationError(OperatorError):
    """A file that nothing can be run from: everything that is wrong with it, in the order of its lines."""

    exit_code = BAD_USAGE

    def __init__(self, faults: Iterable[FileFault]) -> None:
        self.faults = tuple(sorted(faults, key=lambda fault: fault.line or 0))
        super().__init__("\n".join(map(str, self.faults)))


def dotted(place: Place) -> str:
    """`gateway.servers.zoo`, `gateway.inbound[0].issuer`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return text.removeprefix(".")


def explained(
    errors: Sequence[ErrorDetails], document: YamlDocument, shape: Shape
) -> Iterator[tuple[Place, str]]:
    """Place and sentence for each of pydantic's errors."""
    for error in errors:
        place, value, at = _located(error, document.values, shape)
        several = error.get("ctx", {}).get("error")
        if isinstance(several, Faults):
            for inside, said in several.faults:
                at_fault = (*place, *inside)
                yield at_fault, f"{dotted(at_fault)}: {said}"
        else:
            yield place, _sentence(error, place, value, at)


def _located(error: ErrorDetails, value: Any, shape: Shape) -> tuple[Place, Any, Shape]:
    """The place in the file that an error is about: its location without the names of union members.

    Also what stands around that place, and the shape there, for a setting that is unknown or missing.
    """
    place: Place = ()
    steps = list(error["loc"])
    about_a_name = error["type"] in {"extra_forbidden", "missing"}
    last = steps.pop() if about_a_name and steps else None
    for step in steps:
        known = isinstance(value, dict) and step in value
        if known or (isinstance(value, list) and isinstance(step, int) and step < len(value)):
            place, shape, value = (*place, step), shape.inside(step, value), value[step]
    return (place if last is None else (*place, last)), value, shape


def _sentence(error: ErrorDetails, place: Place, value: Any, shape: Shape) -> str:
    name, context = dotted(place), error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            owner = shape.noun(value) if len(place) > 1 else "this file"
            hint = suggestion(str(place[-1]), shape.settings(value))
            return f"{name} is not a setting of {owner}; {hint}"
        case "missing":
            return f"{name} is missing"
        case "union_tag_invalid":
            tag = context.get("tag", "")
            return f"{name}.{_setting(context)} {tag!r} does not exist; {suggestion(str(tag), shape.types())}"
        case "union_tag_not_found":
            return f"{name}.{_setting(context)} is missing; {suggestion('', shape.types())}"
        case "model_type" | "dict_type" | "model_attributes_type":
            return f"{name or 'the file'} holds settings, one to a line, each `name: value`"
    return _about_a_value(error, name)


def _setting(context: Mapping[str, Any]) -> str:
    """By which the alternatives are told apart."""
    return str(context["discriminator"]).strip("'")


def _about_a_value(error: ErrorDetails, name: str) -> str:
    if error["type"] == "value_error":
        said = str(error["ctx"]["error"])
        return f"{name}: {said}" if name else said
    if error["type"] == "string_pattern_mismatch" and error["ctx"]["pattern"] in IN_WORDS:
        return f"{name} should be {IN_WORDS[error['ctx']['pattern']]}"
    subject, _, rest = error["msg"].partition(" should ")
    if rest and subject in {"Input", "String", "List", "URL", "Value"}:
        return f"{name} should {rest}"
    return f"{name}: {error['msg'][:1].lower()}{error['msg'][1:]}"
