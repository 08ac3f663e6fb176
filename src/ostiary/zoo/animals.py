"""The animals, and how to look them up. Case and the spaces around a word do not matter."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class Animal:
    """One animal of the zoo: its name is unique."""

    species: str
    name: str
    age: int
    enclosure: str
    trail: str


@cache
def all_animals() -> tuple[Animal, ...]:
    """Every animal, in the order of the data."""
    text = resources.files(__package__).joinpath("animals.json").read_text("utf-8")
    return tuple(Animal(**entry) for entry in json.loads(text))


@cache
def all_species() -> tuple[str, ...]:
    """Every species once, in the order of the data."""
    return tuple(dict.fromkeys(animal.species for animal in all_animals()))


def of_species(species: str) -> list[Animal]:
    """The animals of a species; none when the zoo does not keep it."""
    wanted = _plain(species)
    return [animal for animal in all_animals() if _plain(animal.species) == wanted]


def named(name: str) -> Animal | None:
    """The animal of this name."""
    wanted = _plain(name)
    return next((animal for animal in all_animals() if _plain(animal.name) == wanted), None)


def near_names(name: str) -> list[str]:
    """Names that somebody who wrote `name` may have meant, the likeliest first."""
    by_plain_name = {_plain(animal.name): animal.name for animal in all_animals()}
    return [by_plain_name[near] for near in difflib.get_close_matches(_plain(name), by_plain_name)]


def starting_with(beginning: str) -> list[str]:
    """The names and species that begin like this, in alphabetical order."""
    words = [*all_species(), *(animal.name for animal in all_animals())]
    return sorted((word for word in words if _plain(word).startswith(_plain(beginning))), key=_plain)


def _plain(word: str) -> str:
    return word.strip().casefold()
