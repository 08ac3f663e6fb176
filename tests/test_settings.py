"""The words that all configuration shares."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field, ValidationError

from ostiary.secrets import Secret
from ostiary.settings import (
    BASE_DIRECTORY,
    INLINE_SECRETS,
    ConfiguredPath,
    Duration,
    Listen,
    ListenAddress,
    SecretField,
    Settings,
    Url,
)


class Everything(Settings):
    """One field of each kind."""

    duration: Duration | None = None
    listen: ListenAddress | None = None
    path: ConfiguredPath | None = None
    secret: SecretField | None = None
    url: Url | None = None


def read(context: dict[str, Any] | None = None, **fields: Any) -> Everything:
    return Everything.model_validate(fields, context=context)


def refusal(context: dict[str, Any] | None = None, **fields: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        read(context, **fields)
    return str(refused.value.errors()[0]["msg"]).removeprefix("Value error, ")


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("250ms", 0.25), ("0s", 0), ("30s", 30), ("15m", 900), ("12h", 43200), ("30d", 2592000)],
)
def test_a_duration_has_its_unit(written: str, seconds: float) -> None:
    assert read(duration=written).duration == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "written", ["30", 30, "", "s", "-5s", "1.5h", "30 s", "1h30m", "٣s", "9999999999d", None.__class__]
)
def test_a_duration_without_a_unit_is_refused(written: object) -> None:
    assert refusal(duration=written) == "a duration is a number with its unit, such as 30s, 15m, 12h or 30d"


@pytest.mark.parametrize(
    ("written", "host", "port"),
    [("127.0.0.1:8080", "127.0.0.1", 8080), ("localhost:0", "localhost", 0), ("[::1]:9000", "::1", 9000)],
)
def test_an_address_is_a_host_and_a_port(written: str, host: str, port: int) -> None:
    listen = read(listen=written).listen
    assert listen == Listen(host, port)
    assert str(listen) == written
    assert listen.is_loopback


@pytest.mark.parametrize(
    "written", ["8080", ":8080", "example.com:80", "127.0.0.1:65536", "::1:80", "127.0.0.1"]
)
def test_a_faulty_address_is_refused(written: str) -> None:
    assert refusal(listen=written) == (
        "an address to listen on is an IP address and a port, such as 127.0.0.1:8080"
    )


def test_an_address_beyond_this_machine_is_known_as_such() -> None:
    assert not Listen("0.0.0.0", 80).is_loopback
    assert not Listen("::", 80).is_loopback


def test_a_file_is_found_from_the_configuration_that_names_it() -> None:
    context = {BASE_DIRECTORY: Path("/etc/ostiary")}
    assert read(context, path="tls/ca.crt").path == Path("/etc/ostiary/tls/ca.crt")
    assert read(context, path="/srv/ca.crt").path == Path("/srv/ca.crt")
    assert read(path="ca.crt").path == Path("ca.crt")


def test_a_secret_is_named_by_its_place() -> None:
    context = {BASE_DIRECTORY: Path("/etc/ostiary")}
    assert read(secret={"env": "NAME"}).secret == Secret.from_env("NAME")
    assert read(context, secret={"file": "a"}).secret == Secret.from_file("/etc/ostiary/a")


def test_a_secret_in_the_file_itself_needs_leave_and_is_not_shown_when_refused() -> None:
    message = refusal(secret="hunter2")
    assert message == (
        "a secret does not stand in the file itself: write {env: NAME} or {file: PATH} "
        "(or allow it for a test with insecure_inline_secrets: true)"
    )
    assert read({INLINE_SECRETS: True}, secret="hunter2").secret == Secret("hunter2")


@pytest.mark.parametrize("written", [{}, {"env": "A", "file": "B"}, {"env": 1}, 7, ["a"]])
def test_a_faulty_secret_is_refused(written: object) -> None:
    assert refusal(secret=written) == "a secret is written {env: NAME} or {file: PATH}"


def test_a_url_is_read_once_into_its_canonical_form() -> None:
    assert str(read(url="HTTPS://Example.com:443/").url) == "https://example.com"
    assert refusal(url="https://a@b") == "it has a user name or password in it"
    assert refusal(url=7) == "a URL is a string"


def test_an_unknown_key_is_an_error() -> None:
    assert refusal(durations="3s") == "Extra inputs are not permitted"


def test_settings_do_not_change() -> None:
    settings = read(duration="3s")
    with pytest.raises(ValidationError, match="Instance is frozen"):
        settings.duration = timedelta(0)  # type: ignore[misc]  # that it is read-only is the point


def test_written_out_again_no_secret_is_seen() -> None:
    settings = read({INLINE_SECRETS: True}, secret="hunter2", listen="127.0.0.1:1", url="https://a.example")
    assert settings.model_dump(exclude_none=True, mode="json") == {
        "listen": "127.0.0.1:1",
        "secret": "Secret(***)",
        "url": "https://a.example",
    }


def test_the_schema_describes_every_kind() -> None:
    properties = Everything.model_json_schema()["properties"]
    assert properties["duration"]["anyOf"][0]["pattern"] == "^[0-9]+(ms|s|m|h|d)$"
    assert len(properties["secret"]["anyOf"][0]["oneOf"]) == 2


class Kept(Settings):
    for_how_long: Duration
    """How long."""


class Aliased(Kept):
    """An entry."""

    source: Annotated[str, Field(alias="from")] = ""
    """Where it
    stands."""
    said: Annotated[str, Field(description="Its own words.")] = ""
    """Not those."""
    silent: str = ""


def test_what_stands_below_a_field_is_its_meaning_in_the_schema() -> None:
    properties = Aliased.model_json_schema()["properties"]
    assert {name: field.get("description") for name, field in properties.items()} == {
        "for_how_long": "How long.",
        "from": "Where it\nstands.",
        "said": "Its own words.",
        "silent": None,
    }
