-- A legacy tools/call in a session. Arguments: the tool's name, the caller's token, the session's id, if any.
-- An id comes again after a thousand: some refuse one that is under way already.
local requests, next_one = {}, 0

function init(arguments)
  local tool, token, session = arguments[1], arguments[2], arguments[3]
  wrk.method = "POST"
  wrk.headers["content-type"] = "application/json"
  wrk.headers["accept"] = "application/json, text/event-stream"
  wrk.headers["authorization"] = "Bearer " .. token
  wrk.headers["mcp-protocol-version"] = "2025-11-25"
  wrk.headers["mcp-session-id"] = session
  for id = 1, 1000 do
    requests[id] = wrk.format(nil, nil, nil, '{"jsonrpc":"2.0","id":' .. id + 1
      .. ',"method":"tools/call","params":{"name":"' .. tool .. '","arguments":{"species":"penguin"}}}')
  end
end

function request()
  next_one = next_one % 1000 + 1
  return requests[next_one]
end
