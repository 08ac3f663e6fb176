"""What the tools give back; the SDK makes their output schemas of these types."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ostiary.zoo import animals


class NoSuchAnimal(BaseModel):
    """The zoo has no animal of that name."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    message: str
    """Says that there is none, and whom the caller may have meant."""
    near_matches: list[str]
    """Names like the one asked for, the likeliest first."""


AnimalDetails = Annotated[
    animals.Animal | NoSuchAnimal, Field(description="The animal, or who else it may be")
]


def details_of(name: str) -> animals.Animal | NoSuchAnimal:
    """The animal of this name, or a word of who may have been meant."""
    animal = animals.named(name)
    if animal is not None:
        return animal
    near = animals.near_names(name)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return NoSuchAnimal(message=f"There is no animal of that name in the zoo.{hint}", near_matches=near)
