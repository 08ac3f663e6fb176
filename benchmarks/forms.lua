-- POST forms, one after another, and from the first again. Arguments: the Authorization header, a file with a form a line.
local forms, next_form = {}, 0

function init(arguments)
  local headers = { authorization = arguments[1], ["content-type"] = "application/x-www-form-urlencoded" }
  for form in io.lines(arguments[2]) do
    forms[#forms + 1] = wrk.format("POST", nil, headers, form)
  end
end

function request()
  next_form = next_form % #forms + 1
  return forms[next_form]
end
