-- Versioned datasets: names, versions, what is refused before anything is asked for, and checks of local files.
-- Whole publishes and fetches: tests/e2e/dataset.sh.
local dataset = require("podsmith.dataset")
local layout = require("podsmith.dataset_layout")

local function scratch()
  local path = ("%s/podsmith-dataset-spec-%s"):format(os.getenv("TMPDIR") or "/tmp", require("podsmith.core").random_tag(8))
  fs.mkdir(path)
  return setmetatable({ path = path }, { __close = function() fs.remove(path) end })
end

describe("dataset versions", function()
  it("are latest by time stamp, then by text", function()
    local cases = {
      { { "validated-20260226T151127Z", "20260227T044455Z" }, "20260227T044455Z" },
      { { "v1", "v10", "v9" }, "v9" },
      { { "zzz", "20250101T000000Z" }, "20250101T000000Z" },
      { { "b-20260101T000000Z", "a-20260101T000000Z" }, "b-20260101T000000Z" },
      { { "2026227T044455Z", "v1" }, "v1" }, -- seven digits are no stamp
      { {}, nil },
    }
    for _, case in ipairs(cases) do
      expect(dataset.latest(case[1])).equals(case[2])
      table.sort(case[1], function(a, b) return a > b end)
      expect(dataset.latest(case[1])).equals(case[2])
    end
  end)

  it("are named by the time", function() expect(layout.version_now()):matches("^%d%d%d%d%d%d%d%dT%d%d%d%d%d%dZ$") end)
end)

describe("dataset layout", function()
  it("finds versions below a prefix of any depth", function()
    local files = {
      { rfilename = "README.md", size = 1 },
      { rfilename = "a/b/games/v1/manifest.json", size = 10 },
      { rfilename = "a/b/games/v1/files/deep/train.jsonl", size = 20 },
      { rfilename = "a/b/games/v2/train.jsonl", size = 5 }, -- no manifest: no version
      { rfilename = "a/b/other/v1/checksums.sha256", size = 5 },
      { rfilename = "a/bb/games/v3/manifest.json", size = 5 },
      { rfilename = "a/b/manifest.json", size = 5 },
      { rfilename = "a/b/ga mes/v1/manifest.json", size = 5 },
    }
    local found = layout.found(files, "a/b")
    expect(layout.keys(found)).equals { "games" }
    expect(layout.keys(found.games)).equals { "v1" }
    expect(found.games.v1.bytes).equals(30)
    expect(found.games.v1.files["files/deep/train.jsonl"].size).equals(20)
    expect(layout.keys(layout.found({ { rfilename = "games/v1/manifest.json" } }, ""))).equals { "games" }
  end)

  it("takes names that a path can hold", function()
    for _, name in ipairs { "elite_2025-11_game", "v1.0", "_x", "A" } do expect(layout.name_problem(name)).is_nil() end
    for _, name in ipairs { "", "..", "a..b", ".hidden", "-x", "a/b", "a b", "ü", ("x"):rep(97) } do
      expect(layout.name_problem(name)):contains("is not made of letters")
    end
    expect(layout.prefix()).equals("validated_datasets")
    expect(layout.prefix("/a/b/")).equals("a/b")
    expect(layout.prefix("")).equals("")
    for _, prefix in ipairs { "a//b", "../x", "a/ b" } do
      expect(function() layout.prefix(prefix) end):raises("has a part that cannot be", "invalid")
    end
  end)
end)

