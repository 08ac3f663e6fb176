"""A bug of ours, as the log has it."""

from __future__ import annotations

import traceback


def crash_text(error: BaseException) -> str:
    """Its traceback. A renderer that is given the error itself may show local values, tokens among them."""
    return "".join(traceback.format_exception(error))
