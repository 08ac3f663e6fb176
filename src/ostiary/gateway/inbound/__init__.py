"""Callers: whose call it is, and what it says.

authentication  a verified principal, or a challenge                          RFC 6750, RFC 9728
receive         the bytes → one MCP message whose headers say what its body says
"""
