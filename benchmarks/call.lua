-- One modern tools/call. Arguments: the tool's name, the caller's token.
function init(arguments)
  local tool, token = arguments[1], arguments[2]
  wrk.method = "POST"
  wrk.headers["content-type"] = "application/json"
  wrk.headers["accept"] = "application/json, text/event-stream"
  wrk.headers["authorization"] = "Bearer " .. token
  wrk.headers["mcp-protocol-version"] = "2026-07-28"
  wrk.headers["mcp-method"] = "tools/call"
  wrk.headers["mcp-name"] = tool
  wrk.body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"' .. tool
    .. '","arguments":{"species":"penguin"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",'
    .. '"io.modelcontextprotocol/clientCapabilities":{},'
    .. '"io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"}}}}'
end
