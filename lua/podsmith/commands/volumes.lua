--- `podsmith volumes`: network volumes, and the files on them without any pod.

local core = require("podsmith.core")
local show = require("podsmith.show")
local shared = require("podsmith.commands.shared")
local spending = require("podsmith.spending")
local transfers = require("podsmith.commands.transfers")

local VOLUME = { "volume", "string", positional = true, required = true, help = "the volume's id or name" }

local function find(text) return shared.one_of(runpod.volumes.list(), text, "network volume", "podsmith volumes") end

local function month_text(data)
  local price = spending.volume_price(data)
  return price and show.money(price * 730) or "?"
end

-- Names of the pods that mount each volume, by the volume's id.
local function users()
  local names = {}
  for _, pod in ipairs(runpod.list()) do
    for _, mount in ipairs((pod.data.mounts or {}).network or {}) do
      names[mount.volumeId] = names[mount.volumeId] or {}
      table.insert(names[mount.volumeId], pod.name)
    end
  end
  return names
end

local list = {
  name = "list", summary = "the account's network volumes, what they cost and who mounts them",
  params = { shared.SIM, shared.ENV_FILE, shared.JSON, shared.VERBOSE },
  run = function(args)
    local volumes, mounted = runpod.volumes.list(), users()
    if args.json then
      for i, volume in ipairs(volumes) do
        volume.data.price, volume.data.pods = spending.volume_price(volume.data), json.array(mounted[volume.id] or {})
        volumes[i] = volume.data
      end
      return shared.print_json(json.array(volumes))
    end
    if #volumes == 0 then return print("no network volumes") end
    local rows = {}
    for i, volume in ipairs(volumes) do
      local data = volume.data
      rows[i] = { data.id, data.name, ("%d GB"):format(data.size), data.dataCenter, (data.type or ""):lower(),
        month_text(data), table.concat(mounted[data.id] or {}, ", ") }
    end
    print(show.table({ "ID", "NAME", "SIZE", "DATA CENTER", "TYPE", "A MONTH", "MOUNTED BY" }, rows, { 7, 2 }))
  end,
}

local create = {
  name = "create", operands = "NAME", summary = "make a network volume; it bills from now until it is deleted",
  params = {
    { "name", "string", positional = true, required = true, help = "its name" },
    { "size", "integer", required = true, min = 10, max = 4096, help = "GB; it can grow later, never shrink" },
    { "data-center", "string", required = true, help = "where; its pods run there only" },
    { "type", "choice", choices = { "STANDARD", "HIGH_PERFORMANCE" }, default = "STANDARD", help = "the tier" },
    shared.JSON, shared.SIM, shared.ENV_FILE, shared.VERBOSE,
  },
  run = function(args)
    local volume = runpod.volumes.create { name = args.name, size = args.size, data_center = args.data_center, type = args.type }
    if args.json then return shared.print_json(volume.data) end
    print(("%s, in %s; it costs %s a month until `podsmith volumes delete %s`"):format(tostring(volume),
      volume.data.dataCenter, month_text(volume.data), volume.id))
  end,
}

local delete = {
  name = "delete", operands = "VOLUME", summary = "delete a network volume with all its files; its billing ends",
  params = { VOLUME, shared.YES, shared.SIM, shared.ENV_FILE, shared.VERBOSE },
  run = function(args)
    local volume = find(args.volume)
    local loses = "all its files will be gone"
    if not args.yes and not shared.confirm(("delete %s: %s"):format(tostring(volume), loses)) then
      core.log("warn", ("nothing done: answer y, or add --yes (%s)"):format(loses))
      return 1
    end
    volume:delete()
    print(("network volume %s deleted"):format(volume.id))
  end,
}

-- ---- files ----------------------------------------------------------------------------------------------------------------

local WHERE = "on the volume, from its root (a pod's /workspace)"
local PATH = { "path", "string", positional = true, default = "", help = WHERE .. "; without it the root" }

local function time_text(seconds) return core.utc_text(seconds):sub(1, 16):gsub("T", " ") end

local ls = {
  name = "ls", operands = "VOLUME [PATH]", summary = "the files in a folder of a volume",
  params = { VOLUME, PATH, { "recursive", "flag", aliases = { "-r" }, help = "everything below" },
    shared.JSON, shared.SIM, shared.ENV_FILE, shared.VERBOSE },
  run = function(args)
    local entries = find(args.volume):ls(args.path, { recursive = args.recursive })
    if args.json then return shared.print_json(json.array(entries)) end
    local rows, files, bytes = {}, 0, 0
    for i, entry in ipairs(entries) do
      if not entry.is_folder then files, bytes = files + 1, bytes + entry.size end
      rows[i] = { entry.is_folder and "" or show.size(entry.size), entry.modified and time_text(entry.modified) or "", entry.path }
    end
    if #rows > 0 then print(show.table({ "SIZE", "CHANGED (UTC)", "PATH" }, rows, { 3 })) end
    print(("%d file%s, %s"):format(files, files == 1 and "" or "s", show.size(bytes)))
  end,
}

