"""A server of any kind for clients that speak stdio alone: a gateway with one server, and one caller, within.

    pump       lines in, messages out, and the other way round, until standard input ends
    stdio      lines of standard input; the one thing that writes to standard output
    requests   a line as the request that it is over streamable HTTP

Era, transport, credential and sessions of the server are the gateway's affair; an error is one of its own.
"""
