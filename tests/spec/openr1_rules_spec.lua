--- What Open R1's recipes refuse before anything is sent, in which order, and with which remedy; and what --set and
--- --config may say. Nothing here leaves the program.

local params = require("podsmith.params")
local recipes = require("podsmith.recipe")

local function checked(mode, ...)
  local list = { ... }
  return function()
    local declaration = recipes.load(mode)()
    local args, given = params.parse(declaration:all_params(), list, "run " .. mode)
    declaration.check(args, given)
    return args
  end
end

local function words(text)
  local list = {}
  for word in text:gmatch("%S+") do list[#list + 1] = word end
  return table.unpack(list)
end

-- {recipe, flags, what is said, the remedy}
local REFUSED = {
  { "grpo", "--answer-tag x", "--answer-tag and --answer-end-tag go together", "give both" },
  { "grpo", "--answer-end-tag x", "--answer-tag and --answer-end-tag go together", "give both" },
  { "grpo", "--reasoning-tag=", "--reasoning-tag and --reasoning-end-tag go together", "make both empty" },
  { "sft", "--answer-tag x", "--answer-tag is for GRPO, and this is SFT", "podsmith run grpo" },
  { "sft", "--num-generations 8", "--num-generations is for GRPO", "leave it out" },
  { "sft", "--no-vllm", "--use-vllm is for GRPO", "leave it out" },
  { "grpo", "--merge-model", "--merge-model is for SFT, and this is GRPO", "podsmith run sft" },
  { "grpo", "--sft", "--sft is for SFT", "podsmith run sft" },
  { "grpo", "--gpu-count 3", "--gpu-count must be 1, 2, 4, 6 or 8, not 3", "rented with" },
  { "grpo", "--dataset-fraction 0", "above 0 and at most 1, not 0", "0.1" },
  { "sft", "--dataset-fraction 1.5", "above 0 and at most 1, not 1.5", "0.1" },
  { "sft", "--merge-model --shard-model", "--merge-model merges an adapter", "leave one of the two out" },
  { "sft", "--merge-model --no-qlora", "--merge-model merges an adapter", "a full model anyway" },
  { "grpo", "--qlora --shard-model", "--qlora cannot be combined with --shard-model", "leave one of the two out" },
  { "sft", "--qlora --shard-model", "--qlora cannot be combined with --shard-model", "leave one of the two out" },
  { "grpo", "--gradient-accumulation-steps 1", "at least 2", "raise the accumulation steps" },
  { "grpo", "--chat-template /no/such.jinja", "there is no file /no/such.jinja", "Jinja file" },
  { "sft", "--volume-gb 5", "10 GB", "0 chooses" },
  { "sft", "--bid 0.2", "--bid is for spot pods", "--spot" },
  { "sft", "--nodes 2 --spot", "--nodes does not go with --spot", "leave one" },
  { "grpo", "--nodes 2 --vllm-mode server", "--nodes does not go with --vllm-mode server", "leave one" },
  { "sft", "--nodes 2 --recover 1", "--nodes does not go with --recover", "leave one" },
  { "sft", "--skip-setup --custom-dependencies a", "--skip-setup installs nothing", "leave one" },
  { "sft", "--shard-model --set use_peft=true --set load_in_4bit=true", "ZeRO stage 3", "--qlora" },
  { "sft", "--set use_peft=false", "without an adapter", "use_peft=true" },
  { "grpo", "--set load_in_4bit=true --deepspeed-stage 2", "without an adapter", "--qlora" },
  { "grpo", "--set reward_funcs=accuracy,length", "2 reward_funcs and 1 reward_weights", "one weight" },
  { "sft", "--set fp16=true", "bf16 and fp16 exclude each other", "bf16=false" },
  { "sft", "--set eval_strategy=steps --dataset-fraction 0.5", "eval_strategy needs a test split", "leave one" },
  { "sft", "--set load_best_model_at_end=true", "needs an evaluation", "eval_strategy" },
  { "grpo", "--set per_device_train_batch_size=1 --set gradient_accumulation_steps=1", "at least 2", "" },
}

describe("the rules refuse as wrong usage, with a remedy,", function()
  for _, row in ipairs(REFUSED) do
    it(row[1] .. " " .. row[2], function()
      local err = expect(checked(row[1], words(row[2]))):raises(nil, "invalid")
      expect(err.message):contains(row[3])
      expect(err.hint or ""):contains(row[4])
      expect(err.usage):is_true()
    end)
  end

  it("in the first system's order", function()
    local wrong = { "--answer-tag=x", "--reasoning-tag=", "--gpu-count=3", "--dataset-fraction=2", "--merge-model" }
    local said = { "--answer-tag", "--reasoning-tag", "--gpu-count", "--dataset-fraction", "--merge-model" }
    for i = 1, #wrong do
      local err = expect(checked("grpo", table.unpack(wrong, i))):raises(nil, "invalid")
      expect(err.message:match("^%S+")):equals(said[i])
    end
  end)

  it("and nothing that goes together", function()
    for _, row in ipairs { { "grpo", "" }, { "sft", "" }, { "sft", "--sft" }, { "sft", "--merge-model" }, { "sft", "--shard-model" },
      { "grpo", "--qlora --deepspeed-stage 3" }, { "grpo", "--shard-model --deepspeed-stage 2" },
      { "grpo", "--transformers-from-git --transformers-version 4.50.0" }, { "grpo", "--no-vllm --vllm-mode server" } } do
      checked(row[1], words(row[2]))()
    end
  end)
end)

-- ---- --set and --config -------------------------------------------------------------------------------------------------

local function value_of(mode, key, ...)
  for _, change in ipairs(checked(mode, ...)().set) do if change[1] == key then return change[2] end end
end

describe("--set", function()
  it("reads a value by the key's kind", function()
    expect(value_of("grpo", "learning_rate", "--set", "learning_rate=2e-6")):equals(2e-6)
    expect(value_of("grpo", "temperature", "--set", "temperature=1")):equals(1)
    expect(value_of("sft", "packing", "--set", "packing=true")):equals(true)
    expect(value_of("sft", "optim", "--set", "optim=paged_adamw_8bit")):equals("paged_adamw_8bit")
    expect(value_of("sft", "run_name", "--set", "run_name=7")):equals("7")
    expect(value_of("sft", "dataset_num_proc", "--set", "dataset_num_proc=null")):equals(json.null)
    expect(value_of("sft", "lora_target_modules", "--set", "lora_target_modules=q_proj,v_proj")):equals { "q_proj", "v_proj" }
    expect(value_of("sft", "lr_scheduler_kwargs.min_lr_rate", "--set", "lr_scheduler_kwargs.min_lr_rate=2e-1")):equals(0.2)
  end)

  it("goes through a flag where there is one, with all that follows", function()
    local args = checked("grpo", "--set", "per_device_train_batch_size=4", "--set", "model_name_or_path=acme/llm")()
    expect(args.per_device_train_batch):equals(4)
    expect(args.repo_id):equals("acme/llm")
    expect(#args.set):equals(0)
  end)

  local function refuses(text, message, hint, mode)
    it("refuses " .. text, function()
      local err = expect(checked(mode or "sft", "--set", text)):raises(nil, "invalid")
      expect(err.message):contains(message)
      expect(err.hint or ""):contains(hint or "")
      expect(err.usage):is_true()
    end)
  end
  refuses("learning_rat=1", "Open R1's SFT trainer knows no key 'learning_rat'", "did you mean 'learning_rate'?")
  refuses("learning_rate=fast", "learning_rate must be a number, not 'fast'")
  refuses("lora_r=1.5", "lora_r must be a whole number, not 1.5")
  refuses("packing=7", "packing must be true or false, not 7")
  refuses("learning_rate", "'learning_rate' is not KEY=VALUE", "learning_rate=2e-6")
  refuses("learning_rate.x=1", "learning_rate is a number and has no keys of its own")
  refuses("attn_implementation=quick", "attn_implementation must be one of flash_attention_2, sdpa, eager")
  refuses("push_to_hub=false", "push_to_hub cannot be set", "the result would end with the pod")
  refuses("hub_token=hf_x", "knows no key 'hub_token'")
  refuses("num_generations=4", "Open R1's SFT trainer knows no key 'num_generations'")
  refuses("max_seq_length=9", "max_seq_length cannot be set", "it is max_length by now")

  it("refuses a key and its flag at once", function()
    expect(checked("sft", "--max-steps", "5", "--set", "max_steps=6")):raises("%-%-set max_steps and %-%-max%-steps are the same",
      "invalid")
  end)
end)

describe("--config", function()
  local function with(text, mode, ...)
    local path = os.tmpname()
    fs.write(path, text)
    local ok, result = pcall(checked(mode or "sft", "--config", path, ...))
    fs.remove(path)
    if ok then return result end
    result.message = result.message:gsub(path:gsub("%p", "%%%0"), "FILE")
    error(result, 0)
  end

  it("is taken key by key, in its order", function()
    local args = with("# mine\nweight_decay: 0.1\nlearning_rate: 1e-5\nsave_total_limit: null\nmax_steps: 9\n")
    expect(args.set):equals { { "weight_decay", 0.1 }, { "learning_rate", 1e-5 }, { "save_total_limit", json.null } }
    expect(args.max_steps):equals(9)
  end)

  it("yields to flags and to --set", function()
    local args = with("max_steps: 9\nlearning_rate: 1.0e-5\n", "sft", "--max-steps", "5", "--set", "learning_rate=1e-4")
    expect(args.max_steps):equals(5)
    expect(args.set[#args.set]):equals { "learning_rate", 1e-4 }
  end)

  it("is read once: a run that goes on has what it said", function()
    local args = with("weight_decay: 0.1\nmax_steps: 9\n")
    expect(args.config):is_nil()
    recipes.load("sft")().check(args, {})
    expect(args.set):equals { { "weight_decay", 0.1 } }
    expect(args.max_steps):equals(9)
  end)

  it("and --set add up over a run that goes on", function()
    local sft = recipes.load("sft")()
    local args, given = params.parse(sft:all_params(), { "--resume", "abcd1234", "--set", "learning_rate=1e-6" }, "run sft")
    args = sft:resumed(args, given, { id = "abcd1234", recipe = "sft", params = { set = { { "weight_decay", 0.1 } }, max_steps = 9 } })
    sft.check(args, given)
    expect(args.set):equals { { "weight_decay", 0.1 }, { "learning_rate", 1e-6 } }
    expect(args.max_steps):equals(9)
    expect(args.nodes):equals(1)
  end)

  it("may be a config that podsmith has rendered", function()
    local args = with("hub_model_id: acme/out\noutput_dir: /workspace/o\nnum_generations: 4\nbf16: true\nreport_to: []\n", "grpo")
    expect(args.hub_model_id):equals("acme/out")
    expect(args.report_to):equals("")
  end)

  it("refuses an unknown key with its line", function()
    local err = expect(function() with("max_steps: 9\n\nlearing_rate: 1\n") end)
      :raises("FILE:3: Open R1's SFT trainer knows no key 'learing_rate'")
    expect(err.hint):equals("did you mean 'learning_rate'?")
    expect(err.usage):is_true()
  end)

  it("refuses a wrong kind with its line", function()
    expect(function() with("bf16: maybe\n") end):raises("FILE:1: bf16 must be true or false, not 'maybe'", "invalid")
  end)

  it("refuses broken YAML with line and column", function()
    local err = expect(function() with("a: 1\nb: [1, 2\n") end):raises("FILE:%d+:%d+: ", "invalid")
    expect(err.usage):is_true()
  end)

  it("refuses what is no map, and a file that is not there", function()
    expect(function() with("- a\n") end):raises("it is no map of keys", "invalid")
    expect(function() with("") end):raises("it is no map of keys", "invalid")
    expect(checked("sft", "--config", "/no/such.yaml")):raises("/no/such.yaml", "invalid")
  end)
end)
