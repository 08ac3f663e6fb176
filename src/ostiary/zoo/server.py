"""The zoo's MCP server, for clients of the stateless revision (2026-07-28) and those before it."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib import metadata
from typing import TYPE_CHECKING, Any

from ostiary.event_log import event_log
from ostiary.operator_error import OperatorError
from ostiary.transport.application import exact
from ostiary.zoo import animals
from ostiary.zoo.answers import AnimalDetails, details_of

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer
    from starlette.types import ASGIApp

log = event_log("ostiary.zoo")

LOGGED_CHARACTERS = 80
"""How much of an argument a log line shows."""
UNCHANGING = 24 * 60 * 60 * 1000
"""How long clients may keep lists and resources, in milliseconds: the animals change with a release only."""


class SdkTooOld(OperatorError):
    """The installed `mcp` SDK has no server for the stateless revision."""


def zoo_app(host: str = "127.0.0.1") -> ASGIApp:
    """The zoo as an ASGI app that answers `/mcp`.

    host: the address it is bound to. On a loopback address it answers to this machine's own names
    alone, so that no web page reaches it by DNS rebinding; elsewhere the platform's front end decides.
    Raises SdkTooOld.
    """
    # Answers are single and nothing is kept between calls, so Cloud Run may start and stop instances at will.
    return exact(zoo_server().streamable_http_app(stateless_http=True, json_response=True, host=host))


def zoo_server() -> MCPServer[None]:
    """The server with its tools, its prompt and its resources. Raises SdkTooOld."""
    require_modern_sdk()
    from mcp.server.caching import CacheHint  # noqa: PLC0415 - not in mcp 1.x
    from mcp.server.mcpserver import MCPServer  # noqa: PLC0415

    forever = CacheHint(ttl_ms=UNCHANGING, scope="public")
    server: MCPServer[None] = MCPServer(
        "zoo",
        title="The zoo",
        instructions="Ask for the animals of a species, or for one animal by its name.",
        version=metadata.version("ostiary"),
        subscriptions=False,
        log_level="WARNING",
        cache_hints=dict.fromkeys(
            ("tools/list", "prompts/list", "resources/list", "resources/read"), forever
        ),
    )
    _add_tools(server)
    _add_prompt(server)
    _add_resources(server)
    return server


def require_modern_sdk() -> None:
    """Raise SdkTooOld when the installed `mcp` is older than 2."""
    version = metadata.version("mcp")
    if int(version.partition(".")[0]) < 2:
        raise SdkTooOld(f"the zoo needs mcp 2 or newer, and {version} is installed: pip install 'mcp>=2.3'")


def _add_tools(server: MCPServer[None]) -> None:
    from mcp_types import ToolAnnotations  # noqa: PLC0415 - not in mcp 1.x

    reads_only = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)

    @server.tool(title="Animals of a species", annotations=reads_only)
    def get_animals_by_species(species: str) -> list[animals.Animal]:
        """All animals of a species, such as "penguin"; an empty list when the zoo has none of it."""
        _record("get_animals_by_species", species)
        return animals.of_species(species)

    @server.tool(title="One animal", annotations=reads_only)
    def get_animal_details(name: str) -> AnimalDetails:
        """One animal by its name, such as "Pingu"; when there is none of that name, names that are near."""
        _record("get_animal_details", name)
        return details_of(name)


def _add_prompt(server: MCPServer[None]) -> None:
    from mcp_types import Completion  # noqa: PLC0415 - not in mcp 1.x

    @server.prompt(title="Find an animal")
    def find(animal: str) -> str:
        """Ask where in the zoo an animal, or a species, can be found."""
        return (
            f"Find out with the tools of the zoo where {animal.strip()} can be seen. "
            "Answer in one sentence: [animal] can be found in the [enclosure] on the [trail]."
        )

    @server.completion()  # type: ignore[no-untyped-call, untyped-decorator]  # the SDK leaves it without types
    async def complete(reference: Any, argument: Any, _context: Any) -> Completion | None:
        if (reference.type, argument.name) != ("ref/prompt", "animal"):
            return None
        words = animals.starting_with(argument.value)
        return Completion(values=words, total=len(words), has_more=False)


def _add_resources(server: MCPServer[None]) -> None:
    from mcp.server.mcpserver.resources import TextResource  # noqa: PLC0415 - not in mcp 1.x

    for species in animals.all_species():
        kept = [asdict(animal) for animal in animals.of_species(species)]
        server.add_resource(
            TextResource(
                uri=f"zoo://species/{species.replace(' ', '-')}",
                name=species,
                title=species.capitalize(),
                description=f"Every {species} of the zoo",
                mime_type="application/json",
                text=json.dumps(kept),
            )
        )


def _record(tool: str, argument: str) -> None:
    # Escaped and cut: what a caller sends is one short word of our line, and never a line of its own.
    log.info(
        "tool_called", tool=tool, argument=argument[:LOGGED_CHARACTERS].encode("unicode_escape").decode()
    )
