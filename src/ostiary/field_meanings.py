"""What is written below the fields of a class, read from its source once somebody asks for it.

Pydantic would read it whenever a model is made, which takes as long as the rest of a model does.
"""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise


def field_meanings(described: type) -> dict[str, str]:
    """Field → its docstring, without what the classes below say. None where there is no source."""
    try:
        source = inspect.cleandoc(f"\n{inspect.getsource(described)}")
    except OSError:
        return {}
    [definition] = ast.parse(source).body
    assert isinstance(definition, ast.ClassDef)  # noqa: S101 - for the type checker
    found: dict[str, str] = {}
    for pair in pairwise(definition.body):
        match pair:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = inspect.cleandoc(text)
    return found
