--- A run that goes on: its parameters, what it has cost, what its log has.

local adopt = require("podsmith.adopt")
local params = require("podsmith.params")
local recipes = require("podsmith.recipe")

local demo = recipes.declare {
  name = "demo", summary = "For this test.", is_resumable = true,
  params = { { "steps", "integer", default = 3, help = "x" }, { "word", "string", help = "x" }, { "fast", "flag", help = "x" } },
  run = function() end,
}

local function resumed(row, ...)
  local args, given = params.parse(demo:all_params(), { ... }, "run demo")
  return demo:resumed(args, given, row), given
end

describe("a run that goes on", function()
  local row = { id = "abcd1234", recipe = "demo", params = { steps = 9, word = "old", fast = true, budget = 5, json = true,
    dry_run = true, _given = { "steps" } } }

  it("has the parameters that it was begun with, and those given now in their place", function()
    local args, given = resumed(row, "--word", "new", "--resume", "abcd1234")
    expect(args.steps):equals(9)
    expect(args.word):equals("new")
    expect(args.fast):equals(true)
    expect(args.budget):equals(5)
    expect(given.steps):equals(true)
    expect(args._now):equals { word = true }
  end)

  it("takes over nothing that belonged to the command", function()
    local args = resumed(row)
    expect(args.json):is_false()
    expect(args.dry_run):is_false()
    expect(args.resume):is_nil()
  end)

  it("is of the same recipe", function()
    local err = expect(function() resumed { id = "abcd1234", recipe = "other", params = {} } end):raises("was other, not demo", "invalid")
    expect(err.hint):contains("podsmith run other --resume abcd1234")
  end)

  it("counts what its earlier pods have cost, to their end or to when the run was last heard of", function()
    expect(adopt.cost_of({ price = 2, created_at = 1000, ended_at = 2800 }, 9000)):equals(1.0)
    expect(adopt.cost_of({ price = 2, created_at = 1000 }, 4600)):equals(2.0)
    expect(adopt.cost_of({ price = 2, created_at = 1000 }, 500)):equals(0.0)
    expect(adopt.cost_of({ created_at = 1000 }, 4600)):equals(0.0)
  end)

  it("is offered by recipes that can go on only", function()
    local function has_flag(recipe)
      for _, row_of in ipairs(recipe:all_params()) do if row_of[1] == "resume" then return true end end
      return false
    end
    expect(has_flag(demo)):is_true()
    expect(has_flag(recipes.declare { name = "x", summary = "x", run = function() end })):is_false()
  end)
end)
