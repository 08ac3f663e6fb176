"""A client of MCP 2025-11-25 or before, heard in the words of 2026-07-28, and answered in its own.

handshake  what it says of itself once, and what it is told of the server
requests   what it asks, with all that a modern request says of its sender
answers    results and errors as its revision has them
questions  what a server wants to know of it, as requests of their own
notices    what it hears without having asked
"""
