"""Servers of MCP 2025-11-25 and before, spoken to for callers whose messages are modern.

pool             the sessions with one server, each caller's own
session          what one caller has there, whatever happens to the server
listeners        who hears what a server says unasked
conversation     what passes from `initialize` on, until either has had enough
calls            one request, and the caller who waits for its answer
open_questions   what the server has asked of one call
between_calls    what it asks while there is none
parked_calls     calls that wait for what their callers say
channel          one conversation, over whatever carries it
streamable_http  over streamable HTTP
sse              over HTTP+SSE, the transport of 2024-11-05
"""
