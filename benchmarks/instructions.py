"""How many instructions a tool call takes through our gateway and through nginx.

A clock says another thing on another machine, and on a busy one; this says the same to a per cent.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import peers
from benchmarks.callgrind import Callgrind, Costs, Function
from benchmarks.gateway import NGINX, OSTIARY, TOOL
from benchmarks.issuer import issuer
from benchmarks.report import Row, table
from benchmarks.tool_calls import Calls

WARMING = 160
CROWD = 16
Start = Callable[[str, str, Sequence[str]], contextlib.AbstractContextManager[peers.Served]]


def run(*, calls: int) -> str:
    """The section of the page. calls: how many are counted at a time."""
    peers.require("valgrind", "nginx", "gcc", "taskset")
    proxies: dict[str, tuple[Start, str]] = {OSTIARY: (_ostiary, f"zoo_{TOOL}"), NGINX: (_nginx, TOOL)}
    spent = {
        name: [spend(start, tool, calls, connections=connections) for connections in (CROWD, 1)]
        for name, (start, tool) in proxies.items()
    }
    rows = [
        Row(name, [f"{costs.total() / calls:,.0f}" for costs in of_proxy]) for name, of_proxy in spent.items()
    ]
    whole = table([f"{CROWD} conn.", "1 conn."], rows)
    return "\n\n".join(
        ["## Instructions of a call", INTRODUCTION, whole, WHERE, where(spent[OSTIARY][0], calls)]
    )


def spend(start: Start, tool: str, calls: int, *, connections: int) -> Costs:
    """What so many calls take."""
    with contextlib.ExitStack() as stack:
        key_set, token = stack.enter_context(issuer())
        target = stack.enter_context(peers.upstream(0.0))
        callgrind = Callgrind(Path(stack.enter_context(TemporaryDirectory())))
        started = stack.enter_context(start(target, key_set, callgrind.command))
        sent = stack.enter_context(
            contextlib.closing(Calls(started.url, tool, token, connections=connections))
        )
        sent.send(WARMING)
        with callgrind.counting(started.process_id) as costs:
            sent.send(calls)
        return costs


def _ostiary(
    target: str, key_set: str, under: Sequence[str]
) -> contextlib.AbstractContextManager[peers.Served]:
    return peers.ostiary(target, key_set, under=under)


def _nginx(target: str, _: str, under: Sequence[str]) -> contextlib.AbstractContextManager[peers.Served]:
    return peers.nginx(target, under=under)


def where(costs: Costs, calls: int) -> str:
    """A table of what they went into."""
    groups: Counter[str] = Counter()
    for function, cost in costs.items():
        groups[group(function)] += cost
    rows = [
        Row(name, [f"{cost / calls:,.0f}", f"{cost / costs.total():.1%}"])
        for name, cost in groups.most_common()
    ]
    return table(["instructions", "of all"], rows)


def group(function: Function) -> str:
    """What a function is counted as."""
    return next(
        name for name, file, names in _GROUPS if file.match(function.file) and names.search(function.name)
    )


_PYTHON = r"libpython|python|_"
_GROUPS = [
    (name, re.compile(file), re.compile(names))
    for name, file, names in (
        ("our own modules, compiled", r".*__mypyc", ""),
        ("digests and other cryptography", "libcrypto", ""),
        ("llhttp, which parses HTTP", "parser", "llhttp"),
        ("`httptools`, from llhttp to Python", "parser", ""),
        ("`uvloop`, the event loop", "loop", ""),
        ("`msgspec`, JSON", "_core", ""),
        ("the C library", r"lib(c|m|pthread)\.|ld-", ""),
        ("running bytecode", _PYTHON, "_PyEval_EvalFrameDefault"),
        (
            "frames, calls and coroutines",
            _PYTHON,
            "(?i)call|vector|frame|pyeval|gen_|initialize_locals|method",
        ),
        ("objects that come and go", _PYTHON, "(?i)alloc|free|gc_|newreference|tuple|trash"),
        ("attributes and types", _PYTHON, "(?i)attr|type|descr|slot"),
        ("dictionaries and sets", _PYTHON, "(?i)dict|set_|unicodekeys"),
        ("bytes and strings", _PYTHON, "(?i)bytes|unicode|ascii|stringlib|hash|buffer"),
        ("regular expressions", _PYTHON, "(?i)sre|pattern|match"),
        ("all else in Python", _PYTHON, ""),
        ("all else", "", ""),
    )
]

INTRODUCTION = """\
The same `tools/call` as above, with the caller's JWT and the server's bearer token, counted by Valgrind's
callgrind: the instructions of the proxy's process in user mode, which are the same to about one per cent on
any machine with the same libraries. What the kernel does for the sockets comes on top. With 16 connections a
turn of the event loop answers up to 16 calls; with one it takes two turns to answer one."""
WHERE = "Ostiary's with 16 connections, by the functions that they are in:"
