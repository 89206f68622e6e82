--- GPUs: the choice and the estimate as scripts see them, and the two commands over them.

local core = require("podsmith.core")
local estimate_command = require("podsmith.commands.estimate")
local errors = require("podsmith.errors")
local params = require("podsmith.params")
local gpus_command = require("podsmith.commands.gpus")

local function offer(id, memory, price, stock, centers)
  return { id = id, name = (id:gsub("NVIDIA ", "")), manufacturer = "NVIDIA", memory = memory, secure = true, community = false,
    price = { secure = price }, maxCount = { secure = 8, community = 0 }, availability = stock, dataCenters = centers }
end

local MARKET = {
  offer("NVIDIA L40S", 48, 0.86, "HIGH", { { id = "EU-RO-1", availability = "LOW" }, { id = "US-KS-2", availability = "HIGH" } }),
  offer("NVIDIA A40", 48, 0.40, "LOW", { { id = "US-KS-2", availability = "LOW" } }),
  offer("NVIDIA B200", 180, 4.99, "NONE", json.array {}),
}

local LLAMA = { bytes = 16060556376, parameters = { BF16 = 8030261248 }, config = { model_type = "llama", hidden_size = 4096,
  num_hidden_layers = 32, num_attention_heads = 32, num_key_value_heads = 8, intermediate_size = 14336, vocab_size = 128256,
  hidden_act = "silu" } }

