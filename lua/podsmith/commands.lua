--- The commands: each a name, a summary, parameters declared once, and a function. One a file, in commands/.

local recipes = require("podsmith.recipe")
local shared = require("podsmith.commands.shared")

local show = require("podsmith.show")

local gpus = {
  name = "gpus", summary = "the GPU catalogue with prices and stock, in the order podsmith would try",
  params = {
    { "vram", "integer", min = 0, help = "GB of memory each GPU must have" },
    { "count", "integer", default = 1, min = 1, help = "GPUs in one pod" },
    { "cloud", "choice", choices = { "SECURE", "COMMUNITY", "ALL" }, default = "SECURE", help = "Runpod's cloud" },
    { "filter", "string", help = "part of a GPU's name or id" },
    { "max-price", "number", min = 0, help = "USD per hour for all GPUs of the pod" },
    { "order", "choice", choices = { "priority", "cheapest", "value", "stock" }, default = "cheapest", help = "order" },
    shared.SIM, shared.ENV_FILE, shared.JSON, shared.VERBOSE,
  },
  run = function(args)
    local picked = gpu.pick {
      vram = args.vram, count = args.count, cloud = args.cloud, filter = args.filter, max_price = args.max_price, order = args.order,
    }
    if args.json then return shared.print_json(picked) end
    local rows = {}
    for i, candidate in ipairs(picked.candidates) do
      rows[i] = { candidate.id, ("%d GB"):format(candidate.memory), candidate.cloud:lower(),
        candidate.price and show.money(candidate.price) .. "/h" or "?", candidate.reason }
    end
    print(show.table({ "GPU", "MEMORY", "CLOUD", "PRICE", "WHY HERE" }, rows))
  end,
}

local repl = {
  name = "repl", summary = "the shell: Lua with pods as values, history, background tasks",
  params = { { "execute", "list", aliases = { "-e" }, help = "run this code instead of asking (may be given again)" },
    shared.SIM, shared.ENV_FILE, shared.VERBOSE },
  run = function(args) return require("podsmith.repl").run(args) end,
}

local recipes_command = {
  name = "recipes", summary = "the recipes that podsmith brings",
  params = {},
  run = function()
    for _, name in ipairs(recipes.names()) do
      local declaration = recipes.load(name)()
      print(("  %-14s %s"):format(name, declaration.summary))
    end
  end,
}

local spec = {
  name = "spec", operands = "PATH...", summary = "run Lua specs (files named *_spec.lua) in this program",
  params = { { "path", "list", positional = true, required = true, help = "files or folders" },
    { "virtual-time", "flag", help = "time jumps to the next timer instead of passing" }, shared.SIM, shared.ENV_FILE, shared.VERBOSE },
  run = function(args) return require("podsmith_spec").run(args.path) end,
}

local ending = require("podsmith.commands.ending")

return {
  require("podsmith.commands.run"),
  repl,
  require("podsmith.commands.ps"),
  gpus,
  require("podsmith.commands.runs"),
  require("podsmith.commands.reap"),
  require("podsmith.commands.exec"),
  require("podsmith.commands.logs"),
  ending.start,
  ending.stop,
  ending.terminate,
  recipes_command,
  spec,
}
