--- The simulator of --sim: a child process that lives as long as the command.

local core = require("podsmith.core")
local errors = require("podsmith.errors")

local M = {}

-- What people set to steer a simulation goes on to it: PODSMITH_SIM="--boot 3 --stock 'NVIDIA L40S=0'".
local function extra_arguments()
  local list = {}
  local rest = (core.env("PODSMITH_SIM") or "")
  while rest:match("%S") do
    local word, after = rest:match("^%s*'([^']*)'(.*)$")
    if not word then word, after = rest:match("^%s*(%S+)(.*)$") end
    list[#list + 1] = word
    rest = after
  end
  return list
end

local is_started = false

--- Some models of the simulated Hub (sim/README.md has them all), as a text; nil when this command has no simulator.
---@return string?
function M.models() return is_started and "unsloth/gemma-2b, unsloth/gemma-2b-it, acme/tiny and acme/llama-70b" or nil end

--- Starts the simulator and points this process at it: its addresses and keys, and at a state folder for simulations. Waits.
---@return {close: fun()} handle; closing it ends the simulator and every pod in it
function M.start()
  local file = ("%s/podsmith-sim-%s.env"):format(core.env("TMPDIR") or "/tmp", core.random_tag(12))
  local argv = { core.self(), "sim", "--env-file", file, "--parent-fd", "0" }
  for _, word in ipairs(extra_arguments()) do argv[#argv + 1] = word end
  local child = core.child_start(argv)
  repeat
    local output = child:read()
    if not output then
      local code = child:wait()
      errors.raise("io", ("the simulator did not start (exit code %d)"):format(code), "its message stands above")
    end
  until core.fs_stat(file)
  core.load_env(file)
  is_started = true
  core.fs_remove(file)
  core.set_env("RUNPOD_GRAPHQL_URL", "") -- a simulation never talks to the real service
  core.set_env("PODSMITH_STATE", core.state_dir() .. "/sim") -- simulated pods do not mix with real ones
  local drain = core.spawn("simulator output", function()
    while child:read() do end -- a full pipe would stop it
  end)
  return {
    close = function()
      core.cancel(drain)
      child:stop()
      child:wait()
    end,
  }
end

return M
