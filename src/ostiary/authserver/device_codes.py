"""Devices that wait for a person: their codes, and what was decided. RFC 8628."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, bindparam, insert, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from ostiary.authserver.authorization_grant import AuthorizationGrant
from ostiary.oauth.server.device_code import (
    INTERVAL,
    DeviceState,
    Poll,
    PollAnswer,
    decide_poll,
    normal_user_code,
    user_code,
)
from ostiary.oauth.server.errors import InvalidGrant, OAuthError
from ostiary.storage.expiry import Expiry
from ostiary.storage.schema import device_codes
from ostiary.storage.store import Store, digest

PENDING = "pending"
APPROVED = "approved"
DENIED = "denied"
SPENT = "spent"

EXPIRY = Expiry(device_codes.c.expires_at)

_row = device_codes.c
_UNSEEN = update(device_codes).where(
    _row.device_hash == bindparam("which"),
    _row.state == bindparam("seen_state"),
    _row.polled_at == bindparam("seen_at"),
)
_COUNT = _UNSEEN.values(polled_at=bindparam("at"), poll_interval=bindparam("wait")).returning(
    _row.device_hash
)
_SPEND = _UNSEEN.values(state=SPENT, sealed=b"").returning(_row.device_hash)


class DeviceRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a device asks for."""

    client_id: str
    resource: str
    """Canonical."""
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NewDevice:
    """The two codes: one for the device, one for its person."""

    device_code: str = field(repr=False)
    user_code: str = field(repr=False)
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
        "state": PENDING,
        "poll_interval": int(INTERVAL),
        "polled_at": 0.0,
        "expires_at": now + lifetime,
    }
    sealed = store.seal(request, table=device_codes, row=row)
    connection.execute(insert(device_codes), row | {"sealed": sealed})
    return codes


def find_waiting(connection: Connection, store: Store, typed: str, *, now: float) -> WaitingDevice | None:
    """The device whose code a person typed; None for no code, an unknown, expired or decided one.

    Raises SealedOtherwise.
    """
    code = normal_user_code(typed)
    if code is None:
        return None
    found = connection.execute(_waiting(_row.user_code_hash == digest(code), now)).first()
    if found is None:
        return None
    request = store.open(found.sealed, DeviceRequest, table=device_codes, row=found)
    return WaitingDevice(found.device_hash, request)


def approve(
    connection: Connection, store: Store, device_hash: str, grant: AuthorizationGrant, *, now: float
) -> bool:
    """A person lets a device in. False when it waits no more, or is another client's.

    Raises SealedOtherwise.
    """
    found = connection.execute(_waiting(_row.device_hash == device_hash, now)).first()
    if found is None:
        return False
    request = store.open(found.sealed, DeviceRequest, table=device_codes, row=found)
    if request.client_id != grant.client_id:
        return False
    approved = found._asdict() | {"state": APPROVED}
    sealed = store.seal(grant, table=device_codes, row=approved)
    statement = _decision(device_hash, now).values(state=APPROVED, sealed=sealed)
    return connection.execute(statement).first() is not None


def deny(connection: Connection, device_hash: str, *, now: float) -> bool:
    """A person does not. False when it waits no more."""
    statement = _decision(device_hash, now).values(state=DENIED, sealed=b"")
    return connection.execute(statement).first() is not None


def _waiting(which: ColumnElement[bool], now: float) -> Select[Any]:
    return select(device_codes).where(which, _row.state == PENDING, _row.expires_at > now)


def _decision(device_hash: str, now: float) -> ReturningUpdate[tuple[str]]:
    """Of two decisions at once, one happens."""
    waiting = update(device_codes).where(
        _row.device_hash == device_hash, _row.state == PENDING, _row.expires_at > now
    )
    return waiting.returning(_row.device_hash)


def poll(
    connection: Connection, store: Store, code: str, *, client_id: str, now: float
) -> AuthorizationGrant | OAuthError:
    """What a device that asks now gets: what its person agreed to, once; or the refusal.

    What was read is changed only as it was read: of two questions at once, one is too early, and one is given
    the tokens. Raises SealedOtherwise, and spends nothing then.
    """
    device_hash = digest(code)
    mine = select(device_codes).where(_row.device_hash == device_hash, _row.client_id == client_id)
    while True:
        row = connection.execute(mine).first()
        if row is None:
            return InvalidGrant("the device code is unknown, or not this client's")
        answer = decide_poll(_state(row), now=now)
        seen = {"which": device_hash, "seen_state": row.state, "seen_at": row.polled_at}
        if answer.poll is Poll.READY:
            if connection.execute(_SPEND, seen).first() is not None:
                return store.open(row.sealed, AuthorizationGrant, table=device_codes, row=row)
        elif answer.poll not in {Poll.PENDING, Poll.SLOW_DOWN} or _counted(connection, seen, answer, now):
            return answer.refusal or InvalidGrant("the device code is no good")


def _counted(connection: Connection, seen: dict[str, Any], answer: PollAnswer, now: float) -> bool:
    asked = {"at": now, "wait": int(answer.interval)}
    return connection.execute(_COUNT, seen | asked).first() is not None


def _state(row: Any) -> DeviceState:
    decisions: dict[str, Literal["granted", "denied"]] = {APPROVED: "granted", DENIED: "denied"}
    return DeviceState(
        row.expires_at,
        interval=row.poll_interval,
        last_polled_at=row.polled_at or None,
        decision=decisions.get(row.state),
        spent=row.state == SPENT,
    )
