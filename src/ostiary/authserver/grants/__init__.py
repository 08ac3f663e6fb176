"""The grants of the token endpoint.

A grant lists what it needs, and makes what is issued of a parsed request; grants never call one another.
They are put together in `server/grants.py`.

    authorization_code   code and verifier → tokens            RFC 6749 4.1.3, RFC 7636
    refresh_token        rotate, or end the session            RFC 6749 6, RFC 9700 4.14
    client_credentials   a client's own token                  RFC 6749 4.4
    device_code          a device's turn                       RFC 8628 3.4
    jwt_bearer           a company's IdP vouches for its user  RFC 7523, ID-JAG
    token_exchange       a trusted issuer's token → ours       RFC 8693

Who the client is was settled before, in `clients/authentication.py`; to what its tokens are bound, in
`tokens/binding.py`.
"""
