"""What our tokens are signed with.

jws           a compact JWS, as fast as the signature itself allows   RFC 7515
signing_key   a key, made, sealed and opened
signing_keys  the keys of all replicas: which one signs, which are published
"""
