--- describe, it, expect: specs that run in the host itself, each `it` a task.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local show = require("podsmith.show")

local M = {}

local suites, passed, failed = {}, 0, 0

local function same(a, b)
  if a == b then return math.type(a) == math.type(b) end
  if type(a) ~= "table" or type(b) ~= "table" then return false end
  for key, value in pairs(a) do if not same(value, b[key]) then return false end end
  for key in pairs(b) do if a[key] == nil then return false end end
  return true
end

local function fail(format, ...) error(errors.new("script", format:format(...)), 0) end

local Expect = {}

--- Deep equality; 1 and 1.0 differ.
function Expect:equals(wanted)
  if not same(self.value, wanted) then fail("expected %s\n     got %s", show.brief(wanted), show.brief(self.value)) end
end
function Expect:is_true() if self.value ~= true then fail("expected true, got %s", show.brief(self.value)) end end
function Expect:is_false() if self.value ~= false then fail("expected false, got %s", show.brief(self.value)) end end
function Expect:is_nil() if self.value ~= nil then fail("expected nil, got %s", show.brief(self.value)) end end
function Expect:matches(pattern)
  if not tostring(self.value):find(pattern) then fail("expected a match of %q\n     got %s", pattern, tostring(self.value)) end
end
function Expect:contains(text)
  if not tostring(self.value):find(text, 1, true) then fail("expected to contain %q\n     got %s", text, tostring(self.value)) end
end
--- The value is a function that raises; gives the error object. `pattern` must match its message, `kind` its kind.
function Expect:raises(pattern, kind)
  local ok, err = pcall(self.value)
  if ok then fail("expected an error, and none was raised") end
  err = errors.from(err)
  if pattern and not err.message:find(pattern) then fail("expected an error matching %q\n     got %s", pattern, err.message) end
  if kind and err.kind ~= kind then fail("expected an error of kind %s\n     got %s: %s", kind, err.kind, err.message) end
  return err
end

--- expect(value).equals(wanted); expect(fn).raises(pattern, kind). A colon works as well as the dot.
function _G.expect(value)
  local self = { value = value }
  return setmetatable(self, { __index = function(_, name)
    local check = Expect[name]
    if name == "value" then return nil end -- expect(nil)
    if not check then error("expect has no check '" .. tostring(name) .. "'", 2) end
    return function(first, ...)
      if rawequal(first, self) then return check(self, ...) end
      return check(self, first, ...)
    end
  end })
end

function _G.describe(name, body)
  suites[#suites + 1] = name
  body()
  suites[#suites] = nil
end

function _G.it(name, body)
  local title = table.concat(suites, " ") .. " " .. name
  local child = core.spawn(title, require("podsmith.task").body, body)
  local ok, err = core.join(child)
  if ok then
    passed = passed + 1
    return
  end
  failed = failed + 1
  err = errors.from(err)
  print(("FAILED %s\n     %s\n%s"):format(title, tostring(err), err.traceback or ""))
end

local function spec_files(path, found)
  local info = core.fs_stat(path)
  if not info then errors.raise("not_found", "no such file or folder: " .. path, nil, { usage = true }) end
  if not info.is_dir then
    found[#found + 1] = path
    return found
  end
  for _, name in ipairs(core.fs_list(path)) do
    local full = path .. "/" .. name
    if core.fs_stat(full).is_dir then
      spec_files(full, found)
    elseif name:match("_spec%.lua$") then
      found[#found + 1] = full
    end
  end
  return found
end

--- Runs all specs of the paths; gives the exit code.
---@param paths string[]
---@return integer
function M.run(paths)
  for _, path in ipairs(paths) do
    for _, file in ipairs(spec_files(path, {})) do
      local chunk, problem = load(core.fs_read(file), "@" .. file, "t")
      if not chunk then
        failed = failed + 1
        print("FAILED " .. problem)
      else
        chunk()
      end
    end
  end
  print(("%d passed, %d failed"):format(passed, failed))
  if passed == 0 and failed == 0 then return 1 end
  return failed == 0 and 0 or 1
end

return M
