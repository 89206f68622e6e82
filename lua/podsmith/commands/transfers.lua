--- `podsmith push` and `podsmith pull`: folders and files to and from a pod.

local core = require("podsmith.core")
local many = require("podsmith.commands.many")
local params = require("podsmith.params")
local shared = require("podsmith.commands.shared")
local show = require("podsmith.show")

local M = {}

-- What `podsmith volumes` uses of this too: how a path names its result, the flags, the summary.

M.NAMING = "a folder's content goes into it, slash at the end or not; a file gets this name, or with a slash goes into it"

local LOCAL = { "local", "string", positional = true }
local REMOTE = { "remote", "string", positional = true }

local function with_help(param, help)
  local copy = { help = help }
  for key, value in pairs(param) do copy[key] = value end
  return copy
end

M.FLAGS = {
  { "dry-run", "flag", help = "only list what would be done" },
  { "delete", "flag", help = "remove what only the target has; what is ignored stays" },
  { "allow-empty", "flag", help = "with --delete: go on when the source is empty" },
  { "exclude", "list", help = "leave this out (gitignore's syntax; may be given again)" },
  { "no-default-ignores", "flag", help = "send .git, __pycache__, .venv, node_modules and such too" },
  { "no-compress", "flag", help = "send as it is what would get smaller, over a long line" },
  shared.JSON, shared.SIM, shared.ENV_FILE, shared.VERBOSE,
}

local function flags(...)
  local list = { ... }
  return table.move(M.FLAGS, 1, #M.FLAGS, #list + 1, list)
end

local function print_changes(changes, prefix)
  for _, change in ipairs(changes) do
    print(("%s%-8s %s%s"):format(prefix, change.action, change.path, change.size > 0 and "  " .. show.size(change.size) or ""))
  end
end

function M.print_summary(verb, args, summary)
  if args.json then
    summary.skipped, summary.changes = json.array(summary.skipped), json.array(summary.changes)
    summary.dry_run = args.dry_run or nil
    return shared.print_json(summary)
  end
  for _, text in ipairs(summary.skipped) do core.log("warn", "left out: " .. text) end
  if args.dry_run then
    print_changes(summary.changes, "")
    if #summary.changes == 0 then print("nothing to do") end
    return
  end
  local seconds = math.max(summary.seconds, 0.001)
  print(("%s %d file%s, %s in %.1f s (%s/s); %d unchanged%s%s"):format(verb, summary.files, summary.files == 1 and "" or "s",
    show.size(summary.bytes), seconds, show.size(summary.bytes / seconds), summary.unchanged,
    summary.resumed > 0 and (", %d were there from before"):format(summary.resumed) or "",
    summary.deleted > 0 and (", %d deleted"):format(summary.deleted) or ""))
end

function M.options_from(args, on_progress)
  return {
    dry_run = args.dry_run, delete = args.delete, allow_empty = args.allow_empty, exclude = args.exclude,
    default_ignores = not args.no_default_ignores, compress = not args.no_compress, on_progress = on_progress,
  }
end

local function check_paths(args, verb)
  if not (args["local"] and args.remote) then
    params.usage(("%s needs a local and a remote path"):format(verb), ("podsmith help %s"):format(verb))
  end
end

-- Calls `work` with the options, a line of progress on the terminal meanwhile.
local function with_progress(args, work)
  local on_progress, clear = shared.progress_line()
  local tidy <close> = setmetatable({}, { __close = function() clear() end })
  local _ = tidy
  return work(M.options_from(args, on_progress))
end

local function cells_of(row)
  if row.error then return { "failed", "", "" } end
  return { tostring(row.files), show.size(row.bytes), tostring(row.unchanged) }
end

local function push_to_many(args)
  if args.all or args.run then -- no pod is named: the first word is a path
    args.pod, args["local"], args.remote = nil, args.pod, args["local"]
  end
  check_paths(args, "push")
  local pods = many.chosen(args)
  local rows = with_progress(args, function(options)
    return require("podsmith.transfer").push_to_all(pods, args["local"], args.remote, options, args.jobs)
  end)
  local code = 0
  for _, row in ipairs(rows) do
    if row.error then code = 1 end
    if args.dry_run and not args.json then print_changes(row.changes or {}, row.pod .. "  ") end
    if args.json and row.changes then row.skipped, row.changes = json.array(row.skipped), json.array(row.changes) end
  end
  if args.json then
    shared.print_json(json.array(rows))
  else
    print(many.table(rows, { "FILES", "SIZE", "UNCHANGED" }, cells_of))
  end
  return code
end

M.push = {
  name = "push", operands = "POD LOCAL REMOTE", summary = "make a folder or file on a pod, or on many, have what the local one has",
  params = flags(many.POD, with_help(LOCAL, "the local folder or file"), with_help(REMOTE, "the result's path on the pod: " .. M.NAMING),
    many.ALL, many.RUN, many.JOBS),
  run = function(args)
    if many.is_many(args, "push") then return push_to_many(args) end
    check_paths(args, "push")
    local pod = shared.pod(args.pod)
    M.print_summary("pushed", args, with_progress(args, function(options) return pod:push(args["local"], args.remote, options) end))
  end,
}

M.pull = {
  name = "pull", operands = "POD REMOTE LOCAL", summary = "make a local folder or file have what the pod's has",
  params = flags(shared.POD, with_help(REMOTE, "the folder or file on the pod"), with_help(LOCAL, "the result's local path: " .. M.NAMING)),
  run = function(args)
    check_paths(args, "pull")
    local pod = shared.pod(args.pod)
    M.print_summary("pulled", args, with_progress(args, function(options) return pod:pull(args.remote, args["local"], options) end))
  end,
}

return M