describe("hf.dataset", function()
  it("is the module", function() expect(hf.dataset == dataset):is_true() end)

  it("refuses what makes no sense before it asks the Hub", function()
    local function publish(options) return function() dataset.publish(options) end end
    local function fetch(options) return function() dataset.fetch(options) end end
    local cases = {
      { publish { dir = "x" }, "repo_id: the repository is needed" },
      { publish { repo_id = "a b", dir = "x" }, "repo_id: write namespace/name" },
      { publish { repo_id = "me/d" }, "needs one of dir" },
      { publish { repo_id = "me/d", dir = "x", root = "y" }, "needs one of dir" },
      { publish { repo_id = "me/d", dir = "x", archive_format = "zip" }, "archive_format is tar.gz or none, not 'zip'" },
      { publish { repo_id = "me/d", dir = "x", version = "a/b" }, "the dataset's version 'a/b' is not made of" },
      { publish { repo_id = "me/d", dir = "x", name = ".." }, "the dataset's name '..' is not made of" },
      { publish { repo_id = "me/d", dir = "x", prefix = "../y" }, "has a part that cannot be: '..'" },
      { fetch { dest = "x", name = "y" }, "repo_id: the repository is needed" },
      { fetch { repo_id = "me/d", name = "y" }, "dest is needed" },
      { fetch { repo_id = "me/d", dest = "x" }, "a name is needed, or all_latest" },
      { fetch { repo_id = "me/d", dest = "x", name = "y", all_latest = true }, "all_latest takes no name" },
      { function() dataset.validate("") end, "needs a folder or a file" },
      { function() dataset.validate("x", { format = "chatlm" }) end, "'chatlm' is no format of rows" },
    }
    for _, case in ipairs(cases) do
      local err = expect(case[1]):raises(nil, "invalid")
      expect(err.message):contains(case[2])
    end
    expect(expect(publish { repo_id = "me/d", dirr = "x" }):raises("no option 'dirr'", "invalid").hint).equals("did you mean 'dir'?")
    expect(expect(function() dataset.validate("x", { format = "chatlm" }) end):raises().hint).equals("did you mean 'chatml'?")
    expect(publish { repo_id = "me/d", dir = "/nowhere/at/all" }):raises("there is no folder /nowhere/at/all", "not_found")
  end)

  it("checks a folder, and says what is wrong on which line", function()
    local folder <close> = scratch()
    fs.write(folder.path .. "/ds/train.jsonl", '{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"yes"}]}\n')
    fs.write(folder.path .. "/ds/val.jsonl", '{"messages":[]}\n{"messages":\n')
    local events = {}
    local report = dataset.validate(folder.path .. "/ds", { on_progress = function(p) events[#events + 1] = p end })
    expect(report.is_valid).is_false()
    expect(report.defect_count).equals(2)
    expect(report.defects[1].text).equals("val.jsonl:1: no messages")
    expect(report.defects[2].text):contains("val.jsonl:2:13: ")
    expect(report.dataset_format).equals("unknown")
    expect(report.splits[1]).equals { path = "train.jsonl", rows = 1, blank_lines = 0, duplicates = 0, defect_count = 0,
      format = "chatml-wrapped", confidence = "high", keys = json.array { "messages" }, avg_input_length = 2.0, avg_output_length = 3.0 }
    local one = dataset.validate(folder.path .. "/ds/train.jsonl")
    expect(one.is_valid).is_true()
    expect(dataset.validate(folder.path .. "/ds/train.jsonl", { format = "dpo" }).defects[1].text).equals('train.jsonl:1: no "prompt"')
  end)

  it("publishes nothing of several datasets when one has defects, and names all of them", function()
    local folder <close> = scratch()
    for _, name in ipairs { "elite_1_game", "elite_2_game", "other" } do
      fs.write(("%s/%s/train.jsonl"):format(folder.path, name), '{"context":1}\n')
      fs.write(("%s/%s/val.jsonl"):format(folder.path, name), name == "elite_2_game" and "{}\nx\n" or '{"context":2}\n')
    end
    local options = { repo_id = "me/d", root = folder.path, dry_run = true }
    local err = expect(function() dataset.publish(options) end):raises("^1 defect in elite_2_game; nothing was sent\n", "invalid")
    expect(err.message):contains("/elite_2_game/val.jsonl:2:1: syntax error")
    options.name = "x"
    expect(function() dataset.publish(options) end):raises("one name for 2 datasets would lay them over each other", "invalid")
    options.name, options.glob = nil, "elite_?_gaem"
    local missing = expect(function() dataset.publish(options) end):raises("no folder in .* is called elite_%?_gaem", "not_found")
    expect(missing.hint).equals("there are elite_1_game, elite_2_game, other")
  end)

  it("shows in a dry run what would be published", function()
    local folder <close> = scratch()
    fs.write(folder.path .. "/ds/train.jsonl", '{"context":[1]}\n')
    fs.write(folder.path .. "/ds/val.jsonl", '{"context":[2]}\n')
    local result = dataset.publish { repo_id = "me/d", dir = folder.path .. "/ds/", version = "20260227T044455Z", dry_run = true }
    expect(result.dry_run).is_true()
    local one = result.datasets[1]
    expect(one.repo_path).equals("validated_datasets/ds/20260227T044455Z")
    expect(one.archive_name).equals("ds_20260227T044455Z.tar.gz")
    local manifest = json.decode(one.manifest_text)
    expect(manifest.source_dir).equals("ds")
    expect(manifest.distribution).equals { mode = "archive", archive_name = "ds_20260227T044455Z.tar.gz" }
    expect(manifest.files[1].sha256):matches("^" .. ("%x"):rep(64) .. "$")
    local raw = dataset.publish { repo_id = "me/d", dir = folder.path .. "/ds", archive_format = "none", dry_run = true }
    expect(json.decode(raw.datasets[1].manifest_text).distribution).equals { mode = "files" }
  end)
end)
