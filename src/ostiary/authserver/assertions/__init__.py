"""What others vouch for: JWTs of the issuers in `trusted_issuers:`.

foreign          a trusted issuer's JWT, its signature checked          RFC 7515, RFC 8725
bringing         which clients may bring it, and for which resources
held_key         what is bound to a key needs a proof of it             RFC 7800
vouched          whom it speaks of
refused_as       what is wrong with it, in the words of whoever was given it

id_jag           a company's IdP vouches for its user                   draft-ietf-oauth-identity-asser...
vouched_session  what goes on between two of its assertions
subject_token    whom an exchange speaks of                             RFC 8693 2.1
acting           who acts for them                                      RFC 8693 4.1

A grant that takes one is in `grants/`; which claims it must have is in `oauth/`.
"""
