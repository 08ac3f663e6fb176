"""The reference page of a configuration file, drawn from its model: it cannot forget a setting.

python -m ostiary.config.reference ostiary.yaml > docs/reference/ostiary-yaml.md
python -m ostiary.config.reference emulator.yaml > docs/reference/emulator-yaml.md
python -m ostiary.config.reference policy-cases.yaml > docs/reference/policy-cases-yaml.md
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from typing import Any

from ostiary.cloudrun.emulator import EmulatorSettings
from ostiary.config.faults import dotted
from ostiary.config.file import OstiaryFile
from ostiary.config.schema import file_schema
from ostiary.gateway.policy.cases import PolicyCases
from ostiary.settings import Place, Settings
from ostiary.transport.reach import EdgeSettings

FILES: Mapping[str, type[Settings]] = {
    "ostiary.yaml": OstiaryFile,
    "emulator.yaml": EmulatorSettings,
    "policy-cases.yaml": PolicyCases,
}


_HEAD = """\
# {name}

Drawn from the models by `python -m ostiary.config.reference`. An unknown setting is an error with its file,
line and the nearest right name. A duration is `30s`, `15m`, `12h` or `30d`; a file is found relative to the
one that names it; a secret is `{{env: NAME}}` or `{{file: PATH}}`.
"""
_PLAIN = {"string": "text", "boolean": "true or false", "integer": "number"}
_WORDS = {
    "id": "ID",
    "idp": "IdP",
    "mcp": "MCP",
    "oidc": "OIDC",
    "oauth2": "OAuth2",
    "mtls": "Mutual TLS",
    "ca": "CA",
    "spiffe": "SPIFFE",
}


def reference_page(name: str) -> str:
    """The page as Markdown."""
    model = FILES[name]
    return _Page(file_schema(model)).drawn(name, model.variables)


class _Page:
    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._definitions: Mapping[str, Mapping[str, Any]] = schema.get("$defs", {})

    def drawn(self, name: str, variables: Mapping[str, Place]) -> str:
        lines = [_HEAD.format(name=name), *self._section("The file", self._schema)]
        lines += _of_environment(variables)
        for title, definition in self._definitions.items():
            if "properties" in definition:
                lines += self._section(_title(title), definition)
        return "\n".join(lines).rstrip() + "\n"

    def _section(self, title: str, definition: Mapping[str, Any]) -> list[str]:
        return [
            f"## {title}",
            "",
            definition.get("description", "").partition("\n")[0],
            "",
            "| setting | value | default | meaning |",
            "|---|---|---|---|",
            *(self._row(name, field, definition) for name, field in _last_its_edge(definition["properties"])),
            "",
        ]

    def _row(self, name: str, field: Mapping[str, Any], definition: Mapping[str, Any]) -> str:
        required = name in definition.get("required", ())
        default = "required" if required else _default(field)
        meaning = self._meaning(field).replace("\n", " ").replace("|", "\\|")
        return f"| `{name}` | {self._value(field)} | {default} | {meaning} |"

    def _meaning(self, field: Mapping[str, Any]) -> str:
        """Its own words, or those of what it holds: pydantic leaves them out where both are the same."""
        own: str | None = field.get("description")
        return self._referred(field).get("description", "").partition("\n")[0] if own is None else own

    def _value(self, field: Mapping[str, Any]) -> str:
        if "const" in field:
            return f"`{field['const']}`"
        if "$ref" in field:
            definition = self._referred(field)
            return _link(field["$ref"]) if "properties" in definition else self._value(definition)
        if "enum" in field:
            return " or ".join(f"`{choice}`" for choice in field["enum"])
        choices = _choices(field)
        if not choices:
            return self._composed(field)
        secret = all("properties" in choice for choice in choices)
        return "secret" if secret else " or ".join(dict.fromkeys(map(self._value, choices)))

    def _composed(self, field: Mapping[str, Any]) -> str:
        if field.get("type") == "array":
            return f"list of {self._value(field.get('items', {}))}"
        if field.get("type") == "object":
            by_pattern: Mapping[str, Any] = next(iter(field.get("patternProperties", {}).values()), {})
            inside = field.get("additionalProperties") or by_pattern
            return "a JSON object" if inside is True else f"name → {self._value(inside)}"
        return _PLAIN.get(field.get("type", ""), "text")

    def _referred(self, field: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._definitions.get(field.get("$ref", "").rpartition("/")[2], {})


def _last_its_edge(properties: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """What the entry is comes first; how it is reached is the same everywhere."""
    return sorted(properties.items(), key=lambda item: item[0] in EdgeSettings.model_fields)


def _choices(field: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The alternatives, without an open one, which stands for what a preset fills in."""
    found = [one for kind in ("anyOf", "oneOf") for one in field.get(kind, ()) if one.get("type") != "null"]
    return [one for one in found if one.get("additionalProperties") is not True]


def _link(reference: str) -> str:
    title = _title(reference.rpartition("/")[2])
    return f"[{title}](#{title.lower().replace(' ', '-')})"


def _title(name: str) -> str:
    """`ServerSettings` → "Server"."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name.removesuffix("Settings")).lower().split()
    text = " ".join(_WORDS.get(word, word) for word in words)
    return text[:1].upper() + text[1:]


def _of_environment(variables: Mapping[str, Place]) -> list[str]:
    if not variables:
        return []
    return [
        "## Variables of the environment",
        "",
        "What differs between machines stands over what the file says, where the file has the part at all.",
        "An empty one says nothing. `OSTIARY_WORKERS` is `--workers` of `ostiary up`.",
        "",
        "| variable | setting |",
        "|---|---|",
        *(f"| `{variable}` | `{dotted(place)}` |" for variable, place in variables.items()),
        "",
    ]


def _default(field: Mapping[str, Any]) -> str:
    default = field.get("default")
    if default in (None, [], {}, "") or isinstance(default, dict):
        return ""
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


if __name__ == "__main__":
    sys.stdout.write(reference_page(sys.argv[1]))
