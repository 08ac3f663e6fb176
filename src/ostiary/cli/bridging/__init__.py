"""stdio ⇄ HTTP, for clients that speak only stdio; a fresh token on every request.

    pump       lines in, messages out, and the other way round, until standard input ends
    stdio      lines of standard input; the one thing that writes to standard output
    routing    the HTTP headers that a message needs, learnt from the messages that pass
    http       a client whose every failure is a JSON-RPC error that says what to do
    sessions   what the client and the server began with, to begin it again
    events     which ids came in streams of the server

The client's era is the server's: messages pass as they are, and only headers are added. The credential
goes onto each request below the session, so that a new token opens no new one.
"""
