"""The listeners, and who answers there: route tables, and what has to be done from time to time.

authserver          puts it together
services            what it is made of: each room is given what it needs
doors               what programs post to
page_routes         what people's browsers ask for
grants              each with what it needs
documents           what anybody may read, answered from memory
discovery           what the server says of itself                          RFC 8414
callback            a browser comes back from an identity provider
mtls_listener       where clients with certificates ask                     RFC 8705 5
internal_endpoints  what answers workloads, put together
maintenance         done from time to time
sweep               what has had its time goes
metrics             counted as it is written down
readiness           whether it can do its work
"""
