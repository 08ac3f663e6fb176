"""A record with a secret shows none of it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from rich.pretty import pretty_repr

import ostiary.authserver
import ostiary.oauth
from ostiary.oauth.server.parameters import Parameters
from ostiary.unseen import Unseen

VALUE = "hunter2"


def kinds() -> Iterator[type[Unseen]]:
    for package in (ostiary.authserver, ostiary.oauth):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    waiting = [Unseen]
    while waiting:
        below = waiting.pop().__subclasses__()
        waiting += below
        yield from below


@pytest.mark.parametrize("kind", list(kinds()), ids=str)
def test_no_way_of_printing_shows_it(kind: type[Unseen]) -> None:
    values = {"client_secret": (VALUE,)} if kind is Parameters else VALUE
    record = kind(**dict.fromkeys(kind.__struct_fields__, values))
    for shown in (repr(record), str(record), f"{record}", repr([record]), pretty_repr(record)):
        assert VALUE not in shown
    assert repr(record) == ("Parameters(client_secret)" if kind is Parameters else f"{kind.__name__}(***)")
