"""Ask AWS's Security Token Service for a session of a role, by a JWT: AssumeRoleWithWebIdentity.

The request is a form, and nothing signs it but the JWT's issuer. The answer is XML.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from ostiary.credentials.aws.sigv4 import AwsKeys

if TYPE_CHECKING:
    from ostiary.transport.fetch import FetchedDocument

VERSION = "2011-06-15"
FOR_GOOD = frozenset(
    ["AccessDenied", "IDPRejectedClaim", "InvalidIdentityToken", "MalformedPolicyDocument", "ValidationError"]
)
"""Errors that stay until somebody changes something; an expired token or a busy STS passes."""


class StsRefused(Exception):
    """STS said no; the message is its own, in one line."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code} ({message})" if message else code)
        self.code = code


class StsUnreadable(Exception):
    """The answer is none of STS's. The message says why."""


@dataclass(frozen=True, slots=True)
class AwsSession:
    """Keys for a while."""

    keys: AwsKeys
    expires_at: float


def assume_role_form(*, role: str, session_name: str, jwt: str, seconds: int) -> dict[str, str]:
    """The form to post."""
    return {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": VERSION,
        "RoleArn": role,
        "RoleSessionName": session_name,
        "WebIdentityToken": jwt,
        "DurationSeconds": str(seconds),
    }


def read_session(document: FetchedDocument) -> AwsSession:
    """Raises StsRefused or StsUnreadable."""
    values = _values(document)
    if document.status != 200:
        raise StsRefused(
            _shown(values.get("Code", f"status {document.status}")), _shown(values.get("Message", ""))
        )
    try:
        keys = AwsKeys(values["AccessKeyId"], values["SecretAccessKey"], values["SessionToken"])
        return AwsSession(keys, datetime.fromisoformat(values["Expiration"]).timestamp())
    except KeyError as missing:
        raise StsUnreadable(f"its answer has no {missing.args[0]}") from None
    except ValueError:
        raise StsUnreadable("its answer has an Expiration that is no time") from None


def _values(document: FetchedDocument) -> dict[str, str]:
    """The text of each element, by its name without the namespace."""
    if b"<!" in document.body:  # entities are declared there, and STS has no use for them
        raise StsUnreadable(f"it answered {document.status} with something that is not from STS")
    try:
        root = ET.fromstring(document.body)  # noqa: S314 - bounded in size, and no declarations
    except ET.ParseError:
        raise StsUnreadable(f"it answered {document.status} with something that is not XML") from None
    return {element.tag.rpartition("}")[2]: (element.text or "").strip() for element in root.iter()}


def _shown(text: str) -> str:
    """In one line; whoever shows it takes out what it must not repeat, and then shortens it."""
    return "".join(character if " " <= character <= "~" else " " for character in text).rstrip(".")
