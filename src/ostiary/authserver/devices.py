"""Devices that wait for a person: their codes, and what was decided. RFC 8628."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from ostiary.authserver.authorized import Authorized
from ostiary.oauth.device_code import INTERVAL, normal_user_code, user_code
from ostiary.storage.schema import device_codes
from ostiary.storage.store import Store, digest

PENDING = "pending"
APPROVED = "approved"
DENIED = "denied"
SPENT = "spent"

_row = device_codes.c


class DeviceRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a device asks for."""

    client_id: str
    resource: str
    """Canonical."""
    scopes: tuple[str, ...] = ()
    dpop_jkt: str | None = None
    """The key that its tokens will be bound to, when it proved one already."""


@dataclass(frozen=True, slots=True)
class NewDevice:
    """The two codes: one for the device, one for its person."""

    device_code: str
    user_code: str
    """As it is shown."""


@dataclass(frozen=True, slots=True)
class WaitingDevice:
    """A device that nobody has decided on yet, as its person sees it."""

    device_hash: str
    request: DeviceRequest


def new_device(
    connection: Connection, store: Store, request: DeviceRequest, *, now: float, lifetime: float
) -> NewDevice:
    """Codes for a device. now: seconds since the epoch; lifetime: seconds."""
    codes = NewDevice(secrets.token_urlsafe(32), user_code(secrets.token_bytes(16)))
    device_hash = digest(codes.device_code)
    row = {
        "device_hash": device_hash,
        "user_code_hash": digest(codes.user_code),
        "client_id": request.client_id,
        "sealed": store.seal(request, table=device_codes, key=device_hash),
        "state": PENDING,
        "poll_interval": int(INTERVAL),
        "polled_at": 0.0,
        "expires_at": now + lifetime,
    }
    connection.execute(insert(device_codes), row)
    return codes


def find_waiting(connection: Connection, store: Store, typed: str, *, now: float) -> WaitingDevice | None:
    """The device whose code a person typed; None for no code, an unknown, expired or decided one."""
    code = normal_user_code(typed)
    if code is None:
        return None
    query = select(_row.device_hash, _row.sealed).where(
        _row.user_code_hash == digest(code), _row.state == PENDING, _row.expires_at > now
    )
    found = connection.execute(query).first()
    if found is None:
        return None
    request = store.open(found.sealed, DeviceRequest, table=device_codes, key=found.device_hash)
    return WaitingDevice(found.device_hash, request)


def approve(
    connection: Connection, store: Store, device_hash: str, authorized: Authorized, *, now: float
) -> bool:
    """A person lets a device in. False when it waits no more, or is another client's."""
    sealed = store.seal(authorized, table=device_codes, key=device_hash)
    statement = _decision(device_hash, now).where(_row.client_id == authorized.client_id)
    return connection.execute(statement.values(state=APPROVED, sealed=sealed)).first() is not None


def deny(connection: Connection, device_hash: str, *, now: float) -> bool:
    """A person does not. False when it waits no more."""
    return connection.execute(_decision(device_hash, now).values(state=DENIED)).first() is not None


def _decision(device_hash: str, now: float) -> ReturningUpdate[tuple[str]]:
    """Of two decisions at once, one happens."""
    waiting = update(device_codes).where(
        _row.device_hash == device_hash, _row.state == PENDING, _row.expires_at > now
    )
    return waiting.returning(_row.device_hash)
