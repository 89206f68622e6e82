--- Work on a dataset's files on the thread pool, with progress events, and its end waited for whatever happens.

local core = require("podsmith.core")
local progress = require("podsmith.progress")

local M = {}

--- on_progress with a dataset's name in what it gets; nil of nil.
---@param on_progress? fun(p: podsmith.DatasetProgress)
---@param name string
---@param phase? string
function M.named(on_progress, name, phase)
  if not on_progress then return nil end
  return function(p)
    p.dataset, p.phase = name, phase or p.phase
    on_progress(p)
  end
end

--- Calls `f(work)`, where `work` is handed on to a native of the pool. When the task is cancelled meanwhile the native is
--- called off, and this returns when it has ended: nobody writes into a folder any more that is removed next. Waits.
---@param on_progress? fun(p: podsmith.DatasetProgress)
---@param f fun(work: userdata): ...
function M.run(on_progress, f)
  local work = core.dataset_work()
  local source = { get = function()
    local now = work:get()
    now.planned, now.files, now.files_total = now.bytes_total > 0, 0, 0
    return now
  end }
  local ending <close> = setmetatable({}, { __close = function()
    work:cancel()
    while work:get().running do core.sleep(0.01) end
  end })
  local reporting <close> = progress.reporting(source, on_progress)
  local _, _ = ending, reporting
  return f(work)
end

--- Makes a folder for what is not finished: `local folder <close> = work.folder(...)`, its path in `folder.path`. It goes with
--- its scope; what processes of this machine that were killed have left in `parent` goes now.
---@param parent string
---@param prefix string of its name
---@return {path: string}
function M.folder(parent, prefix)
  local machine = core.fs_read("/proc/sys/kernel/hostname"):gsub("[^%w]", "")
  local begin = prefix .. machine .. "-"
  core.fs_mkdir(parent)
  for _, name in ipairs(core.fs_list(parent)) do
    local pid = name:sub(1, #begin) == begin and name:match("^(%d+)%-", #begin + 1)
    if pid and not core.fs_stat("/proc/" .. pid) then core.fs_remove(parent .. "/" .. name) end
  end
  local pid = core.fs_real("/proc/self"):match("[^/]+$")
  local path = ("%s/%s%s-%s"):format(parent, begin, pid, core.random_tag(8))
  core.fs_mkdir(path)
  return setmetatable({ path = path }, { __close = function() core.fs_remove(path) end })
end

return M
