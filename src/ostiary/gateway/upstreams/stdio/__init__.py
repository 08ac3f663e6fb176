"""Servers that are programs of this machine, spoken to on their standard input and output.

session       one server: a process for each caller, or one for all; MCP 2026-07-28
channel       the same for MCP 2025-11-25 and before
conversation  calls of modern MCP with one process
call          one of them
program       how processes are begun, and how many there are
beginning     a process, until it has said its first word
whose_turn    each caller's share of the calls
restarts      how long to wait until a process is started again
"""
