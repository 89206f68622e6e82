--- Open R1 training: what the trainer's log lines say about progress. Pure: the caller gives the time.

local M = {}

---@class openr1.Progress
---@field step integer steps that have been logged, or what the progress bar says
---@field total? integer steps in all
---@field last? table<string, number> numbers of the last logged step
---@field final? table<string, number> numbers of the closing line
local Progress = {}
Progress.__index = Progress
Progress.__name = "progress"

--- At most one report in `interval` seconds.
---@param interval? number default 1
---@return openr1.Progress
function M.new(interval)
  return setmetatable({ step = 0, logged = 0, interval = interval or 1, reported = -math.huge }, Progress)
end

--- The numbers of a line like {'loss': 0.01, 'reward': 0.5}; nil when the line is none. What is no number is left out.
---@param line string
---@return table<string, number>?
function M.metrics(line)
  local body = line:match("{('[%w_]+':.*)}")
  if not body then return nil end
  local numbers
  for name, value in body:gmatch("'([%w_/.-]+)': '?([%w.+-]+)") do
    local number = tonumber(value)
    if number then
      numbers = numbers or {}
      numbers[name] = number
    end
  end
  return numbers
end

--- The step of a checkpoint that the line says is being saved; nil when it says no such thing.
---@param line string
---@return integer?
function M.checkpoint(line)
  local step = line:match("Saving model checkpoint to .*checkpoint%-(%d+)")
  return math.tointeger(tonumber(step))
end

-- A bar that is drawn in place comes as one line with carriage returns; the last drawing counts.
local function bar_of(line)
  local step, total
  for a, b in line:gmatch("(%d+)/(%d+) %[") do step, total = a, b end
  return math.tointeger(tonumber(step)), math.tointeger(tonumber(total))
end

-- Tokens per second since the report before: the trainer counts the tokens from the beginning.
local function speed(self, tokens, now)
  local before = self.counted
  self.counted = tokens and { tokens = tokens, at = now } or nil
  if not tokens or not before or now <= before.at or tokens < before.tokens then return nil end
  return (tokens - before.tokens) / (now - before.at)
end

--- Takes a line of the trainer's log. Gives the fields of a progress report when one is due.
---@param line string
---@param now number seconds, on any clock that does not go back
---@return table<string, number>?
function Progress:take(line, now)
  local numbers = M.metrics(line)
  if not numbers then
    local planned = line:match("Total optimization steps = ([%d,]+)")
    if planned then self.total = math.tointeger(tonumber((planned:gsub(",", "")))) end
    local resumed = line:match("Continuing training from global step (%d+)")
    if resumed or line:find("***** Running training *****", 1, true) then
      self.logged = math.tointeger(tonumber(resumed or 0))
      self.step = self.logged
      self.counted = nil
    end
    local step, total = bar_of(line)
    -- Loading weights and mapping data sets draw bars too, before the first step.
    if step and self.logged > 0 then
      self.total = total
      self.step = math.max(self.step, step)
    end
    return nil
  end
  if numbers.train_runtime or numbers.train_loss then
    self.final = numbers
    return nil
  end
  if not numbers.loss then return nil end
  self.logged = self.logged + 1
  self.step = math.max(self.step, self.logged)
  self.last = numbers
  if now - self.reported < self.interval then return nil end
  self.reported = now
  local fields = { stage = "train", step = self.step, total = self.total }
  for name, value in pairs(numbers) do fields[name] = value end
  fields.tokens_per_second = speed(self, numbers.num_tokens, now)
  return fields
end

return M
