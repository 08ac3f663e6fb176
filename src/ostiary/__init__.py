"""The right credential on every hop between an AI agent and an MCP server.

    cli                 the commands
    config              ostiary.yaml: one file, checked before anything runs
    authserver          the authorization server: signs people in, and gives clients tokens
    gateway             the broker: many MCP servers behind one guarded endpoint
    cloudrun            Google Cloud Run, emulated on this machine
    zoo                 the example MCP server
    diagnosis           why a call is refused
    credentials         what we send: tokens fetched, kept fresh, attached
    certificates        our own certificate: where it comes from, and how TLS shows it
    identity            who is calling: tokens and certificates verified
    storage             what must survive, sealed
    telemetry           what happened: logs, the audit, metrics
    transport           how bytes come and go
    settings            the words that all configuration shares
    live_file           files that are read again when they change
    oauth, mcp          the protocols' rules, pure
    secrets             values that must not be seen
    operator_error      what whoever runs it has to do something about
    suggestions         what a name that does not exist was probably meant to be
    crash_text          a bug of ours, as the log has it
    field_meanings      what is written below the fields of a class
    event_log           what happened, said to Python's logging
    rates               how often somebody may ask: buckets that fill again
    inline_coroutines   coroutines driven by the bytes themselves, without a task
    unseen              records that hold something secret

Each may import what stands below it, never what stands above or beside it.
"""

import logging

logging.getLogger("ostiary").addHandler(logging.NullHandler())
"""Errors are raised, so nothing is told a second time to whoever sets up no logs."""

__version__ = "0.1.0"
