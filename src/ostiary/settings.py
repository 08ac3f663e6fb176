"""The words that all configuration shares.

Every part writes its own model with these, so that a duration, a file, an address and a secret are
written and refused alike everywhere in `ostiary.yaml`. Only `config/` knows the whole file.

    Settings        base model: unknown keys are errors, values are frozen
    Switch          true or false, and no word for either
    Duration        "30s", "15m", "12h", "30d" → timedelta
    RateField       "10/s", "60/m", "1000/h" → Rate
    ConfiguredPath  a file, found relative to the configuration that names it
    ConfiguredFolder  the same for a folder
    SecretField     {env: NAME} or {file: PATH} → Secret, one line of text; an inline secret is refused
    KeyField        the same for a key, which has several lines
    TextOrSecret    text, or a secret of any number of lines
    Url             an http(s) URL in canonical form
    ListenAddress   "127.0.0.1:8080" → host and port
    NetworkField    "10.0.0.0/8" → a network
    Proxy           "environment", "none", or the http URL of a proxy
    OnUse, ByType   models that are imported when something is written for them
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import core_schema

from ostiary.field_meanings import field_meanings
from ostiary.oauth.canonical_url import CanonicalUrl, canonical_url
from ostiary.rates import Rate, read_rate
from ostiary.secrets import Secret

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue

BASE_DIRECTORY = "base_directory"
"""Key of the validation context: the folder that relative paths start from."""
INLINE_SECRETS = "insecure_inline_secrets"
"""Key of the validation context: whether a secret may stand in the file itself."""

UNNAMED_ISSUERS = "unnamed_issuers"
"""Key of the validation context: whether an issuer may be missing that a secret needs, to be found out."""

_WRITTEN = "{env: NAME} or {file: PATH}"
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)")


class Settings(BaseModel):
    """What a person may write. Unknown keys are errors, so that a typo is not a silent default."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        arbitrary_types_allowed=True,
        defer_build=True,  # most models of a process are never used
    )
    variables: ClassVar[Mapping[str, Place]] = {}
    """Of a whole file: variables of the environment, and the settings that they say."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """What is written below a field is what it means."""
        drawn = handler(schema)
        properties = handler.resolve_ref_schema(drawn).get("properties", {})
        meanings: dict[str, str] = {}
        for model in reversed(cls.__mro__):
            meanings |= field_meanings(model) if issubclass(model, Settings) else {}
        for name, field in cls.model_fields.items():
            if field.description is None and name in meanings:
                properties[field.alias or name]["description"] = meanings[name]
        return drawn


@dataclass(frozen=True, slots=True)
class OnUse:
    """A model that is imported when something is written for it: most files have few of all there are.

    Stands as `Annotated[Any, OnUse(...)]` where a type checker sees the model.
    """

    module: str
    model: str

    def load(self) -> type[BaseModel]:
        """The model."""
        found: type[BaseModel] = getattr(import_module(self.module), self.model)
        return found

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(self._read, ref=f"{self.module}.{self.model}")

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        model = self.load()
        model.model_rebuild()
        built = model.__pydantic_core_schema__
        if "ref" in built:  # by its name, as it would be if it stood here itself
            built = core_schema.definitions_schema(
                core_schema.definition_reference_schema(built["ref"]), [built]
            )
        return handler(built)

    def _read(self, value: Any, info: ValidationInfo) -> BaseModel:
        return self.load().model_validate(value, context=info.context)


@dataclass(frozen=True, slots=True, eq=False)
class ByType:
    """One of several models, told apart by their `type`. None is imported but the one that is named."""

    models: Mapping[str, OnUse]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        choices = {
            name: handler.generate_schema(Annotated[Any, model]) for name, model in self.models.items()
        }
        return core_schema.tagged_union_schema(choices, discriminator="type")


Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Place = tuple[str | int, ...]
"""Where a value stands: the keys and positions that lead to it."""
Fault = tuple[Place, str]
"""Where something is wrong, within the settings that say so, and the sentence."""


class Faults(ValueError):
    """What is wrong with settings that have to go together, all at once."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(sentence for _, sentence in faults))
        self.faults = tuple(faults)


def refuse(faults: Iterable[Fault]) -> None:
    """Raise Faults if there are any."""
    if found := list(faults):
        raise Faults(found)


@dataclass(frozen=True, slots=True)
class Listen:
    """Where a listener binds. An IPv6 host has no brackets here; port 0 takes any free one."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read_duration(value: object) -> timedelta:
    """`30s` → timedelta. Raises ValueError for anything without a unit."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a duration is a number with its unit, such as 30s, 15m, 12h or 30d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def read_listen(value: object) -> Listen:
    """`127.0.0.1:8080` or `[::1]:8080` → Listen. Raises ValueError; of host names only localhost is taken."""
    if isinstance(value, Listen):
        return value
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+|localhost)):([0-9]{1,5})", str(value))
    if match is None or int(match[3]) > 65535:
        raise ValueError("an address to listen on is an IP address and a port, such as 127.0.0.1:8080")
    host = match[1] or match[2]
    if host != "localhost":
        ipaddress.ip_address(host)
    return Listen(host, int(match[3]))


def _read_network(value: object) -> Network:
    if isinstance(value, ipaddress.IPv4Network | ipaddress.IPv6Network):
        return value
    try:
        return ipaddress.ip_network(str(value))
    except ValueError:
        raise ValueError("a network is an address and the length of its prefix, such as 10.0.0.0/8") from None


