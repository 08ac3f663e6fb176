"""What workloads ask, over mutual TLS alone: upstream tokens of the people whose sessions they own.

listener            their own port, with a route table of its own
workload_request    a request of a workload whose certificate says which owner it is
requests_under_way  how many of one workload there may be at once
token_exchange      one of our access tokens for the token of an account upstream     RFC 8693
account             which account a token opens, for its owner
revocation_feed     an owner's sessions that ended
"""
