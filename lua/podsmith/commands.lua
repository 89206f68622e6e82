--- The commands: each a name, a summary, parameters declared once, and a function; or `verbs`, which are commands of their
--- own, the first of them meant where none is named. One a file, in commands/.

local recipes = require("podsmith.recipe")
local shared = require("podsmith.commands.shared")

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
local transfers = require("podsmith.commands.transfers")

return {
  require("podsmith.commands.run"),
  repl,
  require("podsmith.commands.ps"),
  require("podsmith.commands.gpus"),
  require("podsmith.commands.estimate"),
  require("podsmith.commands.runs"),
  require("podsmith.commands.money"),
  require("podsmith.commands.volumes"),
  require("podsmith.commands.templates"),
  require("podsmith.commands.reap"),
  require("podsmith.commands.exec"),
  require("podsmith.commands.ssh"),
  require("podsmith.commands.ssh_config"),
  require("podsmith.commands.tunnel"),
  require("podsmith.commands.logs"),
  transfers.push,
  transfers.pull,
  require("podsmith.commands.hub"),
  require("podsmith.commands.dataset"),
  ending.start,
  ending.stop,
  ending.terminate,
  recipes_command,
  require("podsmith.commands.image"),
  require("podsmith.commands.api"),
  spec,
}
