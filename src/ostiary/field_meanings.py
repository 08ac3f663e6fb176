"""What is written below the fields of a class, read from its source once somebody asks for it.

Pydantic would read it whenever a model is made, which takes as long as the rest of a model does.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise


def field_meanings(described: type) -> Mapping[str, str]:
    """Field → its docstring, without what the classes below say. None where there is no source."""
    return _of_module(described.__module__).get(described.__qualname__, {})


@cache
def _of_module(name: str) -> Mapping[str, Mapping[str, str]]:
    """Class → field → its docstring."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[name]))
    except (OSError, TypeError):
        return {}
    return {node.name: _below_fields(node.body) for node in tree.body if isinstance(node, ast.ClassDef)}


def _below_fields(body: Sequence[ast.stmt]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for pair in pairwise(body):
        match pair:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = inspect.cleandoc(text)
    return found
