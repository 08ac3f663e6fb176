"""The zoo: the example MCP server that every tutorial, demo and end-to-end test uses.

    animals     33 animals of 8 species, and how to look them up: pure
    answers     what the tools give back, as their output schemas say it
    server      the MCP server: two tools, a prompt with completion, a resource per species
    account     another, which says whose account it was called with
    listening   where it listens: at home, and on Cloud Run

It has no authentication of its own: whoever stands before it (Cloud Run, the gateway) decides who may call.
"""
