"""What the servers have, as callers see it: names, lists, and where a call goes.

routes         which server is meant, and by which name there; or which servers, for a list
target         what a route leads to: server, kind and name
forward_route  send a call on, translate the answer back
merged_lists   ask several servers, merge their lists
server_info    who answers, where an answer is the gateway's own
translate      a server's answer → the caller's answer
"""
