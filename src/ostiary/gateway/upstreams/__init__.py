"""The servers behind the gateway.

server           one of them: the credential it wants, a second try after a 401, how it fares
rated_server     one that callers may ask so often and no more
session          what carries messages there, in whatever era and over whatever transport
era              which era a server speaks, found out once
streamable_http  over streamable HTTP, stateless: MCP 2026-07-28
stdio            programs of this machine, on their standard input and output
troubles         what the log tells of a server that fails
repetition       what may be sent again
health           which servers lists leave out for a while
request_states   what a server wants to hear again, sealed for its caller
task_ids         what the tasks of one server are called here
held_lists       so many bytes of lists at once
large_answers    long answers, one at a time
legacy           servers of MCP 2025-11-25 and before
"""
