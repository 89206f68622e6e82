--- The flags of the recipes grpo and sft: their defaults, and what is refused of one flag alone.

local params = require("podsmith.params")
local recipes = require("podsmith.recipe")

local declared = { grpo = recipes.load("grpo")(), sft = recipes.load("sft")() }

local function parse(mode, ...)
  local args = params.parse(declared[mode]:all_params(), { ... }, "run " .. mode)
  return args
end

local BOTH = {
  repo_id = "unsloth/gemma-2b", gpu_count = 1, nodes = 1, image = "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404",
  use_thinnka_image = false, cloud_type = "ALL", volume_gb = 300, min_vcpu = 4, min_memory = 16,
  dataset_name = "open-r1/OpenR1-Math-220k", num_train_epochs = 1, max_steps = -1, per_device_train_batch = 1,
  gradient_accumulation_steps = 4, max_prompt_length = 512, max_completion_length = 2048, dataset_fraction = 1.0,
  dataset_seed = 42, shard_model = false, attn_implementation = "sdpa", deepspeed_stage = 3, report_to = "none",
  public = false, skip_setup = false, ssh_timeout_min = 20, debug_remote = false, transformers_from_git = false,
  trust_remote_code = false, custom_dependencies = {}, spot = false, recover = 0, set = {}, auto_lengths = true,
  auto_fix = false,
}
local ONLY = {
  grpo = { dataset_prompt_column = "problem", reasoning_tag = "<think>", reasoning_end_tag = "</think>", answer_tag = "",
    answer_end_tag = "", num_generations = 16, use_vllm = true, vllm_mode = "colocate", qlora = false },
  sft = { qlora = true, merge_model = false },
}
local UNSET = { "gpu_type", "pod_name", "container_disk_gb", "chat_template", "hub_model_id", "output_dir",
  "ssh_private_key", "ssh_public_key", "transformers_version", "save_steps", "bid", "hang", "config" }

for mode, only in pairs(ONLY) do
  describe(mode .. "'s flags", function()
    it("have the documented defaults", function()
      local args = parse(mode)
      for name, value in pairs(BOTH) do expect({ [name] = args[name] }):equals { [name] = value } end
      for name, value in pairs(only) do expect({ [name] = args[name] }):equals { [name] = value } end
      for _, name in ipairs(UNSET) do expect({ [name] = args[name] }):equals {} end
    end)

    it("are all the recipe has, each with help", function()
      local known = {}
      for _, names in ipairs { BOTH, only } do for name in pairs(names) do known[name] = true end end
      for _, name in ipairs(UNSET) do known[name] = true end
      for _, param in ipairs(declared[mode].params) do
        local name = param[1]:gsub("-", "_")
        expect({ [name] = known[name] or param.hidden }):equals { [name] = true }
        expect(#param.help > 0):is_true()
      end
    end)

    it("pass the check with their defaults", function()
      local args, given = params.parse(declared[mode]:all_params(), {}, "run " .. mode)
      declared[mode].check(args, given)
    end)
  end)
end

describe("the help of", function()
  for mode, other in pairs { grpo = "--merge-model", sft = "--num-generations" } do
    it(mode .. " has its own flags under headings, and none of the other's", function()
      local text = params.help("run " .. mode, declared[mode].summary, declared[mode]:all_params(), 100)
      expect(text):contains("\nModel:\n  --repo-id ID")
      expect(text):contains("\nEvery run:\n  --sim ")
      expect(text):contains("\nTraining:\n")
      expect(text:find(other .. " ", 1, true)):is_nil()
      expect(text:find("--sft", 1, true)):is_nil()
      for line in text:gmatch("[^\n]+") do expect(#line <= 100):is_true() end
    end)
  end

  it("names the flag that switches vLLM off", function()
    expect(params.help("run grpo", "", declared.grpo:all_params(), 100)):contains("--use-vllm, --no-vllm")
  end)
end)

describe("the flags", function()
  it("turn vLLM off under two names", function()
    expect(parse("grpo", "--no-vllm").use_vllm):is_false()
    expect(parse("grpo", "--disable-vllm").use_vllm):is_false()
    expect(parse("grpo", "--disable-vllm", "--use-vllm").use_vllm):is_true()
  end)

  it("add up custom dependencies", function()
    local args = parse("sft", "--custom-dependencies", "a,b", "--custom-dependencies", "c")
    expect(args.custom_dependencies):equals { "a,b", "c" }
  end)

  local function refuses(title, pattern, ...)
    local list = { ... }
    it("refuse " .. title, function()
      local err = expect(function() parse(table.unpack(list)) end):raises(pattern, "invalid")
      expect(err.usage):is_true()
    end)
  end
  refuses("one generation", "%-%-num%-generations must be at least 2", "grpo", "--num-generations", "1")
  refuses("an unknown flag", "unknown flag %-%-gpu%-cuont", "sft", "--gpu-cuont", "2")
  refuses("an unknown cloud", "%-%-cloud%-type must be one of", "sft", "--cloud-type", "public")
  refuses("ZeRO stage 1", "%-%-deepspeed%-stage must be one of 2, 3", "grpo", "--deepspeed-stage", "1")
  refuses("a model id with spaces", "%-%-repo%-id", "grpo", "--repo-id", "a b/c")
  refuses("a result without a namespace", "namespace/name", "grpo", "--hub-model-id", "mine")
  refuses("no pass at all over the data", "%-%-num%-train%-epochs must be at least", "sft", "--num-train-epochs", "0")

  it("suggest the flag that was meant, and none of the other recipe's", function()
    local err = expect(function() parse("sft", "--gpu-cuont", "2") end):raises("unknown flag")
    expect(err.hint):contains("--gpu-count")
    err = expect(function() parse("sft", "--num-generation", "2") end):raises("unknown flag")
    expect(err.hint:find("--num-generations", 1, true)):is_nil()
  end)
end)
