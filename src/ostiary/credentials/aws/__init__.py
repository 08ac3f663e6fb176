"""How AWS is called: a web identity exchanged for keys, and a signature on each request.

settings        which role signs, for whom
credential      the kind
web_identity    whose JWT is exchanged, for which role
sts             AssumeRoleWithWebIdentity
sigv4           Signature Version 4, pure
signed_headers  the signature on each request
"""
