"""Where Ostiary keeps what belongs to this user and is no configuration."""

from __future__ import annotations

import os
from pathlib import Path

STATE_DIRECTORY = "OSTIARY_STATE_DIR"
"""Environment variable: where state is kept instead of the user's state directory."""


def state_directory() -> Path:
    """The directory; it may not be there yet."""
    if named := os.environ.get(STATE_DIRECTORY):
        return Path(named)
    from platformdirs import user_state_path  # noqa: PLC0415

    return user_state_path("ostiary")
