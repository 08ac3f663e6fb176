"""What the servers have, as callers see it: names, lists, and where a call goes.

endpoints      which there are, and what they share
routes         which server is meant, and by which name there; or which servers, for a list
rated_routes   routes that callers may take so often and no more
target         what a route leads to: server, kind and name
forward_route  send a call on, translate the answer back
live_routes    the same, whatever plan is in force
observed_call  a call of which operators hear
authorized_route  the same for whoever may, by the policies
permitted      what callers see of lists and servers, by the same policies
task_route     ask for a task that a call has become
listen_route   one stream for what all servers tell of changes
standing_streams  streams that go on when their endpoint is replaced
change_feed    what one server tells of changes, to all who may hear the same
tool_search    two tools instead of hundreds: one finds, one calls
tool_index     which tools are about what somebody looks for
merged_lists   many servers' lists as one
health_checks  asks servers now and then whether they are there
gathering      ask several servers at once, and wait for none longer than the others need
listed_names   what only a list tells of a name: what a short form stands for, what is as it was pinned
questions      what one server is asked on behalf of one caller
last_answers   what servers said last, for the time in which they fail
server_info    who answers, where an answer is the gateway's own
translate      a server's answer → the caller's answer
"""
