"""A credential attached to one server: the headers of each request, and what a refusal means.

headers               the protocol that all of these keep
static                a header with a configured value
token_headers         a token that is the same for every caller, as a bearer token or with DPoP
subject_token_source  a token that is shown to an issuer, to get another one for it
per_subject           a token for each caller
chained               several credentials on one request
overheard             what was sent that proves who we are
header_value          what may stand in a header's value
"""
