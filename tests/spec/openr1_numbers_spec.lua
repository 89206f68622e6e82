--- What follows from the flags of Open R1's recipes: names, numbers, rewards, software. Nothing here leaves the program.

local configs = require("recipes.openr1.configs")
local names = require("recipes.openr1.names")
local numbers = require("recipes.openr1.numbers")
local params = require("podsmith.params")
local recipes = require("podsmith.recipe")
local software = require("recipes.openr1.software")

-- The recipe's own defaults, with what the flags change.
local function args_of(mode, ...)
  local args = params.parse(recipes.load(mode)():all_params(), { ... }, "run " .. mode)
  return args
end

local OPENING = "You are a helpful AI Assistant that provides well-reasoned and detailed responses. "

describe("the ZeRO stage", function()
  for _, row in ipairs {
    { "grpo", false, 2, 2, false }, { "grpo", false, 3, 3, false }, { "grpo", true, 2, 3, true },
    { "grpo", true, 3, 3, false }, { "sft", false, 3, 2, true }, { "sft", false, 2, 2, false },
    { "sft", true, 2, 3, true }, { "sft", true, 3, 3, false },
  } do
    local mode, sharded, asked, used, is_adjusted = table.unpack(row)
    it(("is %d for %s, sharded %s, asked %d"):format(used, mode, sharded, asked), function()
      local stage, reason = numbers.zero_stage(args_of(mode, "--deepspeed-stage=" .. asked, sharded and "--shard-model" or nil))
      expect(stage):equals(used)
      expect(reason ~= nil):equals(is_adjusted)
    end)
  end

  it("is 2 for QLoRA in GRPO, and as asked for SFT of all weights", function()
    expect(numbers.zero_stage(args_of("grpo", "--qlora"))):equals(2)
    expect(numbers.zero_stage(args_of("sft", "--no-qlora"))):equals(3)
  end)
end)

describe("tags", function()
  it("of both sorts give three rewards and both sentences", function()
    local args = args_of("grpo", "--answer-tag", "<answer>", "--answer-end-tag", "</answer>")
    local rewards, weights = configs.rewards(args)
    expect(rewards):equals { "accuracy", "format", "tag_count" }
    expect(weights):equals { 1.0, 1.0, 1.0 }
    expect(configs.system_prompt(args)):equals(OPENING .. "First reason inside <think> and </think>. "
      .. "Then provide the final answer inside <answer> and </answer>.")
  end)

  it("that are all empty ask for plain step by step", function()
    local args = args_of("grpo", "--reasoning-tag", "", "--reasoning-end-tag", "")
    expect(configs.rewards(args)):equals { "accuracy" }
    expect(configs.system_prompt(args)):equals(OPENING
      .. "First think step by step. Then provide the final answer directly after thinking.")
  end)

  it("of other names give accuracy only", function()
    expect(configs.rewards(args_of("grpo", "--answer-tag", "<a>", "--answer-end-tag", "</a>"))):equals { "accuracy" }
    expect(configs.rewards(args_of("grpo", "--reasoning-tag", "<r>", "--reasoning-end-tag", "</r>", "--answer-tag", "<answer>",
      "--answer-end-tag", "</answer>"))):equals { "accuracy" }
  end)
end)

describe("names", function()
  it("follow from user, model and GPUs", function()
    local args = args_of("grpo", "--gpu-count", "4")
    expect(names.hub_id(args, "alice", "grpo")):equals("alice/gemma-2b-grpo-thinnka")
    expect(names.hub_id(args, "alice", "sft")):equals("alice/gemma-2b-sft-thinnka")
    expect(names.output_dir(args, "alice/m")):equals("/workspace/models/alice-m")
    expect(names.pod_name(args)):equals("thinnka-unsloth-gemma-2b-4x")
  end)

  it("are the user's where he gives them", function()
    local args = args_of("grpo", "--hub-model-id", "acme/m", "--output-dir", "/workspace/o", "--pod-name", "mine")
    expect(names.hub_id(args, "alice", "grpo")):equals("acme/m")
    expect(names.output_dir(args, "acme/m")):equals("/workspace/o")
    expect(names.pod_name(args)):equals("mine")
  end)
end)

