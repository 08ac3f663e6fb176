"""What all tables are known to, and the columns that many have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, Double, LargeBinary, MetaData, String

metadata = MetaData()


def hash_column(name: str, **options: Any) -> Column[str]:
    """SHA-256 of something secret, in hexadecimal."""
    return Column(name, String(64), **options)


def time_column(name: str, **options: Any) -> Column[float]:
    """Seconds since the epoch."""
    return Column(name, Double, **options)


def sealed_column(
    *, covers: str, leaves: Mapping[str, str] | None = None, nullable: bool = False
) -> Column[bytes]:
    """What opens only with the key ring, and only while the row is as it was when it was sealed.

    covers: the columns beside the key that decide something. leaves: those that do not, with what whoever
    changes them by hand gets. A test holds that every column is one or the other.
    """
    info = {"covers": tuple(covers.split()), "leaves": leaves or {}}
    return Column("sealed", LargeBinary, nullable=nullable, info=info)


def unsealed(reason: str) -> dict[str, str]:
    """For a table whose rows have no seal: what whoever changes them by hand gets."""
    return {"unsealed": reason}
