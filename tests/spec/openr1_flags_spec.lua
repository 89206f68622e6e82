--- The recipe grpo: its flags, and what it refuses before anything is sent.

local params = require("podsmith.params")

local grpo = require("podsmith.recipe").load("grpo")()

local function parse(...)
  local args = params.parse(grpo:all_params(), { ... }, "run grpo")
  return args
end

local function checked(...)
  local list = { ... }
  return function() grpo.check(parse(table.unpack(list))) end
end

local DEFAULTS = {
  repo_id = "unsloth/gemma-2b", gpu_count = 1, image = "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404",
  use_thinnka_image = false, cloud_type = "ALL", volume_gb = 300, dataset_name = "open-r1/OpenR1-Math-220k",
  dataset_prompt_column = "problem", reasoning_tag = "<think>", reasoning_end_tag = "</think>", answer_tag = "",
  answer_end_tag = "", num_train_epochs = 1, max_steps = -1, per_device_train_batch = 1,
  gradient_accumulation_steps = 4, num_generations = 16, max_prompt_length = 512, max_completion_length = 2048,
  dataset_fraction = 1.0, dataset_seed = 42,
  shard_model = false, attn_implementation = "sdpa", deepspeed_stage = 3, use_vllm = true, vllm_mode = "colocate",
  report_to = "none", skip_setup = false, ssh_timeout_min = 20, debug_remote = false, transformers_from_git = false,
  trust_remote_code = false, auto_lengths = true, auto_fix = false, custom_dependencies = {}, spot = false, recover = 0,
}
local UNSET = { "gpu_type", "pod_name", "container_disk_gb", "chat_template", "hub_model_id", "output_dir",
  "ssh_private_key", "ssh_public_key", "transformers_version", "save_steps", "bid", "hang" }

describe("grpo's flags", function()
  it("have the documented defaults", function()
    local args = parse()
    for name, value in pairs(DEFAULTS) do expect({ [name] = args[name] }):equals { [name] = value } end
    for _, name in ipairs(UNSET) do expect({ [name] = args[name] }):equals {} end
  end)

  it("are all the recipe has", function()
    local known = {}
    for name in pairs(DEFAULTS) do known[name] = true end
    for _, name in ipairs(UNSET) do known[name] = true end
    for _, param in ipairs(grpo.params) do
      local name = param[1]:gsub("-", "_")
      expect({ [name] = known[name] }):equals { [name] = true }
      expect(#param.help > 0):is_true()
    end
  end)

  it("turn vLLM off under two names", function()
    expect(parse("--no-vllm").use_vllm):is_false()
    expect(parse("--disable-vllm").use_vllm):is_false()
    expect(parse("--disable-vllm", "--use-vllm").use_vllm):is_true()
  end)

  it("add up custom dependencies", function()
    local args = parse("--custom-dependencies", "a,b", "--custom-dependencies", "c")
    expect(args.custom_dependencies):equals { "a,b", "c" }
  end)

  it("pass the check with their defaults", checked())
end)

describe("grpo refuses as wrong usage", function()
  local function refuses(title, pattern, ...)
    local list = { ... }
    it(title, function()
      local err = expect(checked(table.unpack(list))):raises(pattern, "invalid")
      expect(err.usage):is_true()
    end)
  end
  refuses("an answer tag alone", "%-%-answer%-tag and %-%-answer%-end%-tag go together", "--answer-tag", "x")
  refuses("an answer end tag alone", "go together", "--answer-end-tag", "x")
  refuses("half a reasoning pair", "%-%-reasoning%-tag and %-%-reasoning%-end%-tag go together", "--reasoning-tag", "")
  refuses("3 GPUs", "%-%-gpu%-count must be one of 1, 2, 4, 6, 8, not '3'", "--gpu-count", "3")
  refuses("a fraction of 0", "above 0 and at most 1", "--dataset-fraction", "0")
  refuses("a fraction over 1", "above 0 and at most 1", "--dataset-fraction", "1.5")
  refuses("a batch that leaves one generation", "at least 2", "--gradient-accumulation-steps", "1")
  refuses("one generation", "%-%-num%-generations must be at least 2", "--num-generations", "1")
  refuses("an unknown flag", "unknown flag %-%-gpu%-cuont", "--gpu-cuont", "2")
  refuses("an unknown cloud", "%-%-cloud%-type must be one of", "--cloud-type", "public")
  refuses("ZeRO stage 1", "%-%-deepspeed%-stage must be one of 2, 3", "--deepspeed-stage", "1")
  refuses("a model id with spaces", "%-%-repo%-id", "--repo-id", "a b/c")
  refuses("a result without a namespace", "namespace/name", "--hub-model-id", "mine")
  refuses("a volume below Runpod's least", "10 GB", "--volume-gb", "5")
  refuses("a chat template file that is not there", "there is no file /no/such.jinja", "--chat-template",
    "/no/such.jinja")
  refuses("the flag of another recipe", "unknown flag %-%-merge%-model", "--merge-model")

  it("and suggests the flag that was meant", function()
    local err = expect(checked("--gpu-cuont", "2")):raises("unknown flag")
    expect(err.hint):contains("--gpu-count")
  end)
end)
