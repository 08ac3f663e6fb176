"""Cedar's JSON of a policy: what an expression in it is made of.

An expression is an object with one member: an operator, and what it works on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Expression = Mapping[str, Any]
_OPERANDS = ("left", "right", "arg", "if", "then", "else", "in")


def operator(expression: Expression) -> tuple[str, Any]:
    """The operator, and what it works on."""
    ((name, body),) = expression.items()
    return name, body


def operands(expression: Expression) -> Iterator[Expression]:
    """The expressions that it works on."""
    name, body = operator(expression)
    if name in {"Value", "Var", "Slot"}:
        return
    if name == "Record":
        yield from body.values()
    elif isinstance(body, list):
        yield from body
    else:
        yield from (body[key] for key in _OPERANDS if isinstance(body.get(key), dict))


def every(expression: Expression) -> Iterator[Expression]:
    """The expression, and all inside it."""
    left = [expression]
    while left:
        one = left.pop()
        yield one
        left.extend(operands(one))


def path(expression: Expression) -> tuple[str, ...]:
    """`context.arguments.name` → its names; nothing for what is no such way from a variable."""
    names: list[str] = []
    while True:
        name, body = operator(expression)
        if name == "Var":
            return (body, *reversed(names))
        if name != ".":
            return ()
        names.append(body["attr"])
        expression = body["left"]


def ways(expression: Expression) -> Iterator[tuple[str, ...]]:
    """Every way from a variable that is gone in it, or asked whether it is there."""
    for one in every(expression):
        name, body = operator(one)
        way = path({".": body}) if name == "has" else path(one)
        if len(way) > 1:
            yield way


def is_about(expression: Expression, variables: frozenset[str]) -> bool:
    """Whether any of these variables is in it."""
    return any(one.get("Var") in variables for one in every(expression))


def conjuncts(expression: Expression) -> Iterator[Expression]:
    """What has to hold, each by itself, so that the whole does."""
    name, body = operator(expression)
    if name == "&&":
        yield from conjuncts(body["left"])
        yield from conjuncts(body["right"])
    else:
        yield expression


def texts(expression: Expression) -> Iterator[str]:
    """The text that stands in it, alone or in a set."""
    name, body = operator(expression)
    if name == "Value" and isinstance(body, str):
        yield body
    elif name == "Set":
        for one in body:
            yield from texts(one)
