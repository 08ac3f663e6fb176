"""We check: what comes with a request, and what a resource says of itself.

access_token        what tells an access token from other JWTs               RFC 9068 2.1, RFC 8725 3.11
dpop_proof          a proof, as the server that gets it sees it              RFC 9449 4.3, 8
protected_resource  what a resource says of itself, written                  RFC 9728 2
"""
