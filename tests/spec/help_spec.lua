-- help(): what it names exists, and classes of options are shown with their fields.
local help_module = require("podsmith.help")

local function shown(...)
  local lines, old = {}, print
  rawset(_G, "print", function(text) lines[#lines + 1] = text end)
  local ok, err = pcall(help_module.help, ...)
  rawset(_G, "print", old)
  if not ok then error(err, 0) end
  return table.concat(lines, "\n")
end

describe("help", function()
  it("names only what there is", function()
    local overview = shown()
    local modules = overview:match("Modules: ([^\n]+)")
    for name in modules:gmatch("[%w_]+") do
      expect(_G[name] ~= nil):is_true()
      expect(shown(name):find("no help", 1, true)):is_nil()
    end
    for module, name in overview:gmatch("%f[%w](%l+)%.([%w_]+) ?[%({]") do expect(_G[module][name] ~= nil):is_true() end
    expect(overview:find("gpu.list", 1, true)):is_nil()
  end)

  it("shows the fields of a class, by either name and with the call that takes it", function()
    for _, topic in ipairs { "podsmith.PodSpec", "PodSpec", "runpod.create" } do
      expect(shown(topic)):contains("network_volume? string")
      expect(shown(topic)):contains("from here; default \"1h\"")
    end
    expect(shown("podsmith.GpuNeed")):contains("vram? number GB of memory of one GPU")
    expect(shown("gpu.pick")):contains("min_cuda? string")
  end)

  it("takes a value as well as its name", function()
    expect(shown(runpod.volumes)):contains("Network volumes")
    expect(shown(runpod.create)):equals(shown("runpod.create"))
    expect(shown(gpu)):equals(shown("gpu"))
    expect(shown(try)):contains("try(f, ...)")
    expect(shown(42)):contains("no help on this number")
    expect(shown("runpod.volumse")):contains("did you mean runpod.volumes?")
  end)

  it("makes a page of it all", function()
    local page = require("podsmith.api_page").text()
    expect(page):contains("- `vram?` number GB of memory of one GPU\n")
    expect(page):contains("`local scope <close> = task.scope()`")
    expect(page):contains("string\\|table a GPU type")
    expect(select(2, page:gsub("\n## runpod\n", ""))):equals(1)
  end)
end)
