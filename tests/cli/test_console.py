"""What commands print is safe for a terminal, whatever a server sent."""

from __future__ import annotations

import json

import pytest

from ostiary.cli.console import is_table, print_json, print_table, print_text

HOSTILE = "lion\x1b]0;owned\x07\x9b2J\u202e"


def test_text_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_text(f"{HOSTILE}\nsecond line")
    assert capsys.readouterr().out == "lion\\x1b]0;owned\\x07\\x9b2J\\u202e\nsecond line\n"


def test_a_table_cannot_steer_the_terminal_and_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([{"name": HOSTILE, "age": 7}, {"name": "[bold]Leo[/bold]", "age": 12}])
    printed = capsys.readouterr().out
    assert [line.split() for line in printed.splitlines() if line.strip()] == [
        ["name", "age"],
        ["─" * 38],
        ["lion\\x1b]0;owned\\x07\\x9b2J\\u202e", "7"],
        ["[bold]Leo[/bold]", "12"],
    ]


def test_json_stays_json_and_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": HOSTILE, "place": "Südpol 🐧"})
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"name": HOSTILE, "place": "Südpol 🐧"}
    assert "Südpol 🐧" in printed
    assert all(char == "\n" or char.isprintable() for char in printed)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ([{"a": 1}, {"a": 2, "b": None}], True),
        ([], False),
        ([{}], False),
        ([1, 2], False),
        ([{"a": [1]}], False),
        ({"a": 1}, False),
    ],
)
def test_a_list_of_flat_objects_is_a_table(data: object, expected: bool) -> None:
    assert is_table(data) is expected
