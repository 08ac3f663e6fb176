"""What only a server's list tells of a name: what a short form stands for, and whether a pinned thing is as
it was when it was pinned. It is remembered, and else the list is asked for, on behalf of whoever calls.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from ostiary.gateway.call import Call
from ostiary.gateway.catalog.forward_route import ForwardRoute
from ostiary.gateway.catalog.last_answers import AnswerKey, LastAnswers
from ostiary.gateway.catalog.questions import ListQuestion
from ostiary.gateway.catalog.target import RouteTarget, target_of
from ostiary.gateway.errors import DefinitionChanged
from ostiary.gateway.policy.access import UNSAID, Hints, hints_of
from ostiary.gateway.upstreams.server import Server
from ostiary.mcp.errors import InvalidParams, McpError
from ostiary.mcp.merging import LIST_KINDS, ListKind, OwnList, ServerList
from ostiary.mcp.messages import Message
from ostiary.mcp.names import LONGEST, Names, is_short_form
from ostiary.mcp.parameter_headers import ParameterPath, annotation_fault, parameter_names
from ostiary.transport.inline_http import Answer, StreamedAnswer

SOUND_SECONDS = 60.0
"""For how long a definition that was as pinned is taken to be so still."""
MOST_REMEMBERED = 10_000
MOST_HINTED = 1024
"""Lists of tools, of which it is remembered what they say of each."""
_TOOLS = LIST_KINDS["tools/list"]
ANNOTATION = b"x-mcp-header"


class ListedNames:
    """Those of one endpoint. clock: in seconds; learns_hints: whether policies may read what tools say."""

    def __init__(
        self, names: Names, last: LastAnswers, clock: Callable[[], float], *, learns_hints: bool = False
    ) -> None:
        self.names = names
        self._last = last
        self._clock = clock
        self._meant: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._sound: OrderedDict[Hashable, float] = OrderedDict()
        self._learns_hints = learns_hints
        self._hints: OrderedDict[Hashable, Mapping[str, Hints]] = OrderedDict()
        self._hidden: OrderedDict[tuple[str, str], tuple[str, ...]] = OrderedDict()
        self._learnt: OrderedDict[Hashable, None] = OrderedDict()
        self._parameters: OrderedDict[tuple[str, str], dict[ParameterPath, str]] = OrderedDict()

    async def hints(self, call: Call, server: Server, own: str) -> Hints:
        """What the server says of its tool, as far as it says anything. Raises McpError."""
        key = server.name, server.whose(call)
        if key not in self._hints:
            with ExitStack() as held:
                await self.question(call, _TOOLS).ask(server, held)
        return self._hints.get(key, {}).get(own, UNSAID)

    def question(self, call: Call, kind: ListKind) -> ListQuestion:
        """The question for a list, from whose answers names are learnt."""
        return ListQuestion(
            call.about(call.message.asking(kind.method)), kind, self.names, self._last, self.learn
        )

    def learn(self, call: Call, server: Server, kind: ListKind, own: OwnList) -> None:
        """Remember what this list, which has just come, tells of names."""
        view, whose = self.names.view(own.server), server.whose(call)
        if own.hidden or (own.server, kind.items) in self._hidden:
            _remember(self._hidden, (own.server, kind.items), tuple(own.hidden))
        for here, item in own.items.items():
            if is_short_form(here):
                _remember(self._meant, (kind.items, here), item.own)
            if view.override(kind.items, item.own).sha256 is not None:
                _remember(self._sound, (own.server, whose, kind.items, item.own), self._clock())
            if ANNOTATION in item.text and kind.items == "tools":
                schema = msgspec.json.decode(item.text).get("inputSchema")
                named = parameter_names(schema) if annotation_fault(schema) is None else {}
                _remember(self._parameters, (own.server, item.own), named)
        if self._learns_hints and kind is _TOOLS:
            said = {item.own: hints_of(item.text) for item in own.items.values()}
            _remember(self._hints, (own.server, whose), said, MOST_HINTED)
        _remember(self._learnt, (own.server, whose, kind.items), None)
        for changed in own.changed:
            self._sound.pop((own.server, whose, kind.items, changed), None)

    async def learn_once(self, call: Call, server: Server, kind: ListKind) -> None:
        """Ask for a list from which nothing was learnt yet for this caller, if it is to be had."""
        key = server.name, server.whose(call), kind.items
        if key not in self._learnt:
            _remember(self._learnt, key, None)
            with ExitStack() as held, suppress(McpError):
                await self.question(call, kind).ask(server, held)

    def parameters(self, server: str, own: str) -> Mapping[ParameterPath, str]:
        """Which arguments a tool wants in headers too, as far as that was learnt."""
        return self._parameters.get((server, own), {})

    def hidden_names(self) -> Iterator[tuple[str, str]]:
        """Server and own name of what the lists that came last leave out."""
        for (server, _), names in self._hidden.items():
            for name in names:
                yield server, name

    def meant(self, kind: str, name: str) -> str | None:
        """The server's own name, when it is known by now what this one stands for."""
        return self._meant.get((kind, name)) if is_short_form(name) else self.names.split(kind, name)[1]

    async def find(self, call: Call, server: Server, kind: ListKind, name: str) -> str:
        """The server's own name, whose definition is as pinned. Raises McpError."""
        own = self.meant(kind.items, name)
        if own is not None and self._is_sound(call, server, kind, own):
            return own
        with ExitStack() as held:
            listed = await self.question(call, kind).ask(server, held)
        things = {} if listed is None else listed.items
        if name in things:
            return things[name].own
        if own is not None and any(thing.own == own for thing in things.values()):
            return own
        if listed is not None and own in listed.changed:
            raise DefinitionChanged(
                f"server {server.name}: {own} is not what it was when it was pinned: look at it, and write "
                "its new schema_sha256"
            )
        raise InvalidParams(f"there is no {name[:LONGEST]!r} here: ask for the list of {kind.items}")

    def _is_sound(self, call: Call, server: Server, kind: ListKind, own: str) -> bool:
        if self.names.view(server.name).override(kind.items, own).sha256 is None:
            return True
        since = self._sound.get((server.name, server.whose(call), kind.items, own))
        return since is not None and self._clock() - since < SOUND_SECONDS


