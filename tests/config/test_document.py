"""YAML → plain values and lines; what is no YAML, and what is meant to hurt."""

from __future__ import annotations

import pytest

from ostiary.config.document import MAX_BYTES, NotYaml
from ostiary.config.yaml_reader import read_document

BILLION_LAUGHS = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)


def test_every_value_knows_its_line() -> None:
    document = read_document(b"a:\n  b: 1\n  c:\n    - x\n    - {d: 2}\n")
    assert document.values == {"a": {"b": 1, "c": ["x", {"d": 2}]}}
    assert document.lines == {
        (): 1,
        ("a",): 1,
        ("a", "b"): 2,
        ("a", "c"): 3,
        ("a", "c", 0): 4,
        ("a", "c", 1): 5,
        ("a", "c", 1, "d"): 5,
    }


def test_what_is_not_written_has_the_line_of_what_is_around_it() -> None:
    assert read_document(b"\na:\n  b: 1\n").line_of(("a", "x", "y")) == 2


def test_words_that_older_yaml_read_otherwise_are_text() -> None:
    document = read_document(b"{no: on, date: 2026-07-28, version: 1.2.3, octal: 0o17, 8080: x, none: ~}")
    assert document.values == {
        "no": "on",
        "date": "2026-07-28",
        "version": "1.2.3",
        "octal": 15,
        "8080": "x",
        "none": None,
    }


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"a: [1\nb: 2", 2, ("this is not YAML: while parsing a flow sequence, "
         "expected ',' or ']', but got ':'")),
        (b"a:\n\tb: 1", 2, "this is not YAML: a tab stands here, and lines are indented with spaces alone"),
        (b"a:\n  b: 1\n\tc: 1", 3,
         "this is not YAML: a tab stands here, and lines are indented with spaces alone"),
        (b"a: 1\n---\nb: 2", 2, ("this is not YAML: expected a single document in the stream, "
         "but found another document")),
        (b"a: *b", 1, "this is not YAML: found undefined alias 'b'"),
        (b"a: 1\nb: \xff", 2, "it is not UTF-8 text"),
        (b"a: 1\n? [b]\n: 2", 2, "a setting's name is plain text"),
        (b"a: !!python/name:os x", 1, "the tag tag:yaml.org,2002:python/name:os means nothing here"),
        (b"a: &a [*a]", 1, "its values are nested too deeply"),
        (b"a: " + b"[" * 1000 + b"]" * 1000, None, "its values are nested too deeply"),
        (BILLION_LAUGHS.encode(), 1, "its aliases unfold to more than 50000 values"),
        (b"a" * (MAX_BYTES + 1), None, "it is longer than 1048576 bytes"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_with_its_line(content: bytes, line: int | None, reason: str) -> None:
    with pytest.raises(NotYaml) as refused:
        read_document(content)
    assert (str(refused.value), refused.value.line) == (reason, line)
