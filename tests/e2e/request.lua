-- One HTTP request for the shell: podsmith run request.lua METHOD URL [BODY]. Prints the body of the answer. The Hub is asked
-- with the token, if there is one.

local method, url, body = ...
local is_hub = url:sub(1, #hf.endpoint()) == hf.endpoint()
local answer = http.request { method = method, url = url, body = body ~= "" and body or nil, bearer = is_hub and hf.token() or nil }
if answer.status // 100 ~= 2 then
  io.stderr:write(("%s %s: HTTP %d %s\n"):format(method, url, answer.status, answer.body))
  os.exit(1)
end
io.write(answer.body)
