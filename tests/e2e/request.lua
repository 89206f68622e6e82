-- One HTTP request for the shell: podsmith run request.lua METHOD URL [BODY]. Prints the body of the answer.

local method, url, body = ...
local answer = http.request { method = method, url = url, body = body ~= "" and body or nil }
if answer.status // 100 ~= 2 then
  io.stderr:write(("%s %s: HTTP %d %s\n"):format(method, url, answer.status, answer.body))
  os.exit(1)
end
io.write(answer.body)
