"""Clients of MCP 2025-11-25 and before: their sessions, and what they say in them, as modern calls.

A session is in its id, sealed. What a replica keeps of one while it is used is small, bounded, and forgotten
with no more harm than that a log level is the usual one again.

legacy_door    one endpoint: what is posted, who listens, who is done
http_sse       the same over the transport of before                      MCP 2024-11-05
batch          several messages in one body                               MCP 2025-03-26
conversation   one request until its answer, with all that is told on the way
asking         what a server asks the client meanwhile, round after round
parameters     arguments that a tool wants in headers too
listening      what servers tell unasked, heard once for all of a caller
listen_stream  the stream on which one client hears it
whole_answer   what a route answers to a question of ours
live_sessions  what is known here of sessions while they are used
session_ids    `Mcp-Session-Id`: the session itself, sealed for its caller
only_session   the one of a client that has us for itself
session        what was settled when one began
"""