describe("num_generations", function()
  for _, row in ipairs {
    { 1, 4, 1, 16, 4 }, { 1, 4, 8, 16, 16 }, { 2, 3, 1, 16, 6 }, { 1, 4, 6, 16, 12 }, { 3, 4, 2, 7, 6 },
  } do
    local per_device, accumulation, gpus, asked, used = table.unpack(row)
    it(("is %d for batch %d, accumulation %d, %d GPUs, %d asked"):format(used, per_device, accumulation, gpus, asked),
      function()
        expect(numbers.num_generations { per_device_train_batch = per_device, gradient_accumulation_steps = accumulation,
          gpu_count = gpus, num_generations = asked }):equals(used)
      end)
  end

  it("of 1 is refused: GRPO compares at least 2", function()
    for _, asked in ipairs { 16, 0 } do
      local steps = asked == 0 and 4 or 1
      expect(function()
        numbers.num_generations { per_device_train_batch = 1, gradient_accumulation_steps = steps, gpu_count = 1,
          num_generations = asked }
      end):raises("at least 2", "invalid")
    end
  end)
end)

describe("sizes", function()
  local GIB = 1024 ^ 3

  local function need(gib, options) return gpu.need_for_weights(math.floor(gib * GIB), options) end

  it("come from the weights: 4.668 GiB need 5 GB and a container disk of 40", function()
    local bytes = 4945242264 + 67121608
    expect(gpu.need_for_weights(bytes)):equals(5)
    expect(numbers.disks(args_of("grpo"), bytes)):equals { volume = 300, container = 40 }
  end)

  it("count weights in one format", function()
    local info = { siblings = { { rfilename = "model.safetensors", size = 5012344064 },
      { rfilename = "pytorch_model.bin", size = 5012400000 }, { rfilename = "config.json", size = 600 } } }
    expect(gpu.need_for_weights(hf.weight_bytes(info))):equals(5)
  end)

  it("count everything where there are no weights", function()
    local info = { siblings = { { rfilename = "a.npz", size = 3 * 1024 * 1024 * 1024 },
      { rfilename = "README.md", size = 1000 } } }
    expect(gpu.need_for_weights(hf.weight_bytes(info))):equals(4)
  end)

  it("grow with the weights where the flags leave it open", function()
    expect(need(13.489)):equals(14)
    expect(numbers.disks(args_of("grpo", "--volume-gb", "0"), 28 * 1024 * 1024 * 1024)):equals { volume = 56, container = 42 }
    expect(numbers.disks(args_of("grpo", "--container-disk-gb", "99"), 1).container):equals(99)
    expect(numbers.disks(args_of("grpo", "--container-disk-gb", "0"), 1).container):equals(40)
  end)

  it("are shared by the GPUs when the model is sharded", function()
    for _, row in ipairs { { 140.5, 8, 22 }, { 140.5, 2, 85 }, { 61, 4, 19 }, { 14.96, 2, 9 } } do
      expect(need(row[1], { sharded = true, gpus = row[2] })):equals(row[3])
    end
  end)
end)

describe("the transformers version", function()
  local function choice(model_version, ...) return software.transformers(args_of("grpo", ...), model_version) end

  it("is git HEAD, then the flag, then the model's, then the default", function()
    local from_git = choice("4.51.3", "--transformers-from-git", "--transformers-version", "4.50.0")
    expect(from_git.spec):equals("git+https://github.com/huggingface/transformers.git")
    expect(choice("4.51.3", "--transformers-version", "4.50.0").spec):equals("transformers==4.50.0")
    expect(choice("4.51.3").spec):equals("transformers==4.51.3")
    expect(choice(nil).spec):equals("transformers==4.57.6")
  end)

  it("is a release where the model names a development version", function()
    expect(choice("4.52.0.dev0").spec):equals("transformers==4.52.0")
  end)

  it("is the default where the model's is older than the other packages accept", function()
    expect(choice("4.38.0").spec):equals("transformers==4.57.6")
    expect(choice("4.38.0").source):contains("4.38.0")
  end)
end)

describe("custom dependencies", function()
  it("are parted at commas, but not inside a requirement", function()
    expect(software.requirements { " math-verify , pkg>=1,<2,,  x[a,b]==1.0 ,", "git+https://h/p.git" })
      :equals { "math-verify", "pkg>=1,<2", "x[a,b]==1.0", "git+https://h/p.git" }
    expect(software.requirements {}):equals {}
  end)

  it("have bare names", function()
    expect(software.package_name("x[a,b]==1.0")):equals("x")
    expect(software.package_name("math-verify>=1")):equals("math-verify")
    expect(software.package_name("git+https://h/p.git")):is_nil()
  end)
end)