-- What `run` prints while `stubs` ({table, name, value}) are in place.
local function printed(run, stubs)
  local lines, kept = {}, {}
  local old = print
  for i, stub in ipairs(stubs) do
    kept[i] = rawget(stub[1], stub[2])
    rawset(stub[1], stub[2], stub[3])
  end
  rawset(_G, "print", function(text) lines[#lines + 1] = text end)
  local ok, err = pcall(run)
  rawset(_G, "print", old)
  for i, stub in ipairs(stubs) do rawset(stub[1], stub[2], kept[i]) end
  if not ok then error(err, 0) end
  return table.concat(lines, "\n")
end

local function ids(picked)
  local list = {}
  for i, candidate in ipairs(picked.candidates) do list[i] = candidate.name end
  return list
end

describe("gpu.select", function()
  it("names stock, data centers and compute of each candidate", function()
    local first = gpu.select(MARKET, { vram = 40 }).candidates[1]
    expect(first.id).equals("NVIDIA L40S")
    expect(first.stock).equals("HIGH")
    expect(first.tflops).equals(362.05)
    expect(first.data_centers).equals { { id = "US-KS-2", stock = "HIGH" }, { id = "EU-RO-1", stock = "LOW" } }
  end)

  it("takes places, failed offers and classes of one's own", function()
    local in_europe = gpu.select(MARKET, { order = "cheapest", regions = { "EUROPE" } })
    expect(ids(in_europe)).equals { "L40S", "B200" }
    expect(in_europe.refused).equals { { id = "NVIDIA A40", reason = "no A40 in EUROPE" } }
    local again = gpu.select(MARKET, { order = "cheapest", avoid = { { gpu = "NVIDIA A40", cloud = "SECURE", reason = "no instances" } } })
    expect(again.refused).equals { { id = "NVIDIA A40", reason = "failed before: no instances" } }
    expect(ids(gpu.select(MARKET, { prefer = { "b200", "a40" } }))).equals { "A40", "B200" }
    expect(ids(gpu.select(MARKET, { volume_data_center = "EU-RO-1", cloud = "ALL" }))).equals { "L40S" }
  end)

  it("refuses what makes no sense", function()
    local function with(need) return function() gpu.select(MARKET, need) end end
    expect(with { count = 1.5 }):raises("count must be a whole number, not 1.5", "invalid")
    expect(with { count = 0 / 0 }):raises("count must be a whole number", "invalid")
    expect(with { count = 1e30 }):raises("count must be a whole number", "invalid")
    expect(with { vram = 0 / 0 }):raises("is not a memory size", "invalid")
    expect(with { vram = -1 }):raises("is not a memory size", "invalid")
    expect(with { max_price = 0 }):raises("allows nothing", "invalid")
    expect(with { regions = { "ATLANTIS" } }):raises('"ATLANTIS" is not a region', "invalid")
    expect(with { regions = { 7 } }):raises("regions must be a list of strings", "invalid")
    expect(with { avoid = { { cloud = "SECURE" } } }):raises("an entry names no gpu", "invalid")
    expect(with { order = "fastest" }):raises('"fastest" is not an order of GPUs', "invalid")
  end)
end)

describe("gpu.estimate", function()
  it("lists terms that add up to the need of one GPU", function()
    local found = gpu.estimate(LLAMA, { method = "qlora", sequence = 4096 })
    local sum = 0
    for _, term in ipairs(found.terms) do sum = sum + term.gib end
    expect(math.abs(sum - found.total) < 1e-9).is_true()
    expect(found.need).equals(math.ceil(found.total))
    expect(found.assumptions).equals(json.array {})
    expect(found.parameters).equals(8030261248.0)
  end)

  it("shards full training over several GPUs unless told not to", function()
    expect(gpu.estimate(LLAMA, { gpus = 8 }).zero).equals(3)
    expect(gpu.estimate(LLAMA, { gpus = 8, zero = 0 }).zero).equals(0)
    expect(gpu.estimate(LLAMA, { gpus = 8, method = "lora" }).zero).equals(0)
    expect(gpu.estimate(LLAMA, { gpus = 8 }).need < gpu.estimate(LLAMA, { gpus = 8, zero = 2 }).need).is_true()
  end)

  it("says what it took for granted", function()
    local found = gpu.estimate({ bytes = 14e9 }, { method = "inference" })
    expect(#found.assumptions).equals(4)
  end)

  it("refuses what makes no sense", function()
    local function with(job, facts) return function() gpu.estimate(facts or LLAMA, job) end end
    expect(with { gpus = 0 }):raises("the number of GPUs cannot be 0", "invalid")
    expect(with { sequence = 0 / 0 }):raises("the sequence length cannot be %-?nan", "invalid")
    expect(with { batch = -1 }):raises("the batch cannot be %-1", "invalid")
    expect(with { method = "dpo" }):raises('"dpo" is not a way to use a model', "invalid")
    expect(with { zero = 4 }):raises("4 is not a stage of ZeRO", "invalid")
    expect(with({}, {})):raises("does not tell how large the model is", "invalid")
    expect(function() gpu.need_for_weights(-1) end):raises("is not a size", "invalid")
  end)
end)

describe("hf.model_facts", function()
  local INFO = { id = "acme/llama", siblings = { { rfilename = "model.safetensors", size = 5012344064 },
    { rfilename = "pytorch_model.bin", size = 5012400000 }, { rfilename = "optimizer.pt", size = 9000000000 } },
    safetensors = { parameters = { BF16 = 2506172032 }, total = 2506172032 } }

  local function facts(read, info)
    local found
    printed(function() found = hf.model_facts("acme/llama") end,
      { { hf, "model_info", function() return info or INFO end }, { hf, "read", read } })
    return found
  end

  it("gives bytes, counts and config", function()
    local found = facts(function(_, path) return path == "config.json" and '{"hidden_size":2048}' or nil end)
    expect(found.bytes).equals(5012344064)
    expect(found.parameters).equals { BF16 = 2506172032 }
    expect(found.config).equals { hidden_size = 2048 }
    expect(found.config_problem).is_nil()
  end)

  it("says why there is no config", function()
    expect(facts(function() return nil end).config_problem).equals("acme/llama has no config.json")
    expect(facts(function() return "<html>" end).config_problem).equals("config.json of acme/llama is no JSON object")
    local gated = facts(function() require("podsmith.errors").raise("forbidden", "gated") end, { id = "x", siblings = {} })
    expect(gated.config_problem):contains("may read the files of acme/llama: ask for access at ")
    expect(gated.config_problem):contains("(gated)")
    expect(gated.bytes).equals(0)
    expect(function() facts(function() require("podsmith.errors").raise("network", "no route") end) end):raises("no route", "network")
  end)
end)

describe("podsmith gpus", function()
  local function shown(args)
    local asked = {}
    local text = printed(function() gpus_command.run(args) end, { { gpu, "pick", function(need)
      for key, value in pairs(need) do asked[key] = value end
      return gpu.select(MARKET, need)
    end }, { runpod, "data_centers", function()
      return { { id = "EU-RO-1", region = "EUROPE" }, { id = "EUR-IS-1", region = "EUROPE" }, { id = "US-KS-2", region = "NORTH_AMERICA" } }
    end } })
    return text, asked
  end

  local function parsed(...) return (params.parse(gpus_command.params, { ... }, "gpus")) end

  -- What was printed although the command failed, and its error.
  local function shown_failing(args)
    local err
    local text = printed(function() err = select(2, errors.try(gpus_command.run, args)) end,
      { { gpu, "pick", function(need) return gpu.select(MARKET, need) end } })
    return text, err
  end

  it("refuses places and versions that there are not, as wrong usage", function()
    local cases = {
      { { "--region", "ERUOPE" }, "--region: there is no region 'ERUOPE'", "did you mean 'EUROPE'?" },
      { { "--region", "ATLANTIS" }, "--region: there is no region 'ATLANTIS'", "there are EU, EUR, EUROPE, NORTH_AMERICA, US" },
      { { "--data-center", "EU-R0-1" }, "--data-center: there is no data center 'EU-R0-1'", "did you mean 'EU-RO-1'?" },
      { { "--min-cuda", "cuda12.8" }, "--min-cuda: 'cuda12.8' is not a CUDA version; write it like 12.8" },
    }
    for _, case in ipairs(cases) do
      local err = expect(function() shown(parsed(table.unpack(case[1]))) end):raises(nil, "invalid")
      expect(err.message).equals(case[2])
      expect(err.hint).equals(case[3])
      expect(err.usage).is_true()
    end
    for _, region in ipairs { "eu", "EUR", "europe", "US-KS" } do shown(parsed("--region", region, "--count", "1", "--filter", "B200")) end
    expect(select(2, shown(parsed("--data-center", "eu-ro-1"))).data_centers).equals { "EU-RO-1" }
  end)

  it("shows why when nothing is left, and fails", function()
    local text, err = shown_failing(parsed("--vram", "500", "--all"))
    expect(err.message):contains("none is eligible")
    expect(text):contains("NVIDIA B200  180 GB < 500 GB needed")
    expect(text:find("WHY HERE", 1, true)):is_nil()
    text, err = shown_failing(parsed("--vram", "500", "--all", "--json"))
    expect(err.kind).equals("invalid")
    expect(json.decode(text).candidates).equals(json.array {})
    expect(#json.decode(text).refused).equals(3)
  end)

  it("shows price, stock and where", function()
    local text, asked = shown { cloud = "SECURE", count = 2, order = "cheapest", region = {}, data_center = {}, exclude = {} }
    expect(text):contains("A40   48 GB   secure  $0.80/h  low    US-KS-2")
    expect(text):contains("L40S  48 GB   secure  $1.72/h  high   US-KS-2, EU-RO-1  cheapest, stock HIGH")
    expect(text:find("NOT TAKEN")).is_nil()
    expect(asked.regions).is_nil()
  end)

  it("shows with --all what is not taken, and why", function()
    local text = shown { cloud = "SECURE", count = 1, order = "cheapest", all = true, region = {}, data_center = { "EU-RO-1" },
      exclude = { "b200" } }
    expect(text):contains("NVIDIA A40   no A40 in EU-RO-1")
    expect(text):contains('NVIDIA B200  excluded by "b200"')
  end)

  it("prints JSON without the refused unless they are asked for", function()
    local args = { cloud = "SECURE", count = 1, order = "cheapest", json = true, vram = 100, region = {}, data_center = {}, exclude = {} }
    expect(json.decode(shown(args)).refused).is_nil()
    args.all = true
    expect(#json.decode(shown(args)).refused).equals(2)
  end)
end)

describe("podsmith estimate", function()
  local function shown(args, key, facts)
    args.model, args.seq, args.batch, args.gpus = "acme/llama", 2048, 1, args.gpus or 1
    args.gradient_checkpointing, args.lora_rank = true, 16
    return printed(function() estimate_command.run(args) end, {
      { hf, "model_facts", function() return facts or LLAMA end },
      { core, "secret_env", function() return key end },
      { gpu, "pick", function(need) return gpu.select(MARKET, need) end },
    })
  end

  it("prints the terms, the total and what fits", function()
    local text = shown({ method = "qlora" }, "key")
    expect(text):contains("acme/llama: 8.03 billion parameters, qlora on 1 GPU")
    expect(text):matches("weights +%d+%.%d+ GiB +4%.127 bits each; QLoRA")
    expect(text):matches("in all +%d+%.%d+ GiB +%d+ GB on each GPU")
    expect(text):contains("A40      48 GB   secure  $0.40/h  low")
  end)

  it("says that the catalogue was skipped without a key, and when nothing fits", function()
    expect(shown({ method = "qlora" }, nil)):contains("GPUs: no RUNPOD_API_KEY is set, so the catalogue of GPUs was not asked")
    local text = shown({ method = "full", gpus = 9, zero = 0 }, "key")
    expect(text):contains("GPUs: choose a GPU for 9 x 154 GB: none is eligible; nearest is ")
  end)

  it("counts small models in millions", function()
    expect(shown({ method = "lora" }, nil, { bytes = 2e9, parameters = { BF16 = 999999990 } })):contains(": 1.00 billion parameters")
    expect(shown({ method = "lora" }, nil, { bytes = 5e6, parameters = { BF16 = 2500000 } })):contains(": 2.50 million parameters, lora")
  end)

  it("names what it assumed", function()
    local text = shown({ method = "lora" }, nil, { bytes = 14e9, config_problem = "acme/llama has no config.json" })
    expect(text):contains("assumed: acme/llama has no config.json\n")
    expect(text):contains("a vocabulary of 262144")
  end)

  it("prints JSON", function()
    local value = json.decode(shown({ method = "qlora", json = true }, "key"))
    expect(value.model).equals("acme/llama")
    expect(value.fits[1].name).equals("A40")
    expect(value.terms[1].name).equals("weights")
  end)
end)
