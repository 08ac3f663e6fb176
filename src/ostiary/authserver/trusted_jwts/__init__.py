"""JWTs of the issuers that the operator trusts.

verification   whose it is, and whether its signature is good
error_mapping  what is wrong with one, as the endpoint calls it
"""
