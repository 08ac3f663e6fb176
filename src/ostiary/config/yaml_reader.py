"""YAML → plain values, and the line on which each stands.

The tree of nodes is walked by hand: it knows every position, shows a key that is written twice, and
lets us stop before an alias bomb has gone off.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from ostiary.config.document import MAX_BYTES, NotYaml, YamlDocument
from ostiary.settings import Place

if TYPE_CHECKING:
    from ruamel.yaml.nodes import Node

MAX_VALUES = 50_000
MAX_DEPTH = 50

_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float")}
_TEXT_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "timestamp", "value", "merge")}


def read_document(content: bytes) -> YamlDocument:
    """Read one YAML document. Raises NotYaml."""
    if len(content) > MAX_BYTES:
        raise NotYaml(f"it is longer than {MAX_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotYaml("it is not UTF-8 text", content.count(b"\n", 0, error.start) + 1) from None
    yaml = YAML(typ="safe", pure=True)
    try:
        root = yaml.compose(text)
    except MarkedYAMLError as error:
        raise NotYaml(f"this is not YAML: {_reason(error)}", _line(error)) from None
    except YAMLError as error:
        raise NotYaml(f"this is not YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise NotYaml("its values are nested too deeply") from None
    return _Reader(yaml).read(root)


class _Reader:
    def __init__(self, yaml: YAML) -> None:
        self._yaml = yaml
        self._document = YamlDocument()
        self._budget = MAX_VALUES

    def read(self, root: Node | None) -> YamlDocument:
        if root is not None:
            self._document.lines[()] = root.start_mark.line + 1
            self._document.values = self._value(root, ())
        return self._document

    def _value(self, node: Node, place: Place) -> Any:
        self._budget -= 1
        line = node.start_mark.line + 1
        if self._budget < 0:
            raise NotYaml(f"its aliases unfold to more than {MAX_VALUES} values", line)
        if len(place) > MAX_DEPTH:
            raise NotYaml("its values are nested too deeply", line)
        match node:
            case MappingNode():
                return dict(self._entries(node, place))
            case SequenceNode():
                return [self._item(item, (*place, index)) for index, item in enumerate(node.value)]
            case ScalarNode():
                return self._scalar(node, line)
        raise NotYaml("this is not a value", line)

    def _entries(self, node: MappingNode, place: Place) -> Iterator[tuple[str, Any]]:
        seen = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, ScalarNode):
                raise NotYaml("a setting's name is plain text", line)
            here = (*place, str(key.value))
            if here in seen:
                self._document.repeated.append((here, line))
                continue
            seen.add(here)
            self._document.lines[here] = line
            yield str(key.value), self._value(value, here)

    def _item(self, node: Node, place: Place) -> Any:
        self._document.lines[place] = node.start_mark.line + 1
        return self._value(node, place)

    def _scalar(self, node: ScalarNode, line: int) -> Any:
        tag = str(node.tag)
        if tag in _TEXT_TAGS:  # a date is text: no setting is a date, and a version may look like one
            return node.value
        if tag not in _PLAIN_TAGS:
            raise NotYaml(f"the tag {node.tag} means nothing here", line)
        try:
            return self._yaml.constructor.construct_object(node)
        except (ValueError, YAMLError):
            raise NotYaml(f"{node.value} cannot be read as {tag.rpartition(':')[2]}", line) from None


def _reason(error: MarkedYAMLError) -> str:
    if "'\\t'" in str(error.problem):
        return "a tab stands here, and lines are indented with spaces alone"
    parts = [part for part in (error.context, error.problem) if part]
    return " ".join(", ".join(parts).split()) or "unreadable"


def _line(error: MarkedYAMLError) -> int | None:
    mark = error.problem_mark or error.context_mark
    return None if mark is None else int(mark.line) + 1
