"""The `storage:` part of ostiary.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationInfo, WithJsonSchema, model_validator

from ostiary.settings import ConfiguredPath, SecretField, Settings, Switch, placed

SQLITE = "sqlite:///"
_LOOPBACK = frozenset({None, "localhost", "127.0.0.1", "::1"})
_FORMS = "a store is sqlite:///FILE or postgresql://USER@HOST/DATABASE"


@dataclass(frozen=True, slots=True)
class KeyFile:
    """The encryption key's file, which need not be there yet."""

    path: Path


def _read_store(value: object, info: ValidationInfo) -> str:
    if not isinstance(value, str):
        raise ValueError(_FORMS)  # noqa: TRY004 - pydantic collects ValueErrors
    if value.startswith(SQLITE):
        return SQLITE + str(_placed(value.removeprefix(SQLITE), info))
    parts = urlsplit(value)
    if parts.scheme != "postgresql" or parts.path in {"", "/"} or parts.query or parts.fragment:
        raise ValueError(_FORMS)
    if parts.password is not None:
        raise ValueError("a password does not stand in the URL: write password: {env: NAME} or {file: PATH}")
    return value


def _read_key_file(value: object, info: ValidationInfo) -> KeyFile:
    match value:
        case KeyFile():
            return value
        case {"file": str(name), **others} if name and not others:
            return KeyFile(_placed(name, info))
    raise ValueError("the encryption key is written {file: PATH}")


def _placed(name: str, info: ValidationInfo) -> Path:
    if not name:
        raise ValueError(_FORMS)
    return placed(name, info)


Store = Annotated[
    str,
    BeforeValidator(_read_store),
    WithJsonSchema({"type": "string", "pattern": "^(sqlite:///|postgresql://)."}),
]
KeyFileField = Annotated[
    KeyFile,
    BeforeValidator(_read_key_file),
    PlainSerializer(lambda value: {"file": str(value.path)} if isinstance(value, KeyFile) else value),
    WithJsonSchema(
        {
            "type": "object",
            "properties": {"file": {"type": "string"}},
            "required": ["file"],
            "additionalProperties": False,
        }
    ),
]


class StorageSettings(Settings):
    """What must survive, and what replicas share. Nothing secret stands in it in the clear."""

    url: Annotated[Store, Field(validate_default=True)] = "sqlite:///ostiary.db"
    """`sqlite:///FILE`, or `postgresql://USER@HOST/DATABASE` for replicas on several machines
    (`pip install 'ostiary[postgresql]'`)."""
    password: SecretField | None = None
    """The password of the user in a postgresql URL."""
    ca_file: ConfiguredPath | None = None
    """Authorities (PEM) that vouch for a PostgreSQL server. Default: the system's."""
    insecure_allow_cleartext: Switch = False
    """A PostgreSQL server on another machine may be spoken to without TLS."""
    encryption_key: Annotated[KeyFileField, Field(validate_default=True)] = {"file": "ostiary.key"}  # type: ignore[assignment] # read by the validator, which knows the folder
    """The file with the key that seals, made when it is missing; the same in every replica. Default:
    `{file: ostiary.key}`. 32 bytes in base64url on its first line. Older keys on further lines still open."""

    @model_validator(mode="after")
    def _a_file_has_no_password(self) -> Self:
        if self.file is None:
            return self
        words: dict[str, Any] = {"password": self.password, "ca_file": self.ca_file}
        if in_vain := [name for name, value in words.items() if value is not None]:
            raise ValueError(f"an SQLite file has no {' and no '.join(in_vain)}: leave it out")
        return self

    @property
    def file(self) -> Path | None:
        """The SQLite file; None for PostgreSQL."""
        return Path(self.url.removeprefix(SQLITE)) if self.url.startswith(SQLITE) else None

    @property
    def wants_tls(self) -> bool:
        """Whether the way to the store leaves this machine, and has to be encrypted."""
        far = urlsplit(self.url).hostname not in _LOOPBACK
        return self.file is None and not self.insecure_allow_cleartext and (far or self.ca_file is not None)
