"""What others vouch for: JWTs of the issuers in `trusted_issuers:`.

assertion_policy   which clients may bring it, and for which resources
key_binding        what is bound to a key needs a proof of it             RFC 7800
assertion_subject  whom it speaks of

id_jag         a company's IdP vouches for its user                   draft-ietf-oauth-identity-asser...
subject_token  whom an exchange speaks of                             RFC 8693 2.1
actor_token    who acts for them                                      RFC 8693 4.1

A grant that takes one is in `grants/`; which claims it must have is in `oauth/`.
"""
