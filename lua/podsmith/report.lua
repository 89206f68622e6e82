--- Reports a run's events to others: a webhook that takes JSON, and Discord. A report never delays or fails a run: events
--- wait in a queue, are sent in order, again after a failure, and what is left when the run ends gets a limited time.
--- The addresses are secrets: whoever knows one can write there.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local http = require("podsmith.http")
local task = require("podsmith.task")

local M = {}

--- Flags of every recipe.
M.PARAMS = {
  { "progress-url", "secret", help = "POST the run's events as JSON to this address (better: PROGRESS_WEBHOOK_URL)" },
  { "discord-webhook-url", "secret", aliases = { "--discord-webhook" },
    help = "send the run's events to this Discord webhook (better: DISCORD_WEBHOOK_URL)" },
}

local MOST_WAITING = 1000
-- When the run ends, what is left is sent for as long as the receiver goes on taking events, but not for ever.
local SILENCE, FAREWELL = 20, 180 -- seconds without one that it took; seconds in all
local DISCORD_LIMIT = 2000

-- ---- what is sent -------------------------------------------------------------------------------------------------

-- Discord counts as JavaScript does: a character beyond U+FFFF is two.
local function units(text)
  local count = 0
  for _, code in utf8.codes(text, true) do count = count + (code > 0xFFFF and 2 or 1) end
  return count
end

--- The text, cut to `limit` characters, the last three of them "..." where it was longer. Pure.
---@param text string valid UTF-8
---@param limit integer
---@return string
function M.cut(text, limit)
  if units(text) <= limit then return text end
  local used = 0
  for at, code in utf8.codes(text, true) do
    local size = code > 0xFFFF and 2 or 1
    if used + size > limit - 3 then return text:sub(1, at - 1) .. "..." end
    used = used + size
  end
  return text
end