local du = {
  name = "du", operands = "VOLUME [PATH]", summary = "files and bytes of the folders on a volume",
  params = { VOLUME, PATH, { "depth", "integer", default = 1, min = 0, help = "levels of folders to tell apart" },
    shared.JSON, shared.SIM, shared.ENV_FILE, shared.VERBOSE },
  run = function(args)
    local sums = find(args.volume):usage(args.path, { depth = args.depth })
    if args.json then return shared.print_json(json.array(sums)) end
    local rows = {}
    for i, sum in ipairs(sums) do rows[i] = { show.size(sum.bytes), sum.files, sum.path == "" and "/" or sum.path } end
    print(show.table({ "SIZE", "FILES", "PATH" }, rows, { 3 }))
  end,
}

local function flags(...)
  local params = { VOLUME, ... }
  for _, param in ipairs(transfers.FLAGS) do
    if param[1] ~= "no-compress" then params[#params + 1] = param end -- over S3 everything goes as it is
  end
  return params
end

local function transfer(verb, work)
  return function(args)
    local volume = find(args.volume)
    local on_progress, clear = shared.progress_line()
    local tidy <close> = setmetatable({}, { __close = function() clear() end })
    local _ = tidy
    local summary = work(volume, args, transfers.options_from(args, on_progress))
    clear()
    transfers.print_summary(verb, args, summary)
  end
end

local LOCAL = { "local", "string", positional = true, required = true, help = "the local folder or file" }
local REMOTE = { "path", "string", positional = true, required = true, help = WHERE .. ": " .. transfers.NAMING }

local push = {
  name = "push", operands = "VOLUME LOCAL PATH", summary = "make a folder or file on a volume have what the local one has",
  params = flags(LOCAL, REMOTE),
  run = transfer("pushed", function(volume, args, options) return volume:push(args["local"], args.path, options) end),
}

local pull = {
  name = "pull", operands = "VOLUME PATH LOCAL", summary = "make a local folder or file have what the volume's has",
  params = flags({ "path", "string", positional = true, required = true, help = WHERE },
    { "local", "string", positional = true, required = true, help = "the result's local path: " .. transfers.NAMING }),
  run = transfer("pulled", function(volume, args, options) return volume:pull(args.path, args["local"], options) end),
}

local rm = {
  name = "rm", operands = "VOLUME PATH", summary = "remove a file, or a folder with all that is in it",
  params = { VOLUME, { "path", "string", positional = true, required = true, help = WHERE },
    { "recursive", "flag", aliases = { "-r" }, help = "a folder, with all in it" },
    { "dry-run", "flag", help = "only say what would be removed" },
    shared.YES, shared.JSON, shared.SIM, shared.ENV_FILE, shared.VERBOSE },
  run = function(args)
    local volume = find(args.volume)
    local plan = volume:rm(args.path, { recursive = args.recursive, dry_run = true })
    local what = ("%d file%s, %s"):format(plan.files, plan.files == 1 and "" or "s", show.size(plan.bytes))
    if not args.dry_run then
      if not args.yes and not shared.confirm(("remove %s:/%s (%s)"):format(volume.id, args.path, what)) then
        core.log("warn", ("nothing done: answer y, or add --yes (%s would be gone)"):format(what))
        return 1
      end
      plan = volume:rm(args.path, { recursive = args.recursive })
    end
    if args.json then return shared.print_json(plan) end
    print((args.dry_run and "would remove " or "removed ") .. what)
  end,
}

local clean = {
  name = "clean", operands = "VOLUME PATH", summary = "remove a run's old checkpoints, keeping the newest complete ones",
  params = { VOLUME, { "path", "string", positional = true, required = true, help = "the folder that holds checkpoint-N folders" },
    { "keep", "integer", default = 1, min = 1, help = "complete checkpoints to keep" },
    { "dry-run", "flag", help = "only say what would be removed" },
    shared.YES, shared.JSON, shared.SIM, shared.ENV_FILE, shared.VERBOSE },
  run = function(args)
    local volume = find(args.volume)
    local plan = volume:clean_checkpoints(args.path, { keep = args.keep, dry_run = true })
    if not args.json then
      for _, row in ipairs { { "keep", plan.kept }, { "remove", plan.removed }, { "not ours", plan.others } } do
        for _, path in ipairs(row[2]) do print(("%-9s %s"):format(row[1], path)) end
      end
      print(("%d file%s, %s to remove"):format(plan.files, plan.files == 1 and "" or "s", show.size(plan.bytes)))
    end
    if not args.dry_run and #plan.removed > 0 then
      if not args.yes and not shared.confirm(("remove %d checkpoints"):format(#plan.removed)) then
        core.log("warn", "nothing done: answer y, or add --yes")
        return 1
      end
      plan = volume:clean_checkpoints(args.path, { keep = args.keep })
    end
    if args.json then
      for _, name in ipairs { "kept", "removed", "others" } do plan[name] = json.array(plan[name]) end
      shared.print_json(plan)
    end
  end,
}

return { name = "volumes", operands = "[VERB]", summary = "network volumes, and the files on them without a pod",
  verbs = { list, create, delete, ls, du, push, pull, rm, clean } }
