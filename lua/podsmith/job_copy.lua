--- A local copy of a job's log that goes on where it ended, whoever is killed in the middle of a write.
---
--- Beside FILE lies FILE.at with one line: how many bytes of FILE are accounted for, which byte of the job's log comes next,
--- and the job's id. It is written, in place and at once, after the bytes; what FILE has beyond them is cut off when the copy
--- is opened again, and comes again from the pod. Sizes alone would not do: masked secrets and gaps change them.

local core = require("podsmith.core")
local errors = require("podsmith.errors")

local M = {}

---@class podsmith.LogCopy
---@field offset integer the byte of the job's log that comes next
local Copy = {}
Copy.__index = Copy
Copy.__name = "log copy"

local LINE = "%016d %016d %s\n"

local function size_of(path)
  local facts = core.fs_stat(path)
  return facts and facts.size or 0
end

-- What FILE.at says: bytes that are accounted for, the byte of the log that comes next, whose log; nil without it.
local function place(path)
  local text = errors.try(core.fs_read, path .. ".at") or ""
  local size, offset, id = text:match("^(%d+) (%d+) (%S+)\n")
  return math.tointeger(size), math.tointeger(offset), id
end

--- What a copy has for certain: what a crash has left behind that comes again.
---@param path string
---@return string text "" when there is none
function M.kept(path)
  local text = errors.try(core.fs_read, path) or ""
  local size = place(path)
  return size and size <= #text and text:sub(1, size) or text
end

-- Where the job's log goes on in the file, and from which byte of it.
local function begin(path, id)
  local size, offset, of = place(path)
  if not size then return size_of(path), 0 end
  if size <= size_of(path) then return size, of == id and offset or 0 end
  if of ~= id then return size_of(path), 0 end
  core.log("warn", ("%s is shorter than what was written to it; the log is copied again from its beginning"):format(path))
  return 0, 0
end

local function ends_in_a_line(path, size)
  local file = io.open(path, "rb")
  local guard <close> = file
  local _ = guard
  return file:seek("set", size - 1) and file:read(1) ~= "\n"
end

local function open_file(path, mode)
  local file, why = io.open(path, mode)
  if not file then errors.raise("io", ("write %s: %s"):format(path, (why:gsub("^.*: ", ""))), "is there such a folder, and room?") end
  return file
end

--- Opens the copy of a job's log. Another job's log in the same file is kept, and this one comes behind it. Raises conflict
--- when somebody else writes it, and io.
---@param path string
---@param id string the job's
---@return podsmith.LogCopy
function M.open(path, id)
  path = core.expand(path)
  open_file(path, "ab"):close()
  local lock = core.fs_lock(path .. ".at")
  if not lock then
    errors.raise("conflict", ("%s is being written by another podsmith"):format(path), "give this one another file or folder")
  end
  local size, offset = begin(path, id)
  core.fs_truncate(path, size)
  local copy = setmetatable({ path = path, lock = lock, id = id, size = size, offset = offset, file = open_file(path, "ab"),
    at = open_file(path .. ".at", "r+b") }, Copy)
  if size > 0 and offset == 0 and ends_in_a_line(path, size) then copy:add("\n", 0) else copy:record() end
  return copy
end

--- Writes down how far the copy is.
function Copy:record()
  return self.at:seek("set", 0) and self.at:write(LINE:format(self.size, self.offset, self.id)) and self.at:flush()
end

-- The log is on the pod still: a full disk here must not end the work that it tells of.
local function give_up(copy)
  core.log("warn", ("%s cannot be written (disk full?); the job goes on, its log is on the pod"):format(copy.path))
  copy:close()
end

--- Adds text (secrets that podsmith knows are masked) that ends before byte `offset` of the job's log. Whole lines at a time: a
--- secret that two pieces share would pass the mask.
---@param text string
---@param offset integer
function Copy:add(text, offset)
  if not self.file then return end
  text = core.redact(text)
  self.size, self.offset = self.size + #text, offset
  if not (self.file:write(text) and self.file:flush() and self:record()) then give_up(self) end
end

function Copy:close()
  if not self.file then return end
  self.file:close()
  self.at:close()
  self.lock:release()
  self.file = nil
end

return M
