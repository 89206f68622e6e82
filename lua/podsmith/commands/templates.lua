--- `podsmith templates`: what pods can be made from.

local core = require("podsmith.core")
local show = require("podsmith.show")
local shared = require("podsmith.commands.shared")

local function mounts_text(data)
  local mount = (data.mounts or {}).persistent
  return mount and ("%d GB at %s"):format(mount.size, mount.path) or ""
end

local function row_of(template)
  local data = template.data
  return { data.id, data.name, data.serverless and "serverless" or (data.category or ""):lower(), data.image or "",
    data.disk and ("%d GB"):format(data.disk) or "", mounts_text(data), table.concat(data.ports or {}, " ") }
end

local list = {
  name = "list", summary = "the account's templates, or those that others have published",
  params = {
    { "source", "choice", choices = { "own", "official", "verified", "community" }, default = "own", help = "whose" },
    { "filter", "string", help = "part of a name or image" },
    shared.SIM, shared.ENV_FILE, shared.JSON, shared.VERBOSE,
  },
  run = function(args)
    local all = args.source == "own" and runpod.templates.list() or runpod.catalog_templates { source = args.source }
    local part, found = args.filter and args.filter:lower(), {}
    for _, template in ipairs(all) do
      local text = (template.data.name .. " " .. (template.data.image or "")):lower()
      if not part or text:find(part, 1, true) then found[#found + 1] = template end
    end
    if args.json then
      for i, template in ipairs(found) do
        for name in pairs(template.data.env or {}) do template.data.env[name] = "***" end
        found[i] = template.data
      end
      return shared.print_json(json.array(found))
    end
    if #found == 0 then return print("no templates") end
    local rows = {}
    for i, template in ipairs(found) do rows[i] = row_of(template) end
    print(show.table({ "ID", "NAME", "FOR", "IMAGE", "DISK", "VOLUME", "PORTS" }, rows, { 7, 4, 2 }))
  end,
}

local delete = {
  name = "delete", operands = "TEMPLATE", summary = "delete a template of the account; pods made from it stay",
  params = { { "template", "string", positional = true, required = true, help = "its id or name" }, shared.YES, shared.SIM,
    shared.ENV_FILE, shared.VERBOSE },
  run = function(args)
    local template = shared.one_of(runpod.templates.list(), args.template, "template", "podsmith templates")
    if not args.yes and not shared.confirm(("delete %s"):format(tostring(template))) then
      core.log("warn", "nothing done: answer y, or add --yes")
      return 1
    end
    template:delete()
    print(("template %s deleted"):format(template.id))
  end,
}

return { name = "templates", operands = "[list|delete]", summary = "the account's and the published templates", verbs = { list, delete } }
