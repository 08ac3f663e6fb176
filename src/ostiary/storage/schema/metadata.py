"""What all tables are known to, and the columns that many have."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Double, LargeBinary, MetaData, String

metadata = MetaData()


def hash_column(name: str, **options: Any) -> Column[str]:
    """SHA-256 of something secret, in hexadecimal."""
    return Column(name, String(64), **options)


def time_column(name: str, **options: Any) -> Column[float]:
    """Seconds since the epoch."""
    return Column(name, Double, **options)


def sealed_column() -> Column[bytes]:
    """What opens only with the key ring."""
    return Column("sealed", LargeBinary, nullable=False)
