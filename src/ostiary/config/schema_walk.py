"""What may stand at one place of a file: read from its JSON Schema, narrowed by what does stand there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any


class Shape:
    """The alternatives for one place; normally one."""

    def __init__(self, definitions: Mapping[str, Any], schemas: Iterator[Mapping[str, Any]]) -> None:
        self._definitions = definitions
        self._alternatives = list(schemas)

    @classmethod
    def of_file(cls, schema: Mapping[str, Any]) -> Shape:
        """The shape of a whole file."""
        definitions = schema.get("$defs", {})
        return cls(definitions, _unfolded(schema, definitions))

    def inside(self, step: str | int, value: Any) -> Shape:
        """What may stand one step further in. value: what stands here; it says which alternative is meant."""
        meant = [one for one in self._alternatives if _agrees(one, value)]
        return Shape(self._definitions, self._further(meant, step))

    def settings(self, value: Any) -> set[str]:
        """The names that may be set here."""
        meant = [one for one in self._alternatives if _agrees(one, value)]
        return {name for one in meant for name in one.get("properties", {})}

    def types(self) -> set[str]:
        """The values that `type`, or `source`, may have here."""
        return {name for one in self._alternatives for name in _types(one)}

    def noun(self, value: Any) -> str:
        """What a person calls the thing here: "a server", "type google_id_token"."""
        for one in self._alternatives:
            if "properties" in one and _agrees(one, value):
                if names := _types(one):
                    return f"{_tag(one)} {names[0]}"
                words = (
                    re.sub(r"(?<=[a-z])(?=[A-Z])", " ", one.get("title", ""))
                    .lower()
                    .removesuffix(" settings")
                )
                return f"{'an' if words[:1] in 'aeiou' else 'a'} {words}"
        return "this place"

    def _further(self, schemas: list[Mapping[str, Any]], step: str | int) -> Iterator[Mapping[str, Any]]:
        for schema in schemas:
            if isinstance(step, int):
                found = schema.get("items")
            else:
                by_pattern = next(iter(schema.get("patternProperties", {}).values()), None)
                found = (
                    schema.get("properties", {}).get(step) or by_pattern or schema.get("additionalProperties")
                )
            if isinstance(found, Mapping):
                yield from _unfolded(found, self._definitions)


def _unfolded(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "$ref" in schema:
        yield from _unfolded(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions)
        return
    choices = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())]
    if not choices:
        yield schema
    for choice in choices:
        yield from _unfolded(choice, definitions)


def _types(schema: Mapping[str, Any]) -> list[str]:
    kind = schema.get("properties", {}).get(_tag(schema), {})
    return [kind["const"]] if "const" in kind else list(kind.get("enum", ()))


def _tag(schema: Mapping[str, Any]) -> str:
    """The setting by which a model is told from others."""
    return "source" if "const" in schema.get("properties", {}).get("source", {}) else "type"


def _agrees(schema: Mapping[str, Any], value: Any) -> bool:
    if not isinstance(value, Mapping):
        return True
    names, tag = _types(schema), _tag(schema)
    if tag in value:
        return value[tag] in names or (tag not in schema.get("properties", {}) and not names)
    return not names or tag not in schema.get("required", ())
