"""Whether a result is as its tool promised (MCP, `outputSchema`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema.exceptions import SchemaError, best_match
from jsonschema.validators import Draft202012Validator, validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable


def fault(tool: str, schema: Any, result: Mapping[str, Any]) -> str | None:
    """What is wrong with it; None for nothing. References lead nowhere outside the schema."""
    if "structuredContent" not in result:
        return f"Tool {tool} has an output schema but did not return structured content"
    if not isinstance(schema, dict) or not isinstance(schema.get("$schema", ""), str):
        return f"Invalid schema for tool {tool}: it is no JSON Schema"
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
        error = best_match(kind(schema, registry=Registry()).iter_errors(result["structuredContent"]))
    except (SchemaError, Unresolvable) as wrong:
        return f"Invalid schema for tool {tool}: {wrong}"
    return None if error is None else f"Invalid structured content returned by tool {tool}: {error.message}"
