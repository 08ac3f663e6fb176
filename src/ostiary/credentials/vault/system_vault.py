"""Which vault this user has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.credentials.vault.file_vault import FileVault
from ostiary.credentials.vault.keyring_vault import keyring_vault

if TYPE_CHECKING:
    from pathlib import Path

    from ostiary.credentials.vault.vault import TokenVault


def system_vault(directory: Path) -> TokenVault:
    """The user's keyring when the library and a real keyring are there, else a file in the directory."""
    return keyring_vault(directory) or FileVault(directory)
