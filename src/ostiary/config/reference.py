"""The reference page of a configuration file, drawn from its model: it cannot forget a setting.

python -m ostiary.config.reference ostiary.yaml > docs/reference/ostiary-yaml.md
python -m ostiary.config.reference emulator.yaml > docs/reference/emulator-yaml.md
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from ostiary.cloudrun.emulator import EmulatorSettings
from ostiary.config.file import OstiaryFile
from ostiary.config.schema import file_schema
from ostiary.settings import Settings

FILES: Mapping[str, type[Settings]] = {"ostiary.yaml": OstiaryFile, "emulator.yaml": EmulatorSettings}


_HEAD = """\
# {name}

Drawn from the models by `python -m ostiary.config.reference`. An unknown setting is an error with its file,
line and the nearest right name. A duration is `30s`, `15m`, `12h` or `30d`; a file is found relative to the
one that names it; a secret is `{{env: NAME}}` or `{{file: PATH}}`.
"""
_PLAIN = {"string": "text", "boolean": "true or false", "integer": "number"}


def reference_page(name: str) -> str:
    """The page as Markdown."""
    schema = file_schema(FILES[name])
    lines = [_HEAD.format(name=name), *_section("The file", schema)]
    for title, definition in _objects(schema):
        lines += _section(title, definition)
    return "\n".join(lines).rstrip() + "\n"


def _objects(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, definition in schema.get("$defs", {}).items():
        if "properties" in definition:
            yield _title(name), definition


def _title(name: str) -> str:
    """`ServerSettings` → "Server"."""
    return (
        re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("Settings"))
        .capitalize()
        .replace(" id ", " ID ")
    )


def _section(title: str, definition: Mapping[str, Any]) -> list[str]:
    rows = [_row(name, field, definition) for name, field in definition["properties"].items()]
    about = definition.get("description", "").partition("\n")[0]
    return [
        f"## {title}",
        "",
        about,
        "",
        "| setting | value | default | meaning |",
        "|---|---|---|---|",
        *rows,
        "",
    ]


def _row(name: str, field: Mapping[str, Any], definition: Mapping[str, Any]) -> str:
    required = name in definition.get("required", ())
    default = "required" if required else _default(field)
    meaning = field.get("description", "").replace("\n", " ").replace("|", "\\|")
    return f"| `{name}` | {_value(field)} | {default} | {meaning} |"


def _default(field: Mapping[str, Any]) -> str:
    default = field.get("default")
    if default in (None, [], {}, "") or isinstance(default, dict):
        return ""
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


def _value(field: Mapping[str, Any]) -> str:
    choices = [one for kind in ("anyOf", "oneOf") for one in field.get(kind, ()) if one.get("type") != "null"]
    if "const" in field:
        return f"`{field['const']}`"
    if "$ref" in field:
        title = _title(field["$ref"].rpartition("/")[2])
        return f"[{title}](#{title.lower().replace(' ', '-')})"
    if choices:
        secret = all("properties" in choice for choice in choices)
        return "secret" if secret else " or ".join(dict.fromkeys(map(_value, choices)))
    return _composed(field)


def _composed(field: Mapping[str, Any]) -> str:
    if field.get("type") == "array":
        return f"list of {_value(field.get('items', {}))}"
    if field.get("type") == "object":
        by_pattern: Mapping[str, Any] = next(iter(field.get("patternProperties", {}).values()), {})
        return f"name → {_value(field.get('additionalProperties') or by_pattern)}"
    return _PLAIN.get(field.get("type", ""), "text")


if __name__ == "__main__":
    sys.stdout.write(reference_page(sys.argv[1]))
