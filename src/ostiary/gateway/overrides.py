"""What an operator says of single tools, prompts and resources, in ostiary.yaml."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from ostiary.mcp.names import LONGEST, is_short_form
from ostiary.mcp.views import Override, View
from ostiary.settings import Duration, Fault, Settings, Switch, refuse

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+$", max_length=LONGEST)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class ResourceOverride(Settings):
    """One resource, or one template."""

    name: str | None = None
    """The name that is shown for it; its URI stays. Default: its server's."""
    description: str | None = None
    """What is said of it. Default: what its server says."""
    hidden: Switch = False
    """Show it in no list, and answer no request for it."""
    schema_sha256: Sha256 | None = None
    """What its server said of it when it was looked at, as `ostiary tools --json` gives it. If that changes,
    it is listed and answered no more, until the new value stands here. Default: it may change."""

    timeout: Duration | None = None
    """How long a call of it may take until its answer begins. Default: as the server's `timeouts` say."""

    def made(self) -> Override:
        """As lists and calls read it."""
        timeout = None if self.timeout is None else self.timeout.total_seconds()
        return Override(self.name, self.description, self.hidden, self.schema_sha256, timeout)


class NamedOverride(ResourceOverride):
    """One tool, or one prompt."""

    name: Name | None = None
    """Its name behind the server's prefix. Default: its own."""


class Overrides(Settings):
    """What is said of a server's tools, prompts and resources."""

    tools: dict[str, NamedOverride] = {}
    """Tools, by their server's own names: renamed, described, hidden, or pinned to what was looked at."""
    prompts: dict[str, NamedOverride] = {}
    """Prompts, likewise."""
    resources: dict[str, ResourceOverride] = {}
    """Resources and templates, by their server's own URIs, likewise."""

    @property
    def are_there(self) -> bool:
        """Whether anything is said."""
        return bool(self.tools or self.prompts or self.resources)

    @property
    def overrides(self) -> tuple[Mapping[str, ResourceOverride], ...]:
        """What is said, to be compared."""
        return tuple(self._kinds().values())

    def view(self, only: tuple[str, ...] | None = None, over: Overrides | None = None) -> View:
        """What is shown of the server. only: patterns; over: what is said instead, at one endpoint."""
        made = {kind: _made(things) for kind, things in self._kinds().items()}
        if over is not None:
            made = {kind: things | _made(over._kinds()[kind]) for kind, things in made.items()}
        return View(made, only)

    def _kinds(self) -> Mapping[str, Mapping[str, ResourceOverride]]:
        return {"tools": self.tools, "prompts": self.prompts, "resources": self.resources}

    @model_validator(mode="after")
    def _each_name_is_one_thing(self) -> Self:
        refuse(self._clashes())
        return self

    def _clashes(self) -> Iterator[Fault]:
        for kind, things in (("tools", self.tools), ("prompts", self.prompts)):
            names = Counter(said.name for said in things.values() if said.name is not None)
            for own, said in things.items():
                if said.name is not None and names[said.name] > 1:
                    yield (kind, own, "name"), f"{said.name} is the name of two: give each its own"
                if said.name is not None and is_short_form(said.name):
                    yield (
                        (kind, own, "name"),
                        f"{said.name} looks like the short form of a long name: end it otherwise",
                    )


def _made(things: Mapping[str, ResourceOverride]) -> dict[str, Override]:
    return {own: said.made() for own, said in things.items()}


class VirtualServerSettings(Settings):
    """A choice of what the servers have, at an endpoint of its own: /virtual/NAME/mcp."""

    include: Annotated[tuple[str, ...], Field(min_length=1)]
    """Servers by name, or `SERVER.PATTERN` for those of its tools, prompts and resources whose own names or
    URIs match; `*` stands for any text, as in `weather.get_*` or `files.file:///srv/*`."""
    instructions: str | None = None
    """What a model is told of it all. Default: what the servers say."""
    tools: Literal["list", "search"] = "list"
    """Whether a model is shown the tools themselves, or two that find and call them: `find_tools` and
    `call_tool`. Hundreds of tools leave it little room for anything else."""
    overrides: dict[str, Overrides] = {}
    """What is said here of single tools, prompts and resources, by server, in place of what
    `servers.NAME.tools` and the like say everywhere."""

    def patterns(self) -> dict[str, tuple[str, ...] | None]:
        """Server → its patterns; None for all that it has."""
        found: dict[str, tuple[str, ...] | None] = {}
        for one in self.include:
            server, dot, pattern = one.partition(".")
            before = found.get(server, ())
            found[server] = (*before, pattern) if dot and before is not None else None
        return found
