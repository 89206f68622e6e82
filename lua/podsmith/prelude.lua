--- Globals that every script has: try, the modules by their short names, and a print that redacts secrets.
--- Loaded once, before the script.

local core = require("podsmith.core")
local errors = require("podsmith.errors")

try = errors.try
log = require("podsmith.log")
task = require("podsmith.task")
fs = require("podsmith.fs")
http = require("podsmith.http")
yaml = require("podsmith.yaml")
ssh = require("podsmith.ssh")
gpu = require("podsmith.gpu")
config = require("podsmith.config")
hf = require("podsmith.hf")
runpod = require("podsmith.runpod")
recipe = require("podsmith.recipe").declare
help = require("podsmith.help").help

secret.env = core.secret_env

--- Prints its arguments, readable tables included, with the values of living secrets replaced by ***.
---@param ... any
function print(...)
  local parts = table.pack(...)
  for i = 1, parts.n do
    local value = parts[i]
    parts[i] = type(value) == "string" and value or require("podsmith.show").brief(value)
  end
  io.stdout:write(core.redact(table.concat(parts, "\t")), "\n")
end

return true
