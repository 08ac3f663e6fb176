"""What every API of the local Google knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.cloudrun.emulator.clock import EmulatorClock
    from ostiary.cloudrun.emulator.config import EmulatorSettings
    from ostiary.cloudrun.emulator.keys import EmulatorKey
    from ostiary.cloudrun.emulator.service_accounts import ServiceAccount
    from ostiary.cloudrun.emulator.tokens import Mint


@dataclass(frozen=True, slots=True)
class Google:
    """The project, its accounts, and who makes its tokens."""

    settings: EmulatorSettings
    url: str
    """The origin of the listener that all APIs share."""
    clock: EmulatorClock
    key: EmulatorKey
    """Signs ID tokens."""
    mint: Mint
    accounts: Mapping[str, ServiceAccount]
    """By e-mail address."""
