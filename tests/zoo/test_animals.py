"""Looking animals up."""

from __future__ import annotations

import pytest

from ostiary.zoo import animals
from ostiary.zoo.animals import Animal
from ostiary.zoo.answers import NoSuchAnimal, details_of

PINGU = Animal("penguin", "Pingu", 6, "The Arctic Exhibit", "Polar Path")


def test_the_zoo_keeps_33_animals_of_8_species_with_a_name_each() -> None:
    assert len(animals.all_animals()) == len({animal.name for animal in animals.all_animals()}) == 33
    assert len(animals.all_species()) == 8


@pytest.mark.parametrize("species", ["penguin", " Penguin ", "PENGUIN\n"])
def test_case_and_surrounding_spaces_do_not_matter(species: str) -> None:
    names = [animal.name for animal in animals.of_species(species)]
    assert names == ["Waddles", "Pip", "Skipper", "Chilly", "Pingu", "Noot"]


@pytest.mark.parametrize("species", ["unicorn", "", "bear polar"])
def test_a_species_that_the_zoo_does_not_keep_has_no_animals(species: str) -> None:
    assert animals.of_species(species) == []


def test_an_animal_is_found_by_its_name() -> None:
    assert details_of(" pingu ") == PINGU


def test_for_an_unknown_name_the_near_ones_are_told() -> None:
    assert details_of("Wadles") == NoSuchAnimal(
        message="There is no animal of that name in the zoo. Did you mean Waddles?", near_matches=["Waddles"]
    )


def test_a_name_that_is_near_to_none_is_told_so() -> None:
    assert details_of("xyzzy") == NoSuchAnimal(
        message="There is no animal of that name in the zoo.", near_matches=[]
    )


def test_words_are_completed_from_names_and_species() -> None:
    assert animals.starting_with("p") == ["Patches", "Peanut", "penguin", "Pingu", "Pip", "polar bear"]
