local params = require("podsmith.params")

local ROWS = {
  { "repo-id", "string", default = "a/b", help = "model" },
  { "gpu-count", "integer", default = 1, choices = { 1, 2, 4 }, help = "GPUs" },
  { "rate", "number", min = 0, max = 1, help = "share" },
  { "use-vllm", "flag", default = true, negatives = { "--disable-vllm" }, help = "vLLM" },
  { "cloud", "choice", choices = { "SECURE", "COMMUNITY" }, default = "SECURE", help = "cloud" },
  { "timeout", "duration", default = 60, min = 1, help = "wait" },
  { "spec", "list", help = "again and again" },
}

local function parse(...) return (params.parse(ROWS, { ... }, "run x")) end

describe("params", function()
  it("fill defaults", function()
    expect(parse()).equals {
      repo_id = "a/b", gpu_count = 1, use_vllm = true, cloud = "SECURE", timeout = 60, spec = {},
    }
  end)

  it("take both forms of a flag, its negative, lists and lengths of time", function()
    local args = parse("--repo-id=x/y", "--gpu-count", "4", "--no-use-vllm", "--spec", "p>=1,<2", "--spec", "q", "--timeout", "2m")
    expect(args.repo_id).equals("x/y")
    expect(args.gpu_count).equals(4)
    expect(args.use_vllm).is_false()
    expect(args.spec).equals { "p>=1,<2", "q" }
    expect(args.timeout).equals(120)
    expect(parse("--disable-vllm").use_vllm).is_false()
    expect(parse("--use-vllm", "--no-use-vllm").use_vllm).is_false() -- a switch may be turned again
    expect(parse("--cloud", "community").cloud).equals("COMMUNITY")
  end)

  it("say what is wrong with a value, as wrong usage", function()
    local cases = {
      { { "--gpu-count", "3" }, "--gpu-count must be one of 1, 2, 4, not '3'" },
      { { "--gpu-count", "two" }, "--gpu-count must be a whole number, not 'two'" },
      { { "--rate", "1.5" }, "--rate must be at most 1, not 1.5" },
      { { "--cloud", "SECUR" }, "--cloud must be one of SECURE, COMMUNITY, not 'SECUR'" },
      { { "--repo-id" }, "--repo-id needs a value" },
      { { "--use-vllm=yes" }, "--use-vllm takes no value" },
      { { "--timeout", "soon" }, "--timeout: 'soon' is no length of time" },
      { { "--timeout", "2" }, "--timeout: '2' has no unit" },
      { { "--timeout", "0" }, "--timeout: '0' has no unit" },
      { { "--timeout", "0s" }, "--timeout must be at least 1 s, not 0s" },
      { { "--gpu-count", "2", "--gpu-count", "4" }, "--gpu-count is given twice" },
      { { "stray" }, "run x: unexpected 'stray'" },
    }
    for _, case in ipairs(cases) do
      local err = expect(function() parse(table.unpack(case[1])) end):raises(nil, "invalid")
      expect(err.message).equals(case[2])
      expect(err.usage).is_true()
    end
  end)

  it("suggest the nearest flag", function()
    local err = expect(function() parse("--gpu-cuont", "2") end):raises("unknown flag %-%-gpu%-cuont")
    expect(err.hint).equals("did you mean --gpu-count?")
    expect(expect(function() parse("--zzz") end):raises().hint).equals("`podsmith run x --help` lists the flags")
  end)

  it("give help from the same table", function()
    local text = params.help("run x", "Does x.", ROWS, 80)
    expect(text):contains("usage: podsmith run x [flags]")
    expect(text):contains("--gpu-count 1|2|4")
    expect(text):contains("GPUs [1]")
  end)
end)
