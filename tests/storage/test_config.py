"""`storage:` in ostiary.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ostiary.secrets import Secret
from ostiary.settings import BASE_DIRECTORY
from ostiary.storage.config import StorageSettings


def read(**written: Any) -> StorageSettings:
    return StorageSettings.model_validate(written, context={BASE_DIRECTORY: Path("/etc/ostiary")})


def test_files_are_found_beside_the_configuration() -> None:
    for settings in (read(), read(url="sqlite:///ostiary.db", encryption_key={"file": "ostiary.key"})):
        assert settings.url == "sqlite:////etc/ostiary/ostiary.db"
        assert settings.file == Path("/etc/ostiary/ostiary.db")
        assert settings.encryption_key.path == Path("/etc/ostiary/ostiary.key")


def test_an_absolute_file_stays_where_it_is() -> None:
    assert read(url="sqlite:////var/lib/ostiary.db").file == Path("/var/lib/ostiary.db")


@pytest.mark.parametrize(
    ("written", "wants_tls"),
    [
        ({"url": "postgresql://ostiary@127.0.0.1:5432/ostiary"}, False),
        ({"url": "postgresql://ostiary@db.example.com/ostiary"}, True),
        ({"url": "postgresql://ostiary@db.example.com/ostiary", "insecure_allow_cleartext": True}, False),
        ({"url": "postgresql://ostiary@localhost/ostiary", "ca_file": "ca.pem"}, True),
        ({"url": "sqlite:///ostiary.db"}, False),
    ],
)
def test_a_server_on_another_machine_is_spoken_to_with_tls(written: dict[str, Any], wants_tls: bool) -> None:
    assert read(**written).wants_tls is wants_tls


FORMS = "a store is sqlite:///FILE or postgresql://USER@HOST/DATABASE"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"url": "mysql://localhost/ostiary"}, FORMS),
        ({"url": "sqlite:///"}, FORMS),
        ({"url": 7}, FORMS),
        ({"url": "postgresql://db.example.com"}, FORMS),
        ({"url": "postgresql://db.example.com/ostiary?sslmode=disable"}, FORMS),
        (
            {"url": "postgresql://ostiary:hunter2@db.example.com/ostiary"},
            "a password does not stand in the URL: write password: {env: NAME} or {file: PATH}",
        ),
        ({"encryption_key": "ostiary.key"}, "the encryption key is written {file: PATH}"),
        ({"encryption_key": {"env": "KEY"}}, "the encryption key is written {file: PATH}"),
        ({"password": Secret("hunter2")}, "an SQLite file has no password: leave it out"),
    ],
)
def test_what_cannot_be_meant_is_refused(written: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        read(**written)
    assert [error["msg"] for error in refused.value.errors()] == [f"Value error, {said}"]