def may_come_twice(last: LastAnswers, server: Server, own: str, call: Call) -> bool:
    """Whether the tool changes nothing, or nothing more the second time, by what its server said last."""
    listed: ServerList | None = last.find(AnswerKey(server, server.whose(call), _TOOLS.method))
    for item in () if listed is None else listed.items:
        if _is_called(item, own):
            hints = hints_of(bytes(item))
            return hints.read_only or hints.idempotent
    return False


@dataclass(frozen=True, slots=True)
class ListedRoute:
    """A route to something of which a list tells more. forward: own name → the route there."""

    listed: ListedNames
    server: Server
    kind: ListKind
    name: str
    forward: Callable[[str], ForwardRoute]

    def target(self, message: Message) -> RouteTarget:
        """What the message is about, as far as it is known by now."""
        return target_of(self.server.name, message.method, self.listed.meant(self.kind.items, self.name))

    async def follow(self, call: Call) -> Answer | StreamedAnswer:
        """The caller's answer. Raises McpError."""
        return await (await self.found(call)).follow(call)

    async def found(self, call: Call) -> ForwardRoute:
        """The route there, when it is known to what. Raises McpError."""
        return self.forward(await self.listed.find(call, self.server, self.kind, self.name))


class _Named(msgspec.Struct):
    name: str = ""


_READ_NAME = msgspec.json.Decoder(_Named)


def _is_called(item: msgspec.Raw, own: str) -> bool:
    try:
        return _READ_NAME.decode(item).name == own
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def _remember(
    known: OrderedDict[Any, Any], key: Hashable, value: object, most: int = MOST_REMEMBERED
) -> None:
    known[key] = value
    known.move_to_end(key)
    if len(known) > most:
        known.popitem(last=False)
