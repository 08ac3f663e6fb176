"""Servers of MCP 2025-11-25 and before, spoken to for callers whose messages are modern.

channel  one conversation with a server, over whatever carries it
"""
