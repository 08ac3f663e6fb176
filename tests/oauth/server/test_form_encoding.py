"""One name or value of a form, decoded. RFC 6749 appendix B."""

from __future__ import annotations

from urllib.parse import quote_plus, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.oauth.server.form_encoding import form_decoded, is_broken

PIECES = st.one_of(
    st.binary(max_size=4).filter(lambda piece: b"%" not in piece),
    st.integers(0, 255).map(lambda byte: b"%%%02X" % byte),
    st.integers(0, 255).map(lambda byte: b"%%%02x" % byte),
    st.sampled_from([b"=", b"==", b"\r\n", b" \n", b"=3D", b"%3D%0A", b"+"]),
)


@given(st.text())
def test_what_was_encoded_is_decoded(text: str) -> None:
    assert form_decoded(quote_plus(text).encode()) == text


@given(st.lists(PIECES).map(b"".join))
def test_all_that_is_not_broken_is_decoded_as_python_does(encoded: bytes) -> None:
    assert not is_broken(encoded)
    decoded = unquote_to_bytes(encoded.replace(b"+", b" "))
    try:
        expected = decoded.decode()
    except UnicodeDecodeError:
        with pytest.raises(UnicodeDecodeError):
            form_decoded(encoded)
    else:
        assert form_decoded(encoded) == expected


@pytest.mark.parametrize("encoded", [b"%", b"a%2", b"%zz", b"%2%20", b"%%20", b"%\n41"])
def test_a_percent_sign_that_encodes_nothing_is_told(encoded: bytes) -> None:
    assert is_broken(encoded)
