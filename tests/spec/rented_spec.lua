-- What has been rented tells of its end, and ends whatever becomes of the telling. No network.
local errors = require("podsmith.errors")
local rented = require("podsmith.rented")

-- A handle of a run whose events go into `told`.
local function pod(told, event)
  local run = { await_limit = function() end, keeps_pods = function() return false end }
  run.event = event or function(_, name, fields) told[#told + 1] = { name, fields.pod, fields.message } end
  return { noun = "pod", id = "p1", state = "created", price = 1.0, jobs = {}, run = run }
end

local function finish(item) item.state = "terminated" end
local function fail() errors.raise("remote", "HTTP 500") end
local WHY = errors.new("remote", "train ended with code 1")

describe("the end of a pod", function()
  it("after a failure is told as a clean-up, and in good order as nothing", function()
    local told = {}
    rented.close(pod(told), WHY, finish, finish)
    expect(told).equals { { "cleanup_start", "p1" } }
    rented.close(pod(told), nil, finish, finish)
    expect(#told).equals(1)
  end)

  it("that cannot be reached is told", function()
    local told = {}
    rented.close(pod(told), WHY, fail, finish)
    expect(told).equals { { "cleanup_start", "p1" }, { "cleanup_error", "p1", "HTTP 500" } }
  end)

  it("comes although its telling fails", function()
    local item = pod({}, function() error("no room for events") end)
    rented.close(item, WHY, finish, finish)
    expect(item.state).equals("terminated")
  end)
end)
