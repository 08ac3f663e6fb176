"""Our own client of MCP, as far as commands need one: importing the SDK takes longer than most calls.

client           the era agreed on; lists, and a call
streamable_http  messages to one endpoint and what comes back, JSON or a stream that may break off
within           the same to a gateway in this process
routing_headers  the HTTP headers of a modern message
messages         one message of a server, as JSON; and errors in its place
output_schema    whether a result is as its tool promised
"""
