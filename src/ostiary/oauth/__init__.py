"""The rules of the OAuth RFCs: values in, a value or an error out.

    client/            we ask
    server/            we issue
    resource_server/   we check
    inspection/        we only look

The same noun in each role is the same thing seen from there: `client/pkce` makes what `server/pkce` checks.
What all share:

    canonical_url           one reading of a URL                                  RFC 3986 6.2, RFC 8707 2
    errors                  the error codes                                       RFC 6749, RFC 6750
    refusal                 why a caller was turned away, in one word for the log
    challenge               WWW-Authenticate, written and read                    RFC 6750 3, RFC 9728 5.1
    issuer_identification   which issuer answered                                 RFC 9207
    jwt_parts               a JWT taken apart without its key                     RFC 7515 7.1
    signature_rules         which signatures are made and taken                   RFC 7515, RFC 9864
    jwt_claims              what a verified token must claim                      RFC 7519 4.1, RFC 9068 4
    confirmation            whose key a token is bound to                         RFC 7800, RFC 8705, RFC 9449
    lone_surrogates         what JSON can write and UTF-8 cannot                  RFC 8259 8.2
    dotted_path             one value inside a JSON document
    personal_name           what people are called, kept as they write it

No network, no web, no clock: whoever asks brings the time.
"""
