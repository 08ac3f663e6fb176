"""Settings that differ between machines, from the environment: they stand over what the file says.

Each model says which variables there are. One that is empty says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ostiary.settings import Place


def take_over(values: Any, variables: Mapping[str, Place], environ: Mapping[str, str]) -> dict[Place, str]:
    """Put what the variables say into what a file says. Where, and by which variable.

    A part that runs is named by the file alone: nothing begins to run for a variable's sake.
    """
    taken: dict[Place, str] = {}
    for variable, place in variables.items():
        part = values.get(place[0]) if isinstance(values, dict) else None
        if isinstance(part, dict) and (said := environ.get(variable)):
            part[place[1]] = said
            taken[place] = variable
    return taken
