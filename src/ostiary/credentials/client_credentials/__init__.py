"""A token for ourselves: the client credentials grant (RFC 6749 section 4.4).

settings    which issuer, as which client, for what
credential  the kind
headers     of one server, which may ask for more scope or a bound token
source      the token request
"""
