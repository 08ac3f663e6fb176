"""The JSON Schema of ostiary.yaml."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import jsonschema
import pytest

from ostiary.config import OstiaryFile
from ostiary.config.schema import file_schema, written_duration

ZOO: dict[str, Any] = {"url": "https://zoo.example.com/mcp"}


def valid(file: dict[str, Any]) -> bool:
    return bool(jsonschema.Draft202012Validator(file_schema(OstiaryFile)).is_valid(file))


def test_the_schema_is_itself_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(file_schema(OstiaryFile))


def test_the_schema_takes_what_the_loader_takes() -> None:
    zoo = {**ZOO, "timeout": "90s", "credential": {"type": "bearer", "token": {"env": "TOKEN"}}}
    assert valid({"gateway": {"inbound": [{"issuer": "https://auth.example.com"}], "servers": {"zoo": zoo}}})


@pytest.mark.parametrize(
    "zoo",
    [
        {**ZOO, "credental": {"type": "none"}},
        {**ZOO, "credential": {"type": "magic"}},
        {**ZOO, "credential": {"type": "bearer", "token": "inline"}},
        {**ZOO, "timeout": 30},
        {},
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(zoo: dict[str, Any]) -> None:
    assert not valid({"gateway": {"allow_unauthenticated": True, "servers": {"zoo": zoo}}})


@pytest.mark.parametrize("written", ["90s", "15m", "12h", "30d", "250ms"])
def test_a_default_is_written_as_a_person_would(written: str) -> None:
    units = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
    number = int("".join(filter(str.isdigit, written)))
    unit = written.lstrip("0123456789")
    assert written_duration(timedelta(**{units[unit]: number})) == written
