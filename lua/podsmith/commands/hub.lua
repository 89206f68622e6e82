--- `podsmith hub`: what is on the Hugging Face Hub, and files to and from it.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local params = require("podsmith.params")
local shared = require("podsmith.commands.shared")
local show = require("podsmith.show")

local ID = { "id", "string", positional = true, required = true, help = "the repository: namespace/name",
  check = function(id) return hf.id_problem(id) end }
local KIND = { "kind", "choice", default = "model", choices = { "model", "dataset" }, aliases = { "--repo-type" },
  help = "what the repository holds" }
local REVISION = { "revision", "string", help = "branch, tag or commit" }
local INCLUDE = { "include", "list", help = "only what matches (may be given again); * also matches slashes" }
local EXCLUDE = { "exclude", "list", help = "not what matches (may be given again)" }
local MESSAGE = { "message", "string", aliases = { "-m", "--commit-message" }, help = "the commit's" }
local PUBLIC = { "public", "flag", help = "if it has to be made: for all to see; else it is private" }

local function rows(...)
  local all = { ... }
  for _, row in ipairs { shared.JSON, shared.SIM, shared.ENV_FILE, shared.VERBOSE } do all[#all + 1] = row end
  return all
end

local function help_row(row, help)
  local copy = {}
  for key, value in pairs(row) do copy[key] = value end
  copy.help = help
  return copy
end

local function some(list) return list and #list > 0 and list or nil end

local function rate(bytes, seconds) return show.size(bytes / math.max(seconds, 0.001)) .. "/s" end

-- Runs a transfer with a line of progress that goes when it ends.
local function with_progress(work)
  local on_progress, clear = shared.progress_line()
  local tidy <close> = setmetatable({}, { __close = function() clear() end })
  local _ = tidy
  return work(on_progress)
end

local function print_upload(done, json_wanted)
  if json_wanted then return shared.print_json(done) end
  for _, path in ipairs(done.ignored) do core.log("warn", "left out by the repository's .gitignore: " .. path) end
  if done.commits == 0 then return print(("nothing to do: %d unchanged, at %s"):format(done.unchanged, done.commit)) end
  print(("uploaded %d file%s, %s in %.1f s (%s); %d unchanged%s"):format(done.files, done.files == 1 and "" or "s",
    show.size(done.bytes), done.seconds, rate(done.bytes, done.seconds), done.unchanged,
    done.bytes_found > 0 and ("; %s were there from before"):format(show.size(done.bytes_found)) or ""))
  print(done.pull_request or done.url)
end

local whoami = {
  name = "whoami", summary = "whose token is in use, where it came from, what it may do", params = rows(),
  run = function(args)
    local token, source = hf.token()
    if not token then errors.raise("auth", "there is no Hugging Face token", "set HF_TOKEN, or write it to " .. hf.home() .. "/token") end
    local who = hf.whoami()
    local access = ((who.auth or {}).accessToken or {})
    if args.json then return shared.print_json { name = who.name, source = source, role = access.role, whoami = who } end
    print(("%s (token of %s, role %s)"):format(who.name, source, access.role or "unknown"))
    for _, org in ipairs(who.orgs or {}) do print(("  %s: %s"):format(org.name, org.roleInOrg or "role unknown")) end
    for _, scope in ipairs((access.fineGrained or {}).scoped or {}) do
      print(("  may, in %s %s: %s"):format(scope.entity.type, scope.entity.name, table.concat(scope.permissions, ", ")))
    end
  end,
}

local can_write = {
  name = "can-write", operands = "ID", summary = "whether the token may write there (exit code 1 unless yes)",
  params = rows(ID, KIND),
  run = function(args)
    local answer, reason = hf.can_write(args.id, args.kind)
    if args.json then shared.print_json { answer = answer, reason = reason } else print(answer .. ": " .. reason) end
    return answer == "yes" and 0 or 1
  end,
}

local function access(info)
  if info.disabled then return "disabled by the Hub's staff" end
  local gate = info.gated and info.gated ~= false and (", gated (%s)"):format(info.gated) or ""
  return (info.private and "private" or "public") .. gate
end

local info_verb = {
  name = "info", operands = "ID", summary = "what a repository is: size, access, whether its files may be read",
  params = rows(ID, KIND, REVISION),
  run = function(args)
    local info = hf[args.kind .. "_info"](args.id, args.revision)
    if args.json then return shared.print_json(info) end
    local bytes, files = 0, info.siblings or {}
    for _, file in ipairs(files) do bytes = bytes + (file.size or 0) end
    local readable, err = hf.can_read(args.id, args.kind)
    print(("%s  %s, %d files, %s"):format(info.id, access(info), #files, show.size(bytes)))
    print("commit    " .. (info.sha or "unknown"))
    print("changed   " .. (info.lastModified or "unknown"))
    print("readable  " .. (readable and "yes" or "no: " .. err.message .. (err.hint and " (" .. err.hint .. ")" or "")))
    local counts = {}
    for dtype, count in pairs((info.safetensors or {}).parameters or {}) do counts[#counts + 1] = ("%s %.0f"):format(dtype, count) end
    table.sort(counts)
    if #counts > 0 then print("weights   " .. table.concat(counts, ", ") .. " parameters") end
    print(hf.page(args.id, args.kind))
  end,
}

local ls = {
  name = "ls", operands = "ID [PATH]", summary = "the files of a repository",
  params = rows(ID, { "path", "string", positional = true, help = "only below this folder" }, KIND, REVISION),
  run = function(args)
    local entries = hf.list(args.id, { kind = args.kind, revision = args.revision, path = args.path })
    if args.json then return shared.print_json(json.array(entries)) end
    for _, entry in ipairs(entries) do
      if entry.type == "file" then print(("%10s  %s"):format(show.size(entry.size), entry.path)) end
    end
  end,
}

local download = {
  name = "download", operands = "ID [FILE...]", summary = "files of a repository to the shared cache, or to a folder",
  params = rows(ID, { "file", "list", positional = true, help = "these files only" }, KIND, REVISION, INCLUDE, EXCLUDE,
    { "to", "string", aliases = { "--local-dir" }, help = "put the files into this folder instead of the cache" }),
  run = function(args)
    local done = with_progress(function(on_progress)
      return hf.download(args.id, { kind = args.kind, revision = args.revision, paths = some(args.file), include = some(args.include),
        exclude = some(args.exclude), to = args.to, on_progress = on_progress })
    end)
    if args.json then return shared.print_json(done) end
    core.log("info", ("%d files, %s, %s received in %.1f s (%s); %d were here"):format(#done.files, show.size(done.bytes),
      show.size(done.bytes_received), done.seconds, rate(done.bytes_received, done.seconds), done.unchanged))
    print(done.path)
  end,
}

local upload = {
  name = "upload", operands = "ID LOCAL [PATH]", summary = "a file or folder to a repository, in one commit",
  params = rows(ID, { "local", "string", positional = true, required = true, help = "the file or folder here" },
    { "path", "string", positional = true, help = "where in the repository; default: its top" }, KIND,
    help_row(REVISION, "a branch; it is made if missing"), INCLUDE, EXCLUDE,
    { "delete", "list", help = "files of the repository that match go, unless they are uploaded" }, MESSAGE,
    { "description", "string", help = "more of the commit's message" },
    { "create-pr", "flag", help = "as a pull request" }, { "one-commit", "flag", help = "however many files" },
    { "create", "flag", default = true, help = "make the repository when it is missing" }, PUBLIC),
  run = function(args)
    if args.create and not args.create_pr then
      hf.create_repo(args.id, { kind = args.kind, private = not args.public })
      if args.revision and args.revision ~= "main" then hf.create_branch(args.id, args.revision, { kind = args.kind }) end
    end
    local done = with_progress(function(on_progress)
      return hf.upload(args.id, args["local"], { kind = args.kind, revision = args.revision, path = args.path,
        include = some(args.include), exclude = some(args.exclude), delete = some(args.delete), message = args.message,
        description = args.description, create_pr = args.create_pr, one_commit = args.one_commit, on_progress = on_progress })
    end)
    print_upload(done, args.json)
  end,
}

local create = {
  name = "create", operands = "ID", summary = "make a repository; one that is there is fine", params = rows(ID, KIND, PUBLIC),
  run = function(args)
    local made = hf.create_repo(args.id, { kind = args.kind, private = not args.public })
    if args.json then return shared.print_json(made) end
    if made.warning then core.log("warn", made.warning) end
    print(("%s %s"):format(made.existed and "exists:" or "made:", made.url))
  end,
}

local visibility = {
  name = "visibility", operands = "ID WHO", summary = "make a repository private or public",
  params = rows(ID, { "who", "choice", positional = true, required = true, choices = { "private", "public" }, help = "who may see it" },
    KIND),
  run = function(args)
    hf.set_private(args.id, args.who == "private", args.kind)
    if args.json then shared.print_json { id = args.id, private = args.who == "private" } else print(args.id .. " is " .. args.who) end
  end,
}

local delete = {
  name = "delete", operands = "ID [PATH...]", summary = "files (a slash at the end: folders), or without any the repository itself",
  params = rows(ID, { "path", "list", positional = true, help = "what to delete in it" }, KIND, REVISION, MESSAGE, shared.YES),
  run = function(args)
    if some(args.path) then
      return print_upload(hf.delete_files(args.id, args.path, { kind = args.kind, revision = args.revision, message = args.message }),
        args.json)
    end
    local question = ("Delete the whole %s %s, with all its files and history, for good?"):format(args.kind, args.id)
    if not args.yes and not shared.confirm(question) then
      params.usage("not deleted: nobody said yes", "--yes does not ask")
    end
    hf.delete_repo(args.id, args.kind)
    if args.json then shared.print_json { deleted = args.id } else print("deleted " .. args.id) end
  end,
}

local FOLDER = { "folder", "string", positional = true, required = true, help = "the folder here" }
local PATH = { "path", "string", aliases = { "--path-in-repo-prefix" }, help = "where in the repository; default: its top" }
local CREATE = { "create", "flag", default = true, help = "make the repository when it is missing" }

local function sync_options(args)
  return { kind = args.kind, revision = args.revision, path = args.path, include = some(args.include), exclude = some(args.exclude),
    message = args.message, create = args.create, private = not args.public }
end

local sync = {
  name = "sync", operands = "FOLDER ID", summary = "make a repository have a folder's files, once",
  params = rows(FOLDER, ID, PATH, INCLUDE, EXCLUDE, KIND, REVISION, MESSAGE, CREATE, PUBLIC),
  run = function(args)
    local done = with_progress(function(on_progress)
      local options = sync_options(args)
      options.on_progress = on_progress
      return hf.sync(args.folder, args.id, options)
    end)
    if done then return print_upload(done, args.json) end
    if args.json then shared.print_json { files = 0, commits = 0 } else print("no file matches") end
  end,
}

local watch = {
  name = "watch", operands = "FOLDER ID", summary = "upload files as they are completed, until Ctrl-C",
  params = rows(FOLDER, ID, PATH, INCLUDE, EXCLUDE, KIND, REVISION, MESSAGE, CREATE, PUBLIC,
    { "interval", "duration", default = 120, min = 5, help = "time between two looks" },
    { "settle", "duration", default = 10, help = "a file goes up when it was left alone this long" },
    { "until-file", "string", help = "end once this file exists and all is uploaded (a job's exit file)" }),
  run = function(args)
    local options = sync_options(args)
    options.interval, options.settle, options.until_file = args.interval, args.settle, args.until_file
    options.on_upload = function(done)
      print_upload(done, args.json)
      io.stdout:flush() -- it may be a log that somebody reads
    end
    options.on_error = function(err) core.log("warn", err.message .. "; tried again at the next look") end
    hf.watch(args.folder, args.id, options)
  end,
}

return require("podsmith.commands.verbs").command("hub", "the Hugging Face Hub: look, download, upload, keep a folder there",
  { whoami, can_write, info_verb, ls, download, upload, create, visibility, delete, sync, watch })