def _read_switch(value: object) -> bool:
    """What opens a door is not opened by a word that somebody may have meant otherwise."""
    if not isinstance(value, bool):
        raise ValueError("write true or false, without quotes: yes, on, 1 and text are neither")  # noqa: TRY004
    return value


def _read_url(value: object) -> CanonicalUrl:
    if isinstance(value, CanonicalUrl):
        return value
    if not isinstance(value, str):
        raise ValueError("a URL is a string")  # noqa: TRY004 - pydantic collects ValueErrors
    return canonical_url(value)


def _read_proxy(value: object) -> CanonicalUrl | str:
    if value in {"environment", "none"}:
        return str(value)
    url = _read_url(value)
    if url.scheme != "http" or url.path or url.query is not None:
        raise ValueError(
            "a proxy is environment, none, or http://HOST:PORT; HTTPS_PROXY may name one with a password"
        )
    return url


def placed(name: str | Path, info: ValidationInfo) -> Path:
    """Where a file is that a configuration names. Raises ValueError when that is nowhere."""
    if "\0" in str(name):
        raise ValueError("a file's name has no NUL character")
    try:
        path = Path(name).expanduser()
    except RuntimeError:
        raise ValueError(f"{Path(name).parts[0]} leads nowhere: that user has no home here") from None
    base = (info.context or {}).get(BASE_DIRECTORY)
    return path if base is None else Path(base) / path


def _read_path(value: object, info: ValidationInfo) -> Path:
    if not isinstance(value, str | Path):
        raise ValueError("a file is named by a string")  # noqa: TRY004
    return placed(value, info)


@dataclass(frozen=True, slots=True)
class Folder:
    """One that a configuration names."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


def _read_folder(value: object, info: ValidationInfo) -> Folder:
    return value if isinstance(value, Folder) else Folder(_read_path(value, info))


def _read_text_or_secret(value: object, info: ValidationInfo) -> str | Secret:
    if isinstance(value, dict | Secret):
        return _read_secret(value, info)
    if not isinstance(value, str):
        raise ValueError(f"this is text: write it in quotes, or as a secret {_WRITTEN}")  # noqa: TRY004
    if "\0" in value:
        raise ValueError("this has a NUL character")
    return value


def _read_secret(value: object, info: ValidationInfo) -> Secret:
    match value:
        case Secret():
            return value
        case {"env": str(name), **others} if not others:
            return Secret.from_env(name)
        case {"file": str(name), **others} if not others:
            return Secret.from_file(_read_path(name, info))
        case str() if (info.context or {}).get(INLINE_SECRETS):
            return Secret(value)
        case str():
            raise ValueError(
                f"a secret does not stand in the file itself: write {_WRITTEN} "
                "(or allow it for a test with insecure_inline_secrets: true)"
            )
    raise ValueError(f"a secret is written {_WRITTEN}")


def _schema(description: str, **keywords: Any) -> WithJsonSchema:
    return WithJsonSchema({"description": description, **keywords})


Switch = Annotated[bool, BeforeValidator(_read_switch)]
Duration = Annotated[
    timedelta,
    BeforeValidator(read_duration),
    _schema("A duration with its unit: 30s, 15m, 12h, 30d", type="string", pattern="^[0-9]+(ms|s|m|h|d)$"),
]
RateField = Annotated[
    Rate,
    BeforeValidator(read_rate),
    PlainSerializer(str),
    _schema("A rate: 10/s, 60/m, 1000/h", type="string", pattern="^[1-9][0-9]*/(s|m|h)$"),
]
ListenAddress = Annotated[
    Listen,
    BeforeValidator(read_listen),
    PlainSerializer(str),
    _schema("An IP address and a port: 127.0.0.1:8080", type="string"),
]
NetworkField = Annotated[
    Network,
    BeforeValidator(_read_network),
    PlainSerializer(str),
    _schema("A network: 10.0.0.0/8", type="string"),
]
Url = Annotated[
    CanonicalUrl,
    BeforeValidator(_read_url),
    PlainSerializer(str),
    _schema("An http or https URL", type="string"),
]
Proxy = Annotated[
    CanonicalUrl | Literal["environment", "none"],
    BeforeValidator(_read_proxy),
    PlainSerializer(str),
    _schema("environment, none, or the http URL of a proxy", type="string"),
]
ConfiguredPath = Annotated[
    Path, BeforeValidator(_read_path), _schema("A file, relative to this configuration", type="string")
]
ConfiguredFolder = Annotated[
    Folder,
    BeforeValidator(_read_folder),
    PlainSerializer(str),
    _schema("A folder, relative to this configuration", type="string"),
]
_PLACES_OF_SECRETS = [
    {
        "type": "object",
        "properties": {kind: {"type": "string"}},
        "required": [kind],
        "additionalProperties": False,
    }
    for kind in ("env", "file")
]
KeyField = Annotated[
    Secret,
    BeforeValidator(_read_secret),
    PlainSerializer(repr),
    _schema("Where the secret comes from", oneOf=_PLACES_OF_SECRETS),
]
TextOrSecret = Annotated[
    str | Secret,
    BeforeValidator(_read_text_or_secret),
    PlainSerializer(repr),
    _schema("Text, or where a secret comes from", oneOf=[{"type": "string"}, *_PLACES_OF_SECRETS]),
]
SecretField = Annotated[KeyField, AfterValidator(Secret.on_one_line)]
