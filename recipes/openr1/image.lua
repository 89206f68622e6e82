--- Open R1 training: the container image in which it is set up already.

local names = require("recipes.openr1.names")
local recipes = require("podsmith.recipe")
local scripts = require("recipes.openr1.scripts")
local software = require("recipes.openr1.software")

local M = {}

M.TAG = "podsmith-openr1"

--- The build context, by name: the Dockerfile and what it copies. The flags are those of the recipe, so that a run with the
--- same ones finds nothing left to install.
---@param args table
---@return table<string, string> files, string base the image it is made from
function M.files(args)
  local plan = { mode = "sft", hub_id = "image", transformers = software.transformers(args) }
  return {
    Dockerfile = recipes.file("openr1/image/Dockerfile"),
    ["entrypoint.sh"] = recipes.file("openr1/image/entrypoint.sh"),
    ["settings.sh"] = scripts.settings(plan, args, {}, "image"),
    ["setup.sh"] = recipes.file("openr1/pod/setup.sh"),
    ["common.sh"] = recipes.file("openr1/pod/common.sh"),
  }, args.image or names.IMAGE
end

return M
