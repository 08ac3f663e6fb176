"""The broker: many MCP servers behind one guarded endpoint.

The walk of one call, in the order of the files:

    endpoint        one door: what follows, as seven lines
    authenticate    whose call is this? a verified principal, or a challenge
    possession      does who sends a bound token hold its key?
    receive         the bytes → one MCP message whose headers say what its body says
    routes          which server is meant, and by which name there; or which servers, for a list
    server          one MCP server: its connections, the credential it wants, a second try after a 401
    relay           send a call on, translate the answer back
    federate        ask several servers, merge their lists
    held_lists      so many bytes of lists at once
    large_answers   so many bytes of long answers at once
    availability    which servers lists leave out for a while
    translate       a server's answer → the caller's answer
    refusals        whatever went wrong → a typed answer
    errors          what can go wrong between us and a server
    record          what operators read

    gateway   puts it together on a listener
    pages     what browsers and OAuth clients read: metadata, and plain refusals
    config    the `gateway:` part of ostiary.yaml

Who is calling is settled by `identity`, what is sent by `credentials`, what MCP means by `mcp`.
"""

from ostiary.gateway.config import GatewaySettings, ServerSettings
from ostiary.gateway.gateway import Gateway

__all__ = ["Gateway", "GatewaySettings", "ServerSettings"]
