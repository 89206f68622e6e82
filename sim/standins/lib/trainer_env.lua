-- Stand-in: what the simulated trainer knows of its pod, and how it fails: as Python does.

local M = { script = "?" }

function M.say(format, ...)
  io.stdout:write(select("#", ...) > 0 and format:format(...) or format, "\n")
  io.stdout:flush()
end

-- ---- where things are -------------------------------------------------------------------------------------------------

local sim_env
function M.knob(name)
  local value = os.getenv(name)
  if value and value ~= "" then return value end
  if not sim_env then sim_env = fs.exists("/etc/podsmith-sim.env") and "\n" .. fs.read("/etc/podsmith-sim.env") or "" end
  return sim_env:match("\n" .. name .. "=([^\n]*)")
end

function M.hub_token()
  for _, name in ipairs { "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN" } do
    local value = os.getenv(name)
    if value and value ~= "" then return secret.new(value, name) end
  end
  local home = os.getenv("HF_HOME") or (os.getenv("HOME") or "/root") .. "/.cache/huggingface"
  local path = os.getenv("HF_TOKEN_PATH") or home .. "/token"
  if not fs.exists(path) then return nil end
  local text = fs.read(path):gsub("%s+", "")
  return text ~= "" and secret.new(text, path) or nil
end

-- ---- failing as Python does -------------------------------------------------------------------------------------------

function M.leave(code)
  io.stdout:flush()
  os.exit(code)
end

-- The trainer's last words, then the launcher's.
function M.die(message, code)
  io.stderr:write("[rank0]: Traceback (most recent call last):\n",
    ('[rank0]:   File "%s/%s", in <module>\n'):format(fs.cwd and fs.cwd() or ".", M.script),
    "[rank0]:     main(script_args, training_args, model_args)\n")
  for line in (message .. "\n"):gmatch("(.-)\n") do io.stderr:write("[rank0]: ", line, "\n") end
  io.stderr:write("E torch/distributed/elastic/multiprocessing/api.py:869] failed (exitcode: 1) local_rank: 0 of binary: python\n",
    "torch.distributed.elastic.multiprocessing.errors.ChildFailedError:\n", M.script, " FAILED\n")
  M.leave(code or 1)
end

function M.die_early(message, code)
  io.stderr:write("Traceback (most recent call last):\n", message, "\n")
  M.leave(code or 1)
end

return M
