-- volume:ls, :usage, :push, :pull, :rm against a made-up service: what is listed, compared, sent in parts, deleted.
local core = require("podsmith.core")
local volumes = require("podsmith.volume")
local volume_transfer = require("podsmith.volume_transfer")

local EMPTY = "d41d8cd98f00b204e9800998ecf8427e"

-- A folder of its own for each case.
local function scratch()
  local path = ("%s/volume-spec-%s"):format(os.getenv("TMPDIR") or "/tmp", core.attempt_name("x", "abcdefgh", math.random(1000000)))
  core.fs_mkdir(path)
  return setmetatable({ path = path }, { __close = function() core.fs_remove(path) end })
end

-- A service that holds `files`: key -> {size, tag, modified}; notes what it was asked.
local function service(files, folders)
  local M = { files = files, folders = folders or {}, calls = {}, uploads_of = {}, parts_of = {} }
  local function note(name, ...) M.calls[#M.calls + 1] = table.concat({ name, ... }, " ") end
  function M.list(_, prefix)
    local level, seen = { objects = {}, folders = {}, has_marker = M.folders[prefix] == true }, {}
    local function add(key, file)
      if key:sub(1, #prefix) ~= prefix or key == prefix then return end
      local rest = key:sub(#prefix + 1)
      local folder = rest:match("^([^/]*/)")
      if folder and not seen[folder] then
        seen[folder] = true
        table.insert(level.folders, prefix .. folder)
      elseif not folder then
        table.insert(level.objects, { key = key, size = file.size, tag = file.tag or "", modified = file.modified or 0 })
      end
    end
    for key, file in pairs(M.files) do add(key, file) end
    for key in pairs(M.folders) do add(key) end
    note("list", prefix)
    return level
  end
  function M.head(_, key)
    local file = M.files[key]
    return file and { key = key, size = file.size, tag = file.tag or "", modified = file.modified or 0 } or nil
  end
  function M.put(_, key, path, size) note("put", key, size) M.files[key] = { size = size, tag = core.s3_tags(path, 1 << 20).whole } end
  function M.make_folder(_, key) note("folder", key) M.folders[key] = true end
  function M.remove(_, key) note("remove", key) M.files[key], M.folders[key] = nil, nil end
  function M.download(_, object, path) note("get", object.key) core.fs_write(path, ("x"):rep(object.size)) end
  function M.uploads(_, key) return M.uploads_of[key] or {} end
  function M.parts(_, _, id) return M.parts_of[id] or {} end
  function M.begin_upload(_, key) note("begin", key) return "new" end
  function M.put_part(_, _, id, number, _, offset, length)
    note("part", id, number, offset, length)
    return { number = number, tag = "t" .. number, size = length }
  end
  function M.complete(_, key, id, parts) note("complete", key, id, #parts) end
  function M.abort(_, _, id) note("abort", id) end
  return M
end

-- A handle on a volume of that service.
local function volume_on(fake)
  local id = "vol" .. math.random(1000000000)
  volumes.use_client(id, fake)
  return setmetatable({ id = id, data = { dataCenter = "EU-RO-1" } }, { __index = volumes.methods })
end

local function calls_of(fake, ...)
  local wanted, found = {}, {}
  for _, name in ipairs { ... } do wanted[name] = true end
  for _, call in ipairs(fake.calls) do if wanted[call:match("^%S+")] then found[#found + 1] = call end end
  table.sort(found)
  return table.concat(found, "; ")
end

describe("a volume's files", function()
  it("are listed level by level, the service's own folder left out", function()
    local fake = service({ ["a/x"] = { size = 3 }, ["a/b/y"] = { size = 5 }, top = { size = 1 },
      [".s3compat_uploads/u/1"] = { size = 9 } }, { ["empty/"] = true })
    local volume = volume_on(fake)
    local names = {}
    for i, entry in ipairs(volume:ls()) do names[i] = entry.path end
    expect(table.concat(names, " ")).equals("a/ empty/ top")
    names = {}
    for i, entry in ipairs(volume:ls("/workspace", { recursive = true })) do names[i] = entry.path end
    expect(table.concat(names, " ")).equals("a/ a/b/ a/b/y a/x empty/ top")
    expect(volume:ls("a/x")[1].size).equals(3)
    expect(#volume:ls("empty")).equals(0)
    expect(function() volume:ls("nothing") end):raises("there is no vol%d+:/nothing", "not_found")
    expect(function() volume:ls("../etc") end):raises("is no path on a network volume", "invalid")
  end)

  it("are summed up by folder", function()
    local volume = volume_on(service { ["c/r1/a"] = { size = 10 }, ["c/r1/s/b"] = { size = 5 }, ["c/r2/a"] = { size = 1 },
      top = { size = 4 } })
    local sums = {}
    for i, sum in ipairs(volume:usage("", { depth = 2 })) do sums[i] = ("%s=%d/%d"):format(sum.path, sum.files, sum.bytes) end
    expect(table.concat(sums, " ")).equals("=4/20 c/=3/16 c/r1/=2/15 c/r2/=1/1")
    expect(volume:usage("c")[2].path).equals("c/r1/")
  end)

  it("are pushed when their MD5 differs, deleted only when asked, links left out", function()
    local dir <close> = scratch()
    core.fs_write(dir.path .. "/same", "")
    core.fs_write(dir.path .. "/changed", "new")
    core.fs_write(dir.path .. "/sub/new", "abc")
    core.fs_write(dir.path .. "/__pycache__/x", "ignored")
    core.fs_mkdir(dir.path .. "/hollow")
    local fake = service({ ["d/same"] = { size = 0, tag = EMPTY }, ["d/changed"] = { size = 3, tag = EMPTY }, ["d/gone"] = { size = 1 },
      ["d/__pycache__/old"] = { size = 1 } })
    local volume = volume_on(fake)
    local plan = volume:push(dir.path, "d", { dry_run = true, delete = true })
    expect(calls_of(fake, "put", "remove", "folder")).equals("")
    local actions = {}
    for i, change in ipairs(plan.changes) do actions[i] = change.action .. " " .. change.path end
    expect(table.concat(actions, "; ")).equals("send changed; send sub/new; folder hollow; folder sub; delete gone")
    local summary = volume:push(dir.path .. "/", "/workspace/d/", { delete = true })
    expect(calls_of(fake, "put", "remove", "folder")).equals(
      "folder d/hollow/; folder d/sub/; put d/changed 3; put d/sub/new 3; remove d/gone")
    expect(summary.files).equals(2)
    expect(summary.bytes).equals(6)
    expect(summary.unchanged).equals(1)
    expect(summary.deleted).equals(1)
    expect(volume:push(dir.path, "d").files).equals(0)
  end)

  it("do not vanish because a source is empty", function()
    local dir <close> = scratch()
    local fake = service { ["d/x"] = { size = 1 } }
    local volume = volume_on(fake)
    local err = expect(function() volume:push(dir.path, "d", { delete = true }) end):raises("is empty, and delete would remove", "conflict")
    expect(err.hint):contains("allow_empty")
    expect(volume:push(dir.path, "d", { delete = true, allow_empty = true }).deleted).equals(1)
    expect(function() volume:push(dir.path .. "/none", "d") end):raises("there is no local file or folder", "not_found")
  end)

  it("take one file under its name, or into a folder", function()
    local dir <close> = scratch()
    core.fs_write(dir.path .. "/f.txt", "abc")
    local fake = service {}
    local volume = volume_on(fake)
    volume:push(dir.path .. "/f.txt", "data/")
    volume:push(dir.path .. "/f.txt", "renamed")
    expect(volume:push(dir.path .. "/f.txt", "renamed").unchanged).equals(1)
    expect(calls_of(fake, "put")).equals("put data/f.txt 3; put renamed 3")
    volume:pull("renamed", dir.path .. "/in/")
    volume:pull("renamed", dir.path .. "/as")
    expect(core.fs_read(dir.path .. "/in/renamed")).equals("xxx")
    expect(core.fs_read(dir.path .. "/as")).equals("xxx")
  end)

  it("go in parts when they are large; a broken upload goes on, others of the key are given up", function()
    local dir <close> = scratch()
    local old = volume_transfer.part_size
    volume_transfer.part_size = 4
    local restore <close> = setmetatable({}, { __close = function() volume_transfer.part_size = old end })
    local _ = restore
    core.fs_write(dir.path .. "/big", "aaaabbbbcc")
    local tags = core.s3_tags(dir.path .. "/big", 4)
    local fake = service {}
    local volume = volume_on(fake)
    volume:push(dir.path .. "/big", "big")
    expect(calls_of(fake, "begin", "part", "complete")).equals(
      "begin big; complete big new 3; part new 1 0 4; part new 2 4 4; part new 3 8 2")
    fake.calls, fake.uploads_of = {}, { big = { "mine", "older" } }
    fake.parts_of = { mine = { { number = 1, tag = tags.parts[1], size = 4 }, { number = 2, tag = EMPTY, size = 4 } } }
    expect(volume:push(dir.path .. "/big", "big").resumed).equals(1)
    expect(calls_of(fake, "begin", "part", "complete", "abort")).equals(
      "abort older; complete big mine 3; part mine 2 4 4; part mine 3 8 2")
    -- What came in parts of our size is known again by the tag of its parts; of other parts by its age.
    fake.files.big = { size = 10, tag = tags.composite, modified = 0 }
    expect(volume:push(dir.path .. "/big", "big").unchanged).equals(1)
    fake.files.big = { size = 10, tag = EMPTY .. "-2", modified = 1 }
    expect(volume:push(dir.path .. "/big", "big").unchanged).equals(0)
  end)

  it("are pulled when they differ; names that lead elsewhere are left out", function()
    local dir <close> = scratch()
    core.fs_write(dir.path .. "/out/same", "")
    core.fs_write(dir.path .. "/out/extra", "mine")
    local fake = service({ ["d/same"] = { size = 0, tag = EMPTY }, ["d/new/f"] = { size = 2 }, ["d/../../evil"] = { size = 1 } },
      { ["d/hollow/"] = true })
    local volume = volume_on(fake)
    local summary = volume:pull("d", dir.path .. "/out", { delete = true })
    expect(calls_of(fake, "get")).equals("get d/new/f")
    expect(summary.unchanged).equals(1)
    expect(summary.deleted).equals(1)
    expect(summary.skipped[1]).equals("../../evil: its name leads elsewhere")
    expect(core.fs_stat(dir.path .. "/out/hollow").is_dir).is_true()
    expect(core.fs_stat(dir.path .. "/out/extra")).is_nil()
  end)

  it("are removed one by one, a folder only when that is said", function()
    local fake = service({ ["a/x"] = { size = 3 }, ["a/b/y"] = { size = 5 }, ["ab"] = { size = 1 } }, { ["a/b/c/"] = true })
    local volume = volume_on(fake)
    local err = expect(function() volume:rm("a") end):raises(":/a/ is a folder", "conflict")
    expect(err.hint):contains("--recursive")
    expect(volume:rm("a", { recursive = true, dry_run = true }).bytes).equals(8)
    expect(calls_of(fake, "remove")).equals("")
    expect(volume:rm("a", { recursive = true }).files).equals(2)
    local order = {}
    for _, call in ipairs(fake.calls) do if call:match("^remove .*/$") then order[#order + 1] = call:match("%S+$") end end
    expect(table.concat(order, " ")).equals("a/b/c/ a/b/ a/")
    expect(fake.files.ab ~= nil).is_true()
    expect(function() volume:rm("nothing") end):raises("there is no", "not_found")
  end)

  it("lose old checkpoints, but not the newest complete one, nor what is no checkpoint", function()
    local function state(step) return ("c/run/checkpoint-%d/trainer_state.json"):format(step) end
    local files = { ["c/run/checkpoint-30000/model"] = { size = 9 }, ["c/run/tmp/x"] = { size = 1 }, ["c/run/runs/x"] = { size = 1 },
      ["c/run/final_model/x"] = { size = 1 } }
    for _, step in ipairs { 1000, 2000, 10000 } do files[state(step)] = { size = 5 } end
    local fake = service(files)
    local plan = volume_on(fake):clean_checkpoints("c/run", { dry_run = true })
    expect(table.concat(plan.removed, " ")).equals("c/run/checkpoint-2000/ c/run/checkpoint-1000/")
    -- The newest is still being written, or was torn: it stays, and so does the one before.
    expect(table.concat(plan.kept, " ")).equals("c/run/checkpoint-30000/ c/run/checkpoint-10000/")
    table.sort(plan.others)
    expect(table.concat(plan.others, " ")).equals("c/run/final_model/ c/run/runs/ c/run/tmp/")
    expect(calls_of(fake, "remove")).equals("")
    expect(volume_on(fake):clean_checkpoints("c/run").bytes).equals(10)
    expect(fake.files[state(10000)] ~= nil and fake.files["c/run/tmp/x"] ~= nil).is_true()
    expect(fake.files[state(1000)]).is_nil()
  end)

  it("have sizes as people write them", function()
    local size, shown = require("podsmith.show").size, {}
    for i, bytes in ipairs { 0, 1023, 1536, 1073741824, 15000000000 } do shown[i] = size(bytes) end
    expect(table.concat(shown, ", ")).equals("0 B, 1023 B, 1.5 KiB, 1.0 GiB, 14.0 GiB")
  end)

  it("need keys, and say where to get them", function()
    local volume = setmetatable({ id = "no-keys", data = { dataCenter = "EU-RO-1" } }, { __index = volumes.methods })
    local err = expect(function() volume:ls() end):raises("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set", "auth")
    expect(err.hint):contains("S3 API key")
  end)
end)
