"""What callgrind counted is read as it wrote it."""

from __future__ import annotations

from benchmarks.callgrind import Function, own_costs
from benchmarks.instructions import group

PROFILE = """\
positions: line
events: Ir

ob=(1) /usr/lib/libpython3.11.so.1.0
fl=(1) dictobject.c
fn=(1) PyDict_GetItem
10 5
+2 7
cob=(2) /usr/lib/libc.so.6
cfn=(2) memcmp
calls=3 0
+1 90
-3 1

ob=(2)
fn=(2)
0 90

ob=(1)
fn=(1)
* 4
"""


def test_costs_are_a_functions_own_and_not_of_what_it_calls() -> None:
    assert own_costs(PROFILE.splitlines()) == {
        Function("libpython3.11.so.1.0", "PyDict_GetItem"): 17,
        Function("libc.so.6", "memcmp"): 90,
    }


def test_functions_are_grouped_by_what_they_do() -> None:
    assert [group(function) for function in own_costs(PROFILE.splitlines())] == [
        "dictionaries and sets",
        "the C library",
    ]
