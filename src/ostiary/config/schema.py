"""The JSON Schema of a configuration file: for editors, for the reference, and for our own error messages.

# yaml-language-server: $schema=ostiary.schema.json
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema

from ostiary.oauth.canonical_url import CanonicalUrl
from ostiary.rates import Rate
from ostiary.settings import Listen

if TYPE_CHECKING:
    from ostiary.settings import Settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def file_schema(model: type[Settings]) -> dict[str, Any]:
    """The schema of a whole file. A default is shown as a person would write it."""
    return {"$schema": DIALECT, **model.model_json_schema(schema_generator=_AsWritten)}


def written_duration(value: timedelta) -> str:
    """A duration as the file has it: 90 s → "90s", an hour → "1h"."""
    seconds = value.total_seconds()
    for size, unit in _UNITS:
        if seconds and seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds * 1000)}ms"


class _AsWritten(GenerateJsonSchema):
    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, timedelta):
            return written_duration(dft)
        return str(dft) if isinstance(dft, Listen | CanonicalUrl | Rate) else super().encode_default(dft)
