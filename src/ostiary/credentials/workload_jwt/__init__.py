"""The platform's JWT in a file, or what an issuer gives for it.

credential  the kind
headers     the JWT itself, as a bearer token
jwt_file    the file, which somebody else renews
"""
