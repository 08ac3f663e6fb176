"""What happens to a test whose real peer is not on this machine."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def unavailable(why: str) -> NoReturn:
    """Skip, and say what to do about it; in CI, fail."""
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)
