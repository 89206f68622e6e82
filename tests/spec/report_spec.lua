--- Reports of a run's events: what Discord and a webhook get, in which order, and what a receiver can do to a run.

local http = require("podsmith.http")
local report = require("podsmith.report")

local function item(fields)
  fields.project = fields.project or "Thinnka Podsmith"
  fields.repo_id = fields.repo_id or "unsloth/gemma-2b"
  return fields
end

describe("a Discord message", function()
  it("has project, model, event and message", function()
    local text = report.discord(item { event = "start", message = "Starting run." }).content
    expect(text):equals("[Thinnka Podsmith | unsloth/gemma-2b] start: Starting run.")
    expect(#text):equals(58)
  end)

  it("leaves out what there is not", function()
    expect(report.discord({ event = "done" }).content):equals("done")
    expect(report.discord({ event = "done", repo_id = "a/b" }).content):equals("[a/b] done")
    expect(report.discord({ event = "remote_error", stage = "train", project = "p" }).content):equals("[p] remote_error (train)")
  end)

  it("is cut to 2,000 characters", function()
    local text = report.discord(item { event = "start", message = ("x"):rep(3000) }).content
    expect(#text):equals(2000)
    expect(text:sub(-4)):equals("x...")
  end)

  it("counts characters as Discord does, and cuts none in two", function()
    local text = report.discord(item { event = "start", message = ("😀"):rep(1500) }).content
    local count = 0
    for _, code in utf8.codes(text) do count = count + (code > 0xFFFF and 2 or 1) end
    expect(count <= 2000 and count >= 1999):is_true()
    expect(text:sub(-3)):equals("...")
  end)

  it("puts a tail in a code block that a tail cannot end", function()
    local text = report.discord(item { event = "remote_error", stage = "train", tail = "a\n```\nb" }).content
    expect(text):equals("[Thinnka Podsmith | unsloth/gemma-2b] remote_error (train)\n```\na\n'''\nb\n```")
  end)

  it("with a long tail is exactly 2,000 characters and ends with the block", function()
    local text = report.discord(item { event = "remote_error", stage = "train", tail = ("y"):rep(5000) }).content
    expect(#text):equals(2000)
    expect(text:sub(-7)):equals("...\n```")
  end)

  it("calls nobody", function()
    expect(json.encode(report.discord(item { event = "start", message = "@everyone" }).allowed_mentions)):equals('{"parse":[]}')
  end)
end)

-- A receiver in place of the network: `answer(number, body)` gives a status, or an error to raise.
local function receiver(answer)
  local got = {}
  local original = http.request
  http.request = function(options)
    local status = answer(#got + 1, options.json)
    if type(status) == "table" then error(status, 0) end
    got[#got + 1] = { at = task.now(), status = status, body = options.json, url = options.url }
    return { status = status, headers = {}, body = "" }
  end
  return got, setmetatable({}, { __close = function() http.request = original end })
end

local function taken(got)
  local events = {}
  for _, each in ipairs(got) do if each.status == 200 then events[#events + 1] = each.body.event end end
  return table.concat(events, " ")
end

local function started(options)
  local scope = task.scope()
  local run = { id = "abc12345", background = function(_, fn, ...) return scope:spawn(fn, ...) end }
  return report.start(run, options or { progress_url = secret.new("http://x.test/hook", "URL"), repo_id = "a/b" }), scope
end

describe("a report", function()
  it("is none when nobody is to be told", function()
    expect((started {})):is_nil()
  end)

  it("sends each event in order with its fields", function()
    local got, guard <close> = receiver(function() return 200 end)
    local reporter, scope <close> = started()
    reporter:send("start", { gpus = 2 }, "beginning")
    reporter:send("remote_error", { stage = "train", tail = "boom", code = 1 })
    reporter:close()
    expect(taken(got)):equals("start remote_error")
    local body = got[2].body
    expect({ body.project, body.repo_id, body.stage, body.tail, body.message, body.data.code, body.run }):equals {
      "podsmith", "a/b", "train", "boom", "code 1", 1, "abc12345" }
    expect(math.type(body.timestamp)):equals("float")
    local _ = { guard, scope }
  end)

  it("sends an event again, before those behind it, when the receiver is down", function()
    local tries = 0
    local got, guard <close> = receiver(function()
      tries = tries + 1
      return tries <= 3 and require("podsmith.errors").new("network", "connection refused") or 200
    end)
    local reporter, scope <close> = started()
    reporter:send("one", {})
    task.sleep(0.1)
    for _, name in ipairs { "two", "three" } do reporter:send(name, {}) end
    reporter:close()
    expect(taken(got)):equals("one two three")
    local _ = { guard, scope }
  end)

  it("keeps the newest progress only, and not more than one a second", function()
    local got, guard <close> = receiver(function() return 200 end)
    local reporter, scope <close> = started()
    for step = 1, 30 do
      reporter:send("training_progress", { stage = "train", step = step })
      task.sleep(0.1)
    end
    reporter:send("train_done", {})
    reporter:close()
    expect(#got < 8):is_true()
    expect(got[#got].body.event):equals("train_done")
    expect(got[#got - 1].body.data.step):equals(30)
    for i = 2, #got - 2 do expect(got[i].at - got[i - 1].at >= 0.999):is_true() end
    local _ = { guard, scope }
  end)

  it("stops for a receiver that is gone, and never fails the run", function()
    local got, guard <close> = receiver(function() return 404 end)
    local reporter, scope <close> = started()
    for i = 1, 5 do reporter:send("event" .. i, {}) end
    reporter:close()
    expect(#got):equals(1)
    local _ = { guard, scope }
  end)

  it("leaves out an event that the receiver refuses", function()
    local got, guard <close> = receiver(function(number) return number == 1 and 400 or 200 end)
    local reporter, scope <close> = started()
    for _, name in ipairs { "one", "two" } do reporter:send(name, {}) end
    reporter:close()
    expect(taken(got)):equals("two")
    local _ = { guard, scope }
  end)

  it("gives a receiver that never answers a limited time at the end", function()
    local _, guard <close> = receiver(function() task.sleep(3600) return 200 end)
    local reporter, scope <close> = started()
    local begun = task.now()
    reporter:send("one", {})
    reporter:close()
    expect(task.now() - begun < 30):is_true()
    local _ = { guard, scope }
  end)

  it("gives a receiver that is slow, but takes what comes, more of it", function()
    local got, guard <close> = receiver(function() task.sleep(9) return 200 end)
    local reporter, scope <close> = started()
    for i = 1, 12 do reporter:send("event" .. i, {}) end
    reporter:close()
    expect(#got):equals(12)
    local _ = { guard, scope }
  end)

  it("holds no secret", function()
    local token = secret.new("hf_veryverysecret", "HF_TOKEN")
    local got, guard <close> = receiver(function() return 200 end)
    local reporter, scope <close> = started()
    reporter:send("error", { tail = "token hf_veryverysecret", note = "hf_veryverysecret" }, "hf_veryverysecret is wrong")
    reporter:close()
    expect(json.encode(got[1].body):find("veryverysecret")):is_nil()
    local _ = { guard, scope, token }
  end)
end)
