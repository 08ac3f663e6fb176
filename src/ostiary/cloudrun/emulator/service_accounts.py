"""The service accounts of the project, and the key files that prove one: JSON, as Google writes it."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ostiary.cloudrun.emulator.keys import EmulatorKey
from ostiary.operator_error import OperatorError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ostiary.cloudrun.emulator.config import EmulatorSettings

MADE_BY = "ostiary cloudrun emulate"
"""Stands in every key file of ours, so that none of somebody else's is written over."""


class KeyFileRefused(OperatorError):
    """A key file cannot be written there. The message says where and why."""


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """An identity of the project."""

    email: str
    key: EmulatorKey | None = None
    """The key of its key file, when it has one."""
    token_creators: frozenset[str] = frozenset()
    """E-mail addresses of the accounts that may act as this one."""

    @property
    def unique_id(self) -> str:
        """Its `sub`: 21 digits, the same at each start."""
        digest = hashlib.sha256(self.email.encode()).digest()
        return "1" + str(int.from_bytes(digest[:12]) % 10**20).zfill(20)


def make_accounts(settings: EmulatorSettings) -> dict[str, ServiceAccount]:
    """The accounts that the settings name, by e-mail address, each with its key."""
    accounts = {}
    for name, account in settings.service_accounts.items():
        email = settings.email(name)
        creators = frozenset(settings.email(creator) for creator in account.token_creators)
        key = EmulatorKey() if account.key_file is not None else None
        accounts[email] = ServiceAccount(email, key, creators)
    return accounts


def write_key_file(path: Path, document: Mapping[str, Any]) -> None:
    """Write a key, readable by the file's owner alone. Raises KeyFileRefused.

    A file that is there already is replaced only when it is such a key of an earlier run.
    """
    try:
        if path.exists() and not _is_ours(path):
            raise KeyFileRefused(
                f"{path} is there already and is no key of the emulator: move it, or name another file"
            )
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, 0o600)
            file.write(json.dumps(document, indent=2) + "\n")
    except OSError as error:
        raise KeyFileRefused(f"{path} cannot be written: {error.strerror}") from None


def key_document(
    account: ServiceAccount, key: EmulatorKey, *, project: str, google_url: str
) -> dict[str, Any]:
    """The content of a key file, with the emulator as the place to take it to."""
    return {
        "type": "service_account",
        "project_id": project,
        "private_key_id": key.key_id,
        "private_key": key.private_pem(),
        "client_email": account.email,
        "client_id": account.unique_id,
        "auth_uri": f"{google_url}/o/oauth2/auth",
        "token_uri": f"{google_url}/token",
        "auth_provider_x509_cert_url": f"{google_url}/oauth2/v1/certs",
        "client_x509_cert_url": f"{google_url}/robot/v1/metadata/x509/{quote(account.email, safe='')}",
        "universe_domain": "googleapis.com",
        "made_by": MADE_BY,
    }


def _is_ours(path: Path) -> bool:
    try:
        document = json.loads(path.read_text("utf-8-sig"))
    except ValueError:
        return False
    return isinstance(document, dict) and document.get("made_by") == MADE_BY
