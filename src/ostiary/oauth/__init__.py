"""The rules of the OAuth RFCs: values in, a value or an error out.

    canonical_url        one reading of a URL                                  RFC 3986 6.2, RFC 8707 2
    errors               the error codes                                       RFC 6749, RFC 6750
    refusal              why a caller was turned away, in one word for the log
    challenge            WWW-Authenticate                                      RFC 6750 3, RFC 9728 5.1
    protected_resource   what a resource says of itself, and where             RFC 9728
    issuer_metadata      where an issuer describes itself, and if it's true  RFC 8414, OIDC Discovery 4
    jwt_claims           what a verified token must claim                      RFC 7519 4.1, RFC 9068 4

No network, no web, no clock: whoever asks brings the time.
"""
