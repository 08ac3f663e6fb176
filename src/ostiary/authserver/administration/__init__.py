"""What operators do at the command line.

clients  those that registered themselves: listed, deleted
"""
