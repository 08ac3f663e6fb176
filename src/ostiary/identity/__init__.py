"""Who is calling: tokens verified, and what they say believed.

    inbound           configuration: whose tokens are accepted
    authenticator     a token in, a principal out; remembers the verdict for a moment
    principal         who that is
    possession        whether who sends a bound token holds its key
    jwt_verifier      signatures: which are accepted, how they are checked
    key_set           one issuer's keys
    key_sets          where they come from, and how long they are believed
    google_id_token   what Google's tokens need besides
    spiffe            names of workloads, and their owners

Its one rule: a key set that can't be had verifies nothing.
"""