local function header(item)
  local names = {}
  if item.project then names[#names + 1] = item.project end
  if item.repo_id then names[#names + 1] = item.repo_id end
  local text = (#names > 0 and "[" .. table.concat(names, " | ") .. "] " or "") .. item.event
  if item.stage then text = text .. " (" .. item.stage .. ")" end
  if item.message and item.message ~= "" then text = text .. ": " .. item.message end
  return text
end

--- An event as Discord takes it: at most 2,000 characters, a tail in a code block. Pure.
---@param item {event: string, project?: string, repo_id?: string, message?: string, stage?: string, tail?: string}
---@return table body
function M.discord(item)
  local text = M.cut(header(item), DISCORD_LIMIT)
  if item.tail and item.tail ~= "" then
    local open, close = "\n```\n", "\n```"
    local room = DISCORD_LIMIT - units(text) - #open - #close
    if room > 3 then text = text .. open .. M.cut(item.tail:gsub("```", "'''"), room) .. close end
  end
  return { content = text, allowed_mentions = { parse = json.array {} } } -- a log line must not call a whole server
end

--- An event as the JSON webhook takes it. Pure.
---@param item table as for discord, with timestamp (seconds since 1970), run and data
---@return table body
function M.webhook(item)
  return { project = item.project, repo_id = item.repo_id, event = item.event, timestamp = item.timestamp,
    message = item.message, stage = item.stage, tail = item.tail, run = item.run, data = item.data }
end

-- ---- sending ------------------------------------------------------------------------------------------------------

-- Events that come again and again: a newer one takes the place of one that still waits.
local PROGRESS = { training_progress = true, job_usage = true }

local function replaces(item, last)
  return PROGRESS[item.event] and last and last.event == item.event and last.stage == item.stage
end

local function put(sink, item)
  if sink.dead or (sink.is_chat and item.event == "job_usage") then return end -- figures for a chart, each minute
  if replaces(item, sink.items[#sink.items]) then
    sink.items[#sink.items] = item
  else
    sink.items[#sink.items + 1] = item
  end
  if #sink.items > MOST_WAITING then
    table.remove(sink.items, 1)
    sink.dropped = sink.dropped + 1
  end
  if sink.waiter then core.wake(sink.waiter) end
end

-- Waits for something to send, and lets progress come no more often than the receiver likes it.
local function next_item(sink)
  while #sink.items == 0 do
    if sink.closing then return nil end
    sink.waiter = core.current()
    core.park()
    sink.waiter = nil
  end
  local wait = PROGRESS[sink.items[1].event] and sink.progress_at + sink.interval - core.now() or 0
  if wait > 0 and not sink.closing and #sink.items == 1 then
    task.race { function() task.sleep(wait) end, function()
      sink.waiter = core.current()
      while #sink.items < 2 and not sink.closing do core.park() end
    end }
    sink.waiter = nil
  end
  return table.remove(sink.items, 1)
end

-- Gives why the receiver will never take this event; false when it may later.
local function refusal(answer)
  if answer.status == 401 or answer.status == 403 or answer.status == 404 or answer.status == 410 then return "receiver" end
  return answer.status // 100 == 4 and answer.status ~= 408 and answer.status ~= 429 and "event"
end

local function deliver(sink, item)
  local answer, err = errors.try(http.request, { url = sink.url, method = "POST", json = sink.body(item), timeout = 10,
    deadline = 60, attempts = 4, idempotent = true, max_redirects = 0, max_body = 65536 })
  if answer and answer.status // 100 == 2 then return true end
  local problem = answer and "HTTP " .. answer.status or err.message
  local refused = answer and refusal(answer)
  if not sink.said then core.log("warn", ("%s: event %s: %s%s"):format(sink.name, item.event, problem,
    refused == "receiver" and "; no more events are sent there" or refused and "; it is left out" or "; tried again")) end
  sink.said = true
  if refused == "receiver" then
    sink.dead = true
    sink.items = {}
  end
  return refused and true or false
end

local function pump(sink)
  local failures = 0
  for item in next_item, sink do
    sink.sending = item
    local settled = deliver(sink, item)
    sink.sending = nil
    if settled then
      failures = 0
      sink.settled_at = core.now()
      if PROGRESS[item.event] then sink.progress_at = core.now() end
    elseif not sink.dead then
      table.insert(sink.items, 1, item)
      failures = failures + 1
      task.sleep(math.min(60, 2 ^ math.min(failures, 6)))
    end
  end
end

---@class podsmith.Report
local Report = {}
Report.__index = Report

local function sink(run, name, url, body, interval)
  local self = { name = name, url = url, body = body, interval = interval, items = {}, dropped = 0, progress_at = -math.huge,
    settled_at = -math.huge }
  self.task = run:background(pump, self)
  return self
end

--- Starts the report of a run; nil when nobody is to be told. The tasks that send are the run's own.
---@param run podsmith.Run
---@param options {progress_url?: podsmith.Secret, discord_webhook_url?: podsmith.Secret, project?: string, repo_id?: string}
---  what is left out comes from PROGRESS_WEBHOOK_URL and DISCORD_WEBHOOK_URL
---@return podsmith.Report?
function M.start(run, options)
  local webhook = options.progress_url or core.secret_env("PROGRESS_WEBHOOK_URL")
  local discord = options.discord_webhook_url or core.secret_env("DISCORD_WEBHOOK_URL")
  if not webhook and not discord then return nil end
  local self = setmetatable({ run = run.id, project = options.project or "podsmith", repo_id = options.repo_id, sinks = {} }, Report)
  if webhook then table.insert(self.sinks, sink(run, "webhook", webhook, M.webhook, 1)) end
  -- Discord takes 30 messages a minute from a webhook.
  if discord then
    table.insert(self.sinks, sink(run, "Discord", discord, M.discord, 2.5))
    self.sinks[#self.sinks].is_chat = true
  end
  return self
end

-- A message for an event that has none: its numbers, by name.
local function numbers(fields)
  local words = {}
  for name, value in pairs(fields) do
    if type(value) == "number" then words[#words + 1] = ("%s %.6g"):format(name, value) end
  end
  table.sort(words)
  return #words > 0 and table.concat(words, ", ") or nil
end

--- Queues an event. Does not wait and does not fail.
---@param event string
---@param fields table its stage and tail go by their names; all of them as `data`
---@param message? string
function Report:send(event, fields, message)
  local data = {}
  for name, value in pairs(fields) do
    if name ~= "stage" and name ~= "tail" and name ~= "message" then data[name] = value end
  end
  message = message or fields.message or numbers(data)
  local item = { event = event, project = self.project, repo_id = self.repo_id, timestamp = core.utc(), run = self.run,
    message = message and core.redact(message), stage = fields.stage, tail = fields.tail and core.redact(fields.tail),
    data = next(data) and json.decode(core.redact(json.encode(data))) or nil }
  for _, each in ipairs(self.sinks) do put(each, item) end
end

-- Waits for the end of a sink's task while the receiver takes events.
local function see_off(each)
  local begun = core.now()
  local ends = begun + FAREWELL
  while each.task:status() == "running" do
    local patience = math.min(ends, math.max(begun, each.settled_at) + SILENCE) - core.now()
    if patience <= 0 then return end
    errors.try(task.with_timeout, patience, function() each.task:wait() end)
  end
end

--- Waits until all is sent, for a limited time, and says what was not.
function Report:close()
  for _, each in ipairs(self.sinks) do
    each.closing = true
    if each.waiter then core.wake(each.waiter) end
  end
  task.map(self.sinks, see_off)
  for _, each in ipairs(self.sinks) do
    local left = #each.items + each.dropped + (each.sending and 1 or 0)
    if left > 0 then core.log("warn", ("%s: %d event%s could not be sent"):format(each.name, left, left == 1 and "" or "s")) end
  end
end

return M
