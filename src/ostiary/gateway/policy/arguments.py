"""Which arguments of a call policies read, as what, and what a call says of them.

Cedar wants a type for each. It is taken from how the policies use it: what is compared with text is text.
Arguments that no policy reads are not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from ostiary.gateway.policy.expressions import Expression, every, operator, path
from ostiary.mcp.errors import McpError
from ostiary.mcp.raw_object import Raw, read_members

PRESENCE = "any value"
TEXT, NUMBER, SWITCH = "String", "Long", "Bool"
TEXTS, NUMBERS = "Set<String>", "Set<Long>"
IN_WORDS = {
    TEXT: "text",
    NUMBER: "a whole number",
    SWITCH: "true or false",
    TEXTS: "a list of text",
    NUMBERS: "a list of whole numbers",
}
MOST_BYTES = 64 * 1024
"""Of all arguments of one call that policies read."""
LARGEST = 2**63 - 1
"""The largest number that Cedar has."""

Types = dict[str, Any]
"""Name → the type, or for an object the Types of what is in it."""

_ROOT = ("context", "arguments")
_NAME = re.compile(r'[^"\\\x00-\x1f\x7f]{1,200}')
_KNOWN: dict[tuple[str, ...], str] = {
    ("principal", "authenticated"): SWITCH,
    **dict.fromkeys((("principal", name) for name in ("issuer", "subject", "client", "email")), TEXT),
    **dict.fromkeys((("principal", name) for name in ("scopes", "groups")), TEXTS),
    **dict.fromkeys((("resource", name) for name in ("server", "name")), TEXT),
}
_DECODED: Mapping[str, Any] = {TEXT: str, NUMBER: int, SWITCH: bool, TEXTS: list[str], NUMBERS: list[int]}
_SET_OF = {TEXT: TEXTS, NUMBER: NUMBERS}
_IN_SET = {TEXTS: TEXT, NUMBERS: NUMBER}


class ArgumentsUnclear(ValueError):
    """Policies read one argument as two things. name: of that argument."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(what)
        self.name = name


class ArgumentsRefused(Exception):
    """A call says something that policies cannot read as they want to. The sentence is for the caller."""


def learn_types(conditions: Iterable[Expression], types: Types) -> None:
    """Add the arguments that these conditions read. Raises ArgumentsUnclear."""
    for condition in conditions:
        _note(condition, SWITCH, types)
        for one in every(condition):
            for expression, kind in _uses(one):
                _note(expression, kind, types)


def names_read(conditions: Iterable[Expression]) -> frozenset[str]:
    """The arguments that these conditions read, by their own names."""
    types: Types = {}
    learn_types(conditions, types)
    return frozenset(types)


def schema_of(types: Types) -> str:
    """As Cedar's schema has it."""
    members = (f'"{name}"?: {_type_text(kind)}' for name, kind in sorted(types.items()))
    return f"{{{', '.join(members)}}}"


def read_values(arguments: Raw, types: Types) -> dict[str, Any]:
    """What a call says of these arguments; null is absent. Raises ArgumentsRefused.

    An argument that only another reader would take for one of these is refused: some compare names of
    members without case, and of two that are the same to them take the last.
    """
    try:
        members = read_members(arguments)
    except McpError as error:
        raise ArgumentsRefused(f"its arguments cannot be read: {error.message}") from None
    alike = {name.casefold(): name for name in types}
    for name in members:
        meant = alike.get(name.casefold())
        if meant is not None and name != meant:
            raise ArgumentsRefused(f"write argument {meant} so, and not in other letters")
    named = {name: members[name] for name in types if name in members and bytes(members[name]) != b"null"}
    if sum(map(len, named.values())) > MOST_BYTES:
        raise ArgumentsRefused(f"the arguments that are looked at have more than {MOST_BYTES} bytes")
    return {name: _value(name, raw, types[name]) for name, raw in named.items()}


def _value(name: str, raw: msgspec.Raw, kind: Any) -> Any:
    if kind == PRESENCE:
        return True
    if isinstance(kind, dict):
        return read_values(raw, kind)
    try:
        value = msgspec.json.decode(raw, type=_DECODED[kind])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ArgumentsRefused(f"argument {name} has to be {IN_WORDS[kind]}") from None
    numbers = value if kind == NUMBERS else [value] if kind == NUMBER else []
    if any(abs(number) > LARGEST for number in numbers):
        raise ArgumentsRefused(f"argument {name} is a number of more than 64 bits")
    return value


def _type_text(kind: Any) -> str:
    return schema_of(kind) if isinstance(kind, dict) else SWITCH if kind == PRESENCE else kind


def _uses(expression: Expression) -> Iterable[tuple[Expression, str | None]]:  # noqa: PLR0911 - a table
    """What stands in it, and as what it is used; None where that cannot be told."""
    name, body = operator(expression)
    match name:
        case ".":
            return [(expression, PRESENCE)]
        case "has":
            return [({".": body}, PRESENCE)]
        case "like":
            return [(body["left"], TEXT)]
        case "<" | "<=" | ">" | ">=" | "+" | "-" | "*":
            return [(body["left"], NUMBER), (body["right"], NUMBER)]
        case "neg":
            return [(body["arg"], NUMBER)]
        case "&&" | "||":
            return [(body["left"], SWITCH), (body["right"], SWITCH)]
        case "!":
            return [(body["arg"], SWITCH)]
        case "if-then-else":
            return [(body["if"], SWITCH)]
        case "isEmpty":
            return [(body["arg"], TEXTS)]
    return _uses_of_two(name, body)


def _uses_of_two(name: str, body: Any) -> Iterable[tuple[Expression, str | None]]:
    match name:
        case "==" | "!=" | "containsAll" | "containsAny":
            return [(body["left"], _type(body["right"])), (body["right"], _type(body["left"]))]
        case "contains":
            inside, around = _type(body["right"]), _type(body["left"])
            return [(body["left"], _SET_OF.get(inside or "")), (body["right"], _IN_SET.get(around or ""))]
    return []


def _type(expression: Expression) -> str | None:  # noqa: PLR0911 - likewise
    name, body = operator(expression)
    match name, body:
        case "Value", bool():
            return SWITCH
        case "Value", int():
            return NUMBER
        case "Value", str():
            return TEXT
        case "Set", [first, *_]:
            return _SET_OF.get(_type(first) or "")
        case "getTag", _:
            return TEXTS
        case "+" | "-" | "*" | "neg", _:
            return NUMBER
    return _KNOWN.get(path(expression))


def _note(expression: Expression, kind: str | None, types: Types) -> None:
    way = path(expression)
    if kind is None or way[:2] != _ROOT or len(way) == len(_ROOT):
        return
    *outer, last = way[2:]
    for name in outer:
        inside = types.get(name, PRESENCE)
        if inside == PRESENCE:
            inside = types[_checked(name)] = {}
        elif not isinstance(inside, dict):
            raise ArgumentsUnclear(name, f"argument {name} is read as {IN_WORDS[inside]}, and as an object")
        types = inside
    before = types.get(last, PRESENCE)
    if before == PRESENCE:
        types[_checked(last)] = kind
    elif kind not in (PRESENCE, before):
        said = "an object" if isinstance(before, dict) else IN_WORDS[before]
        raise ArgumentsUnclear(last, f"argument {last} is read as {said}, and as {IN_WORDS[kind]}")


def _checked(name: str) -> str:
    if _NAME.fullmatch(name) is None or name.startswith("__"):
        raise ArgumentsUnclear(name, f"no policy can read an argument with the name {name!r}")
    return name
