"""The rules of MCP, without I/O. Values in; a value or an error out.

errors             JSON-RPC and MCP error codes, each a class
eras               protocol versions, and the keys of `_meta`
raw_object         a JSON object's members, raw, each read once
server_message     one message of a server, read once
legacy_client      a client of an earlier revision, heard in the words of this one
messages           one request, read and written without touching its arguments
headers            what HTTP headers say must be what the body says
parameter_headers  which arguments a call says in headers too
names              how names of many servers stay apart
request_state      what a server asks to hear again
tasks              calls that go on after their answer
missing_servers    what a gateway had to leave out of a list
readable           what of a list is in order
elicitation        a person is asked to open a page, and then the call goes on
links              resource URIs inside results
cursors            where the next page of a merged list begins
merging            many servers' lists as one
subscriptions      what one who listens wants to hear
change_notices     how one who listens is told that something changed
views              what an endpoint shows of one server
multiplexed        requests of many callers on one stream, and whose is what comes on it
events             the events of a stream
era_signs          what an answer says about the era of its server
handshake          what `initialize` settles, in the words of either era
legacy_requests    a modern request as a legacy server reads it
legacy_answers     what a legacy server answers, as a modern one would
legacy_notices     what a legacy server says unasked
questions          what a legacy server asks its client, asked the modern way
lost_session       whether a server knows a session no more
"""
