"""Alice and Bob, who do not exist."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Person:
    """One of them."""

    name: str
    """The subject, too."""
    display_name: str
    email: str
    groups: tuple[str, ...]

    @property
    def claims(self) -> dict[str, Any]:
        """What the provider says of them."""
        return {
            "name": self.display_name,
            "preferred_username": self.name,
            "email": self.email,
            "email_verified": True,
            "groups": list(self.groups),
        }


PEOPLE: Mapping[str, Person] = {
    person.name: person
    for person in (
        Person("alice", "Alice", "alice@example.com", ("keepers", "visitors")),
        Person("bob", "Bob", "bob@example.com", ("visitors",)),
    )
}
