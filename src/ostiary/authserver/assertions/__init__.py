"""What others vouch for: JWTs of the issuers in `trusted_issuers:`.

foreign          a trusted issuer's JWT, its signature checked
"""
