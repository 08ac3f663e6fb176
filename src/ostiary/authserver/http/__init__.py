"""How requests come in and answers go out. Handlers know forms and values, and nothing of the wire.

form_request   what a back-channel endpoint is asked: a form, and who is at the other end
endpoint_door  a handler of such requests, inside the listener's protocol (`transport/inline_http`)
json_answer    JSON out, and each error as its RFC has it
nothing_else   what a listener answers besides
page_door      a handler of a browser's requests: what it refuses becomes a page
"""
