"""Callers: whose call it is, and what it says.

authentication  a verified principal, or a challenge                          RFC 6750, RFC 9728
verification    what tokens are held against: keys, and proofs seen before
receive         the bytes → one MCP message whose headers say what its body says
"""
