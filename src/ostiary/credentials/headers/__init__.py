"""A credential attached to one server: the headers of each request, and what a refusal means.

headers             the protocol that all of these keep
static              a header with a configured value
bearing             a token that is the same for every caller, as a bearer token or with DPoP
per_subject         a token for each caller
jwt_file            a JWT as it stands in a file
client_credentials  a token for ourselves, with more scope when the server wants it
oauth_user          a person's token
chained             several credentials on one request
header_value        what may stand in a header's value
"""
