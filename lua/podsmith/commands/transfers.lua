--- `podsmith push` and `podsmith pull`: folders and files to and from a pod.

local core = require("podsmith.core")
local shared = require("podsmith.commands.shared")
local show = require("podsmith.show")

local M = {}

-- What `podsmith volumes` uses of this too: how a path names its result, the flags, the summary.

M.NAMING = "a folder's content goes into it, slash at the end or not; a file gets this name, or with a slash goes into it"

local LOCAL = { "local", "string", positional = true, required = true }
local REMOTE = { "remote", "string", positional = true, required = true }

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
  shared.JSON, shared.SIM, shared.ENV_FILE, shared.VERBOSE,
}

local function flags(...)
  local params = { shared.POD, ... }
  for _, param in ipairs(M.FLAGS) do params[#params + 1] = param end
  return params
end

function M.print_summary(verb, args, summary)
  if args.json then
    summary.skipped, summary.changes = json.array(summary.skipped), json.array(summary.changes)
    summary.dry_run = args.dry_run or nil
    return shared.print_json(summary)
  end
  for _, text in ipairs(summary.skipped) do core.log("warn", "left out: " .. text) end
  if args.dry_run then
    for _, change in ipairs(summary.changes) do
      print(("%-8s %s%s"):format(change.action, change.path, change.size > 0 and "  " .. show.size(change.size) or ""))
    end
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
    default_ignores = not args.no_default_ignores, on_progress = on_progress,
  }
end

local function run(verb, work)
  return function(args)
    local pod = shared.pod(args.pod)
    local on_progress, clear = shared.progress_line()
    local tidy <close> = setmetatable({}, { __close = function() clear() end })
    local _ = tidy
    local summary = work(pod, args, M.options_from(args, on_progress))
    clear()
    M.print_summary(verb, args, summary)
  end
end

M.push = {
  name = "push", operands = "POD LOCAL REMOTE", summary = "make a folder or file on a pod have what the local one has",
  params = flags(with_help(LOCAL, "the local folder or file"), with_help(REMOTE, "the result's path on the pod: " .. M.NAMING)),
  run = run("pushed", function(pod, args, options) return pod:push(args["local"], args.remote, options) end),
}

M.pull = {
  name = "pull", operands = "POD REMOTE LOCAL", summary = "make a local folder or file have what the pod's has",
  params = flags(with_help(REMOTE, "the folder or file on the pod"), with_help(LOCAL, "the result's local path: " .. M.NAMING)),
  run = run("pulled", function(pod, args, options) return pod:pull(args.remote, args["local"], options) end),
}

return M
