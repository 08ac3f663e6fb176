"""Whom a host name belongs to, as far as bounds go by it."""

from __future__ import annotations

import pytest

from ostiary.oauth.server.registrable_host import registrable_host


@pytest.mark.parametrize(
    ("host", "registered"),
    [
        ("example.com", "example.com"),
        ("a.b.example.com", "example.com"),
        ("a.example.co.uk", "example.co.uk"),
        ("co.uk", "co.uk"),
        ("a.b.ab.de", "ab.de"),
        ("localhost", "localhost"),
        ("203.0.113.7", "203.0.113.7"),
        ("[2001:db8:1:2:3::4]", "2001:db8:1:2::/64"),
    ],
)
def test_names_below_a_registered_one_and_addresses_of_one_household_are_one(
    host: str, registered: str
) -> None:
    assert registrable_host(host) == registered
