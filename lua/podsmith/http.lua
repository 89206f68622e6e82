--- HTTP for scripts: pooled connections, retries for what may be repeated, deadlines. All calls wait.

local core = require("podsmith.core")
local errors = require("podsmith.errors")

local M = {}

local OPTIONS = { "url", "method", "headers", "body", "json", "bearer", "body_file", "timeout", "connect_timeout",
  "idle_timeout", "idempotent", "attempts", "deadline", "max_body", "max_redirects" }

---@class podsmith.HttpRequest
---@field url string|podsmith.Secret a secret where the address itself is a credential
---@field method? string default GET
---@field headers? table<string, string>
---@field body? string
---@field json? any sent as the body; may hold secrets
---@field bearer? podsmith.Secret goes to the URL's own host and to no other
---@field body_file? string streams the body from this file
---@field timeout? number seconds for one attempt, default 60
---@field idempotent? boolean may be sent again after an unclear failure; default for GET, HEAD, PUT, DELETE
---@field attempts? integer default 5
---@field deadline? number seconds over all attempts, default 120

--- Sends a request and gives the answer, whatever its status. Raises network, timeout, protocol, rate_limited.
---@param options podsmith.HttpRequest
---@return {status: integer, headers: table<string,string>, body: string, url: string}
function M.request(options)
  return core.http_request(errors.check_options(options, OPTIONS, "http.request"))
end

--- Opens a streamed answer: `stream:read()` gives the next piece or nil at the end; `stream:close()`.
---@param options table as for request
---@return userdata stream, {status: integer, headers: table<string,string>} head
function M.open(options)
  return core.http_open(errors.check_options(options, OPTIONS, "http.open"))
end

--- GETs JSON and gives it as a table; raises `remote` on any status but 2xx.
---@param url string
---@param options? table as for request
---@return any
function M.json(url, options)
  local request = { url = url }
  for name, value in pairs(options or {}) do request[name] = value end
  local answer = M.request(request)
  if answer.status // 100 ~= 2 then
    errors.raise("remote", ("GET %s: HTTP %d"):format(url:gsub("?.*", ""), answer.status), nil,
      { status = answer.status })
  end
  return json.decode(answer.body)
end

return M
