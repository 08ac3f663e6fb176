"""Workloads that are let in no more, whatever certificate they have: a file, read again when it changes.

A line is an owner, `namespace/name`, or the serial number of one certificate in hexadecimal, with colons or
without; `#` begins a comment. A workload stops at once, where its certificate would go on for a day.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ostiary.identity.spiffe import is_owner
from ostiary.live_file import LiveFile
from ostiary.operator_error import OperatorError

_SERIAL = re.compile(r"(0x)?[0-9a-f]{1,40}")


class DenyListUnusable(OperatorError):
    """A list of those that are denied that cannot be read. The message names file, line and what to do."""


@dataclass(frozen=True, slots=True)
class DenyList:
    """Who, and which certificates."""

    owners: frozenset[str] = frozenset()
    serials: frozenset[int] = frozenset()


def read_deny_list(file: Path) -> DenyList:
    """Raises DenyListUnusable: one line that cannot be read may be the one that matters."""
    try:
        text = file.read_bytes().removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise DenyListUnusable(
            f"deny list {file} cannot be read ({reason}); an empty file denies nobody"
        ) from None
    owners, serials = set(), set()
    for number, line in enumerate(text.splitlines(), start=1):
        entry = line.partition("#")[0].strip()
        serial = entry.lower().replace(":", "")
        if is_owner(entry):
            owners.add(entry)
        elif _SERIAL.fullmatch(serial):
            serials.add(int(serial, 16))
        elif entry:
            raise DenyListUnusable(
                f"deny list {file}, line {number} is neither an owner, such as default/gateway, nor a serial "
                "number in hexadecimal; correct it, or begin it with #"
            )
    return DenyList(frozenset(owners), frozenset(serials))


def live_deny_list(file: Path) -> Callable[[], DenyList]:
    """The list as it is now. Raises DenyListUnusable now, and never later."""
    return LiveFile([file], lambda: read_deny_list(file)).current
